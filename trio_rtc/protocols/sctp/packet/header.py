"""The common header (RFC 9260 section 3.1) and its checksum (section 6.8; zero checksum: RFC 9653)."""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.checksum import crc32c

HEADER_SIZE: Final = 12
ZERO_CHECKSUM: Final = b"\0\0\0\0"
_HEADER: Final = struct.Struct(">HHI")
# The only field in little-endian order: RFC 9260 appendix A stores the CRC32c reflected.
_CHECKSUM: Final = struct.Struct("<I")


class CommonHeader(NamedTuple):
    """The fields of the common header except the checksum."""

    source_port: int
    destination_port: int
    verification_tag: int


def encode_header(source_port: int, destination_port: int, verification_tag: int) -> bytes:
    """Return a common header with a zero checksum."""
    return _HEADER.pack(source_port, destination_port, verification_tag) + ZERO_CHECKSUM


def parse_header(packet: bytes) -> CommonHeader:
    """Parse the common header; ``has_valid_checksum`` verifies the checksum."""
    if len(packet) < HEADER_SIZE + 4 or len(packet) & 3:
        raise ProtocolError(f"packet of {len(packet)} bytes")
    return CommonHeader(*_HEADER.unpack_from(packet))


def add_checksum(packet: bytes) -> bytes:
    """Return ``packet``, whose checksum is zero, with its CRC32c."""
    return packet[:8] + _CHECKSUM.pack(crc32c(packet)) + packet[HEADER_SIZE:]


def has_valid_checksum(packet: bytes) -> bool:
    expected = crc32c(packet[:8] + ZERO_CHECKSUM + packet[HEADER_SIZE:])
    return packet[8:HEADER_SIZE] == _CHECKSUM.pack(expected)


def encode_packet(header: bytes, chunks: Sequence[bytes], *, checksum: bool = True) -> bytes:
    """Return a packet with a header from ``encode_header`` and encoded chunks."""
    packet = header + b"".join(chunks)
    return add_checksum(packet) if checksum else packet
