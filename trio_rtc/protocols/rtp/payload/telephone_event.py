"""Telephone events (RFC 4733), used for DTMF digits.

A payload has four bytes per event. The sender repeats the event with increasing duration while the tone lasts and three
times at its end; this module only encodes and parses payloads.
"""

import struct
from collections.abc import Sequence
from typing import Final

from trio_rtc import _attrs as attrs
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
    """An event.

    Attributes:
        event: The event code, 0 to 255, see ``DTMF_EVENTS``.
        end: The E bit: whether the event has ended.
        volume: Power of the tone in -dBm0, 0 to 63.
        duration: Time since the beginning in units of the RTP clock, 0 to 65535.
    """

    event: int
    end: bool = False
    volume: int = 10
    duration: int = 0

    @classmethod
    def parse(cls, payload: bytes) -> "TelephoneEvent":
        """Parse the event of a payload with exactly one.

        Raises:
            ProtocolError: The payload does not have four bytes.
        """
        if len(payload) != _EVENT.size:
            raise ProtocolError(f"telephone event has {len(payload)} bytes instead of {_EVENT.size}")
        event, second, duration = _EVENT.unpack(payload)
        # The R bit between E and volume is reserved and ignored (section 2.3.3).
        return cls(event, second >= _END, second & _VOLUME, duration)

    def encode(self) -> bytes:
        """Return the four bytes of the payload.

        Raises:
            ValueError: A value is out of range.
        """
        if not (
            0 <= self.event <= 0xFF and 0 <= self.volume <= _VOLUME and 0 <= self.duration <= MAX_DURATION
        ):
            raise ValueError(
                f"event must be 0 to 255, volume 0 to {_VOLUME} and duration 0 to {MAX_DURATION}, not {self}"
            )
        return _EVENT.pack(self.event, self.volume | (_END if self.end else 0), self.duration)


def parse_events(payload: bytes) -> tuple[TelephoneEvent, ...]:
    """Parse the events of a payload, in chronological order (section 2.5.1.5).

    Raises:
        ProtocolError: The payload is empty or ends within an event.
    """
    if not payload or len(payload) % _EVENT.size:
        raise ProtocolError(
            f"telephone events have {len(payload)} bytes instead of a positive multiple of {_EVENT.size}"
        )
    return tuple(TelephoneEvent.parse(payload[at : at + 4]) for at in range(0, len(payload), _EVENT.size))


class TelephoneEventPacketizer:
    """Sends the events of a frame as one payload."""

    def packetize(self, frame: EncodedFrame, max_size: int) -> list[bytes]:
        """Return the one payload of a frame.

        Raises:
            ValueError: The frame does not consist of events, or they exceed ``max_size``.
        """
        size = len(frame.payload)
        if not size or size % _EVENT.size or size > max_size:
            raise ValueError(
                f"telephone events must have a positive multiple of {_EVENT.size} bytes"
                f" and at most {max_size}, not {size}"
            )
        return [frame.payload]


class TelephoneEventDepacketizer:
    """Treats each payload as one frame."""

    def starts_frame(self, payload: bytes) -> bool:
        """Return whether the payload has an event."""
        return len(payload) >= _EVENT.size

    def is_keyframe_start(self, payload: bytes) -> bool:
        """Return whether the payload has an event: events do not depend on others."""
        return len(payload) >= _EVENT.size

    def assemble(self, payloads: Sequence[bytes]) -> AssembledFrame:
        """Return the one payload as a frame.

        Raises:
            ProtocolError: There is not exactly one payload, or it does not consist of events.
        """
        if len(payloads) != 1:
            raise ProtocolError(f"telephone events have {len(payloads)} payloads instead of one")
        parse_events(payloads[0])
        return AssembledFrame(payloads[0])
