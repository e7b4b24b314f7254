"""Telephone events to send (RFC 4733 section 2.5).

All packets of an event have the timestamp of its beginning and its duration so far. An event that lasts longer than the
duration field continues in another segment, which begins where the one before ends (section 2.5.1.3).
"""

from typing import NamedTuple

from trio_rtc.protocols.rtp.payload import TelephoneEvent
from trio_rtc.protocols.rtp.payload.telephone_event import MAX_DURATION


class TelephoneEventPacket(NamedTuple):
    """The variable parts of a packet of an event.

    Attributes:
        timestamp: 32 bits.
        marker: Whether it is the first packet of the event.
    """

    timestamp: int
    marker: bool
    payload: bytes


class TelephoneEventSender:
    """Makes the packets of one event.

    Args:
        code: The event, 0 to 255.
        timestamp: The RTP timestamp of its beginning.
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
        """Return the packets to send at some time of the event.

        Args:
            elapsed: Seconds since its beginning.
            end: Whether it ends now.
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
