"""TODO."""

import math
from typing import Final

from trio_rtc.protocols.rtp.events import ReceivedTelephoneEvent
from trio_rtc.protocols.rtp.payload import TelephoneEvent
from trio_rtc.protocols.rtp.payload.telephone_event import MAX_DURATION, parse_events

_SILENCE: Final = 0.5
"""Seconds without a packet after which an event is over: all packets that tell of its end were lost."""


class TelephoneEventReceiver:
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
        self._heard: list[ReceivedTelephoneEvent] = []

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

    def take_events(self) -> list[ReceivedTelephoneEvent]:
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
        self._heard.append(ReceivedTelephoneEvent(event.event, seconds, event.volume, ended))
