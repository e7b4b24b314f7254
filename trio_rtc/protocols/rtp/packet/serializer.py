"""A packet's bytes as it leaves, with the marks by which the peer measures the path.

The marks, transport-wide number and send time, are header extension elements that stand behind all others. Most packets
have no others; theirs are written in one go.
"""

import struct
from typing import Final

from .extensions import (
    ABS_SEND_TIME,
    SEND_TIME_UNITS,
    TRANSPORT_WIDE_CC,
    ExtensionMap,
    encode_abs_send_time,
    encode_transport_sequence_number,
)
from .packet import VERSION, RtpPacket

_ONE_BYTE_PROFILE: Final = 0xBEDE
_MAX_ONE_BYTE: Final = 14
_BOTH: Final = struct.Struct("!BBHIIHHBHBBHx")
_NUMBER: Final = struct.Struct("!BBHIIHHBHx")
_TIME: Final = struct.Struct("!BBHIIHHBBH")
_EXTENDED: Final = VERSION << 6 | 0x10


class PacketSerializer:
    """Writes the packets of one section.

    Args:
        extensions: What was negotiated.

    Attributes:
        numbers: Whether packets have a transport-wide number.
    """

    __slots__ = ("_number", "_simple", "_time", "numbers")

    def __init__(self, extensions: ExtensionMap) -> None:
        self._number = extensions.number(TRANSPORT_WIDE_CC)
        self._time = extensions.number(ABS_SEND_TIME)
        self._simple = max(self._number or 0, self._time or 0) <= _MAX_ONE_BYTE
        self.numbers = self._number is not None

    def stamp(self, packet: RtpPacket, number: int | None, now: float) -> bytes:
        """Return the bytes of a packet that leaves now, under a transport-wide number if it is to have one."""
        if packet.extensions or packet.csrcs or packet.padding_size or not self._simple:
            return self._encode(packet, number, now)
        second = packet.payload_type | 0x80 if packet.marker else packet.payload_type
        head = (_EXTENDED, second, packet.sequence_number, packet.timestamp, packet.ssrc, _ONE_BYTE_PROFILE)
        if self._time is None:
            if self._number is None or number is None:
                return packet.encode()
            return _NUMBER.pack(*head, 1, self._number << 4 | 1, number & 0xFFFF) + packet.payload
        time = int(now * SEND_TIME_UNITS) & 0xFF_FFFF
        stamp = (self._time << 4 | 2, time >> 16, time & 0xFFFF)
        if self._number is None or number is None:
            return _TIME.pack(*head, 1, *stamp) + packet.payload
        return _BOTH.pack(*head, 2, self._number << 4 | 1, number & 0xFFFF, *stamp) + packet.payload

    def blank(self, packet: RtpPacket) -> bytes:
        """Return the bytes of a packet with other marks than it will leave with: error correction leaves them out."""
        return self.stamp(packet, 0, 0.0)

    def _encode(self, packet: RtpPacket, number: int | None, now: float) -> bytes:
        marks: tuple[tuple[int, bytes], ...] = ()
        if self._number is not None and number is not None:
            marks += ((self._number, encode_transport_sequence_number(number)),)
        if self._time is not None:
            marks += ((self._time, encode_abs_send_time(now)),)
        return packet.encode_with(packet.extensions + marks)
