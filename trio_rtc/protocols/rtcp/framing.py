"""The common header of all RTCP packets (RFC 3550 section 6.4.1)."""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from trio_rtc.errors import ProtocolError

VERSION: Final = 2
HEADER_SIZE: Final = 4
MAX_COUNT: Final = 31
_HEADER: Final = struct.Struct("!BBH")


class PacketType(IntEnum):
    """The implemented types of IANA's registry "RTCP Control Packet Types"."""

    SENDER_REPORT = 200
    RECEIVER_REPORT = 201
    SOURCE_DESCRIPTION = 202
    BYE = 203
    APPLICATION_DEFINED = 204
    TRANSPORT_FEEDBACK = 205
    PAYLOAD_FEEDBACK = 206
    EXTENDED_REPORT = 207


def add_header(packet_type: int, count: int, body: bytes) -> bytes:
    """Return a packet: the common header, with a count or feedback format (FMT) of five bits, and a body."""
    if len(body) % 4 or not 0 <= count <= MAX_COUNT:
        raise ValueError(
            f"an RTCP packet must have whole 32-bit words and a count of 0 to {MAX_COUNT},"
            f" not {len(body)} bytes and a count of {count}"
        )
    return _HEADER.pack(VERSION << 6 | count, packet_type, len(body) // 4) + body


def split_packets(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield the packet type, count and body (without padding) of each packet of a datagram."""
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < HEADER_SIZE:
            raise ProtocolError(f"RTCP packet has {end - offset} bytes, fewer than {HEADER_SIZE}")
        first, packet_type, words = _HEADER.unpack_from(data, offset)
        if first >> 6 != VERSION:
            raise ProtocolError(f"RTCP version is {first >> 6} instead of {VERSION}")
        body = offset + HEADER_SIZE
        offset = body + 4 * words
        if offset > end:
            raise ProtocolError(f"RTCP packet of {4 * words + HEADER_SIZE} bytes exceeds the datagram")
        body_end = offset
        if first & 0x20:
            padding = data[offset - 1] if words else 0
            body_end -= padding
            # RFC 3550 requires a multiple of four, but libwebrtc pads transport-wide feedback to a whole word.
            if not padding or body_end < body:
                raise ProtocolError(
                    f"RTCP packet has {padding} bytes of padding in a body of {4 * words} bytes"
                )
        yield packet_type, first & 0x1F, data[body:body_end]
