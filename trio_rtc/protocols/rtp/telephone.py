"""Telephone events while they go on (RFC 4733 section 2.5): what packets say of one that is sent, and what was heard.

All packets of an event have the timestamp of its beginning and tell how long it has lasted. An event that lasts longer
than sixteen bits can say goes on in another segment, which begins where the one before has ended (section 2.5.1.3).
"""

import math
from typing import Final, NamedTuple

import attrs

from .payload import DTMF_EVENTS, TelephoneEvent
from .payload.telephone_event import MAX_DURATION, parse_events

_TONES: Final = {event: tone for tone, event in DTMF_EVENTS.items()}
_SILENCE: Final = 0.5
"""Seconds without a packet after which an event is over: all packets that tell of its end were lost."""


class EventPacket(NamedTuple):
    """What a packet of an event is to say.

    Attributes:
        timestamp: 32 bits.
        marker: Whether it is the first packet of the event.
        payload: The event.
    """

    timestamp: int
    marker: bool
    payload: bytes


class OutgoingEvent:
    """Counts the duration of one event.

    Args:
        code: Which event: 0 to 255.
        timestamp: What the RTP clock showed when it began.
        clock_rate: In which durations are told.
    """

    __slots__ = ("_clock_rate", "_code", "_segment", "_started", "_timestamp", "ended")

    def __init__(self, code: int, timestamp: int, clock_rate: int) -> None:
        self._code = code
        self._timestamp = timestamp
        self._clock_rate = clock_rate
        self._segment = 0
        self._started = False
        self.ended = False

    def packets(self, elapsed: float, *, end: bool) -> list[EventPacket]:
        """Return what to send when the event has lasted for some time.

        Args:
            elapsed: Seconds since it began.
            end: Whether that is all of it.
        """
        duration = round(elapsed * self._clock_rate)
        packets = []
        while duration - self._segment > MAX_DURATION:
            packets.append(self._packet(MAX_DURATION, end=False))
            self._segment += MAX_DURATION
        self.ended = self.ended or end
        if duration > self._segment:
            # A duration of zero would mean an event without an end (section 2.3.5).
            packets.append(self._packet(duration - self._segment, end=end))
        return packets

    def _packet(self, duration: int, *, end: bool) -> EventPacket:
        marker, self._started = not self._started, True
        timestamp = (self._timestamp + self._segment) & 0xFFFFFFFF
        payload = TelephoneEvent(self._code, end, duration=duration).encode()
        return EventPacket(timestamp, marker, payload)


@attrs.frozen
class HeardTelephoneEvent:
    """A telephone event as far as it was heard (RFC 4733). Each is told twice: when it begins and when it is over.

    Attributes:
        code: Which event, 0 to 255; 0 to 15 are the tones of DTMF.
        duration: For how long it has lasted, in seconds.
        volume: Power of the tone, in -dBm0: 0 to 63.
        ended: Whether it is over.
    """

    code: int
    duration: float
    volume: int
    ended: bool

    @property
    def tone(self) -> str | None:
        """``"0"`` to ``"9"``, ``"*"``, ``"#"``, ``"A"`` to ``"D"``; ``None`` for an event that is not of DTMF."""
        return _TONES.get(self.code)


class IncomingEvents:
    """Follows the events of one stream, of which one goes on at a time.

    Packets repeat what an event has come to, so that any of them may be lost. An event is over when a packet says so,
    when another begins, or when none has come for half a second.
    """

    __slots__ = ("_before", "_clock_rate", "_duration", "_event", "_heard", "_heard_at", "_timestamp")

    def __init__(self) -> None:
        self._event: TelephoneEvent | None = None
        # The beginning of the present segment, or of the last one; what comes before is late.
        self._timestamp = -1
        self._before = 0
        self._duration = 0
        self._clock_rate = 1
        self._heard_at = 0.0
        self._heard: list[HeardTelephoneEvent] = []

    def received(self, payload: bytes, timestamp: int, clock_rate: int, now: float) -> None:
        """Take the payload of a packet.

        Args:
            payload: Of telephone events.
            timestamp: Of the packet, unwrapped.
            clock_rate: In which durations are told.
            now: Seconds.

        Raises:
            ProtocolError: It is malformed.
        """
        self._clock_rate = clock_rate
        for event in parse_events(payload):
            self._take(event, timestamp, now)
            timestamp += event.duration

    def _take(self, event: TelephoneEvent, timestamp: int, now: float) -> None:
        going = self._event
        continues = going is not None and event.event == going.event
        if continues and timestamp == self._timestamp + MAX_DURATION:
            # What lasts longer than sixteen bits can say goes on in another segment (section 2.5.1.3).
            self._before += MAX_DURATION
            self._timestamp, self._duration = timestamp, 0
        elif timestamp > self._timestamp:
            self._end()
            self._timestamp, self._before, self._duration = timestamp, 0, 0
            self._event = event
            self._tell(event, ended=False, duration=event.duration)
        elif not continues or timestamp < self._timestamp:
            return
        self._heard_at = now
        self._duration = max(self._duration, event.duration)
        if event.end:
            self._end()

    def take(self) -> list[HeardTelephoneEvent]:
        """Take what was heard since the last time."""
        heard, self._heard = self._heard, []
        return heard

    def handle_timer(self, now: float) -> None:
        """End an event of which nothing has come for long."""
        if now >= self.next_timer():
            self._end()

    def next_timer(self) -> float:
        """Return when an event is over of which nothing more comes, ``math.inf`` while there is none."""
        return math.inf if self._event is None else self._heard_at + _SILENCE

    def _end(self) -> None:
        event, self._event = self._event, None
        if event is not None:
            self._tell(event, ended=True, duration=self._before + self._duration)

    def _tell(self, event: TelephoneEvent, *, ended: bool, duration: int) -> None:
        seconds = duration / self._clock_rate
        self._heard.append(HeardTelephoneEvent(event.event, seconds, event.volume, ended))
