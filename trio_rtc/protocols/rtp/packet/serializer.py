"""Serialization of packets when they are sent, with the header extensions that are written at that time.

These are the transport-wide sequence number and the absolute send time; their elements stand behind all others. Most
packets have no other elements, and are packed by one struct.
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
    """Serializes the packets of one section.

    Attributes:
        has_transport_number: Whether packets have a transport-wide sequence number.
    """

    __slots__ = ("_number", "_simple", "_time", "has_transport_number")

    def __init__(self, extensions: ExtensionMap) -> None:
        self._number = extensions.number(TRANSPORT_WIDE_CC)
        self._time = extensions.number(ABS_SEND_TIME)
        self._simple = max(self._number or 0, self._time or 0) <= _MAX_ONE_BYTE
        self.has_transport_number = self._number is not None

    def serialize(self, packet: RtpPacket, number: int | None, now: float) -> bytes:
        """Return the bytes of a packet that is sent now, with a transport-wide sequence number or ``None``."""
        if packet.extensions or packet.csrcs or packet.padding_size or not self._simple:
            return self._encode(packet, number, now)
        second = packet.payload_type | 0x80 if packet.marker else packet.payload_type
        head = (_EXTENDED, second, packet.sequence_number, packet.timestamp, packet.ssrc, _ONE_BYTE_PROFILE)
        if self._time is None:
            if self._number is None or number is None:
                return packet.encode()
            return _NUMBER.pack(*head, 1, self._number << 4 | 1, number & 0xFFFF) + packet.payload
        time = int(now * SEND_TIME_UNITS) & 0xFF_FFFF
        send_time = (self._time << 4 | 2, time >> 16, time & 0xFFFF)
        if self._number is None or number is None:
            return _TIME.pack(*head, 1, *send_time) + packet.payload
        return _BOTH.pack(*head, 2, self._number << 4 | 1, number & 0xFFFF, *send_time) + packet.payload

    def serialize_for_fec(self, packet: RtpPacket) -> bytes:
        """Return the bytes of a packet with zero for the elements written at sending, which FEC does not protect."""
        return self.serialize(packet, 0, 0.0)

    def _encode(self, packet: RtpPacket, number: int | None, now: float) -> bytes:
        elements: tuple[tuple[int, bytes], ...] = ()
        if self._number is not None and number is not None:
            elements += ((self._number, encode_transport_sequence_number(number)),)
        if self._time is not None:
            elements += ((self._time, encode_abs_send_time(now)),)
        return packet.encode_with(packet.extensions + elements)
