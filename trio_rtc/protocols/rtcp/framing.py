"""The header that every RTCP packet begins with (RFC 3550 section 6.4.1)."""

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
    """IANA's registry "RTCP Control Packet Types", what of it is understood here."""

    SENDER_REPORT = 200
    RECEIVER_REPORT = 201
    SOURCE_DESCRIPTION = 202
    GOODBYE = 203
    APPLICATION_DEFINED = 204
    TRANSPORT_FEEDBACK = 205
    PAYLOAD_FEEDBACK = 206
    EXTENDED_REPORT = 207


def frame(packet_type: int, count: int, body: bytes) -> bytes:
    """Put the header before a body.

    Args:
        packet_type: The packet type.
        count: The five bits that count reports or name the format.
        body: What follows the header, in whole words.
    """
    if len(body) % 4 or not 0 <= count <= MAX_COUNT:
        raise ValueError(f"an RTCP packet cannot have {len(body)} bytes and a count of {count}")
    return _HEADER.pack(VERSION << 6 | count, packet_type, len(body) // 4) + body


def split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield packet type, count and body (without padding) of each packet of a datagram.

    Raises:
        ProtocolError: A header is malformed, or a length does not fit.
    """
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < HEADER_SIZE:
            raise ProtocolError(f"{end - offset} bytes are too few for an RTCP packet")
        first, packet_type, words = _HEADER.unpack_from(data, offset)
        if first >> 6 != VERSION:
            raise ProtocolError(f"RTCP version {first >> 6}")
        body = offset + HEADER_SIZE
        offset = body + 4 * words
        if offset > end:
            raise ProtocolError(f"an RTCP packet of {4 * words + HEADER_SIZE} bytes runs over the end")
        body_end = offset
        if first & 0x20:
            padding = data[offset - 1] if words else 0
            body_end -= padding
            # RFC 3550 wants a multiple of four, but libwebrtc fills the last word of transport-wide feedback with it.
            if not padding or body_end < body:
                raise ProtocolError(f"{padding} bytes of padding in an RTCP packet of {4 * words} bytes")
        yield packet_type, first & 0x1F, data[body:body_end]
