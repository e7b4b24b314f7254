"""TODO."""

from typing import NamedTuple

from trio_rtc.protocols.rtp.payload import TelephoneEvent
from trio_rtc.protocols.rtp.payload.telephone_event import MAX_DURATION


class TelephoneEventPacket(NamedTuple):
    """What a packet of an event is to say.

    Attributes:
        timestamp: 32 bits.
        marker: Whether it is the first packet of the event.
        payload: The event.
    """

    timestamp: int
    marker: bool
    payload: bytes


class TelephoneEventSender:
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

    def packets(self, elapsed: float, *, end: bool) -> list[TelephoneEventPacket]:
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

    def _packet(self, duration: int, *, end: bool) -> TelephoneEventPacket:
        marker, self._started = not self._started, True
        timestamp = (self._timestamp + self._segment) & 0xFFFFFFFF
        payload = TelephoneEvent(self._code, end, duration=duration).encode()
        return TelephoneEventPacket(timestamp, marker, payload)
