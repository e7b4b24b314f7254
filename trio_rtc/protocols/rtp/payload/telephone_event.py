"""Telephone events (RFC 4733), of which DTMF digits are used.

A payload is four bytes an event. The sender repeats it with a growing duration as long as the tone lasts and three
times at its end; that timing is the sender's matter, here is only what one payload says.
"""

import struct
from collections.abc import Sequence
from typing import Final

import attrs

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

from ._format import AssembledFrame

# RFC 4733 section 3.2, table 3.
DTMF_EVENTS: Final = {tone: event for event, tone in enumerate("0123456789*#ABCD")}
MAX_DURATION: Final = 0xFFFF
_EVENT: Final = struct.Struct("!BBH")
_END: Final = 0x80
_VOLUME: Final = 0x3F


@attrs.frozen
class TelephoneEvent:
    """One event.

    Attributes:
        event: Which: 0 to 255, see ``DTMF_EVENTS``.
        end: Whether this is its end.
        volume: Power of the tone, in -dBm0: 0 to 63.
        duration: Since its beginning, in units of the RTP clock: 0 to 65535.
    """

    event: int
    end: bool = False
    volume: int = 10
    duration: int = 0

    @classmethod
    def parse(cls, payload: bytes) -> "TelephoneEvent":
        """Read the event of a payload that has one.

        Raises:
            ProtocolError: It has not four bytes.
        """
        if len(payload) != _EVENT.size:
            raise ProtocolError(f"a telephone event of {len(payload)} bytes")
        event, second, duration = _EVENT.unpack(payload)
        # The bit between the two is reserved and ignored (section 2.3.3).
        return cls(event, second >= _END, second & _VOLUME, duration)

    def encode(self) -> bytes:
        """Return the four bytes of the payload.

        Raises:
            ValueError: A number is out of its range.
        """
        if not (
            0 <= self.event <= 0xFF and 0 <= self.volume <= _VOLUME and 0 <= self.duration <= MAX_DURATION
        ):
            raise ValueError(f"{self} is out of range")
        return _EVENT.pack(self.event, self.volume | (_END if self.end else 0), self.duration)


def parse_events(payload: bytes) -> tuple[TelephoneEvent, ...]:
    """Read the events of a payload, in the order in which they happened (section 2.5.1.5).

    Raises:
        ProtocolError: It is empty or ends within an event.
    """
    if not payload or len(payload) % _EVENT.size:
        raise ProtocolError(f"telephone events of {len(payload)} bytes")
    return tuple(TelephoneEvent.parse(payload[at : at + 4]) for at in range(0, len(payload), _EVENT.size))


class TelephoneEventPacketizer:
    """Sends the events of a frame as one payload."""

    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the one payload of a frame.

        Raises:
            ValueError: It is not made of events, or they do not fit.
        """
        size = len(frame.payload)
        if not size or size % _EVENT.size or size > max_size:
            raise ValueError(f"{size} bytes are no telephone events, or too many for {max_size}")
        return [frame.payload]


class TelephoneEventDepacketizer:
    """Takes each payload as a frame."""

    def starts_frame(self, payload: bytes) -> bool:
        """Every payload that has an event is a frame."""
        return len(payload) >= _EVENT.size

    def is_keyframe_start(self, payload: bytes) -> bool:
        """An event does not depend on others."""
        return len(payload) >= _EVENT.size

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Return the one payload as a frame.

        Raises:
            ProtocolError: There is not exactly one, or it is not made of events.
        """
        if len(payloads) != 1:
            raise ProtocolError(f"telephone events in {len(payloads)} payloads")
        parse_events(payloads[0])
        return AssembledFrame(payloads[0])
