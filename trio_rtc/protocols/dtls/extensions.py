"""The extensions of the two hellos (RFC 5246 section 7.4.1.4)."""

import struct
from collections.abc import Iterable, Mapping
from enum import IntEnum

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.reader import Reader


class ExtensionType(IntEnum):
    """Supported extensions (IANA's registry "TLS ExtensionType Values")."""

    SUPPORTED_GROUPS = 10
    EC_POINT_FORMATS = 11
    SIGNATURE_ALGORITHMS = 13
    USE_SRTP = 14
    EXTENDED_MASTER_SECRET = 23
    SUPPORTED_VERSIONS = 43
    RENEGOTIATION_INFO = 0xFF01


Extensions = Mapping[int, bytes]

MAX_EXTENSIONS = 128
"""Of a hello, which anyone can send: more than IANA has registered."""

UNCOMPRESSED_POINTS = bytes((1, 0))
EMPTY_RENEGOTIATION_INFO = bytes((0,))


def vector(length_size: int, content: bytes) -> bytes:
    """Return ``content`` preceded by its length in ``length_size`` bytes."""
    return len(content).to_bytes(length_size, "big") + content


def encode_numbers(numbers: Iterable[int]) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in numbers)


def parse_numbers(data: bytes) -> tuple[int, ...]:
    """Parse a sequence of 16-bit numbers."""
    if len(data) % 2:
        raise ProtocolError(f"16-bit numbers in {len(data)} bytes, must be an even number")
    return struct.unpack(f">{len(data) // 2}H", data)


def encode_extensions(extensions: Extensions) -> bytes:
    return vector(2, b"".join(kind.to_bytes(2, "big") + vector(2, body) for kind, body in extensions.items()))


def parse_extensions(reader: Reader) -> dict[int, bytes]:
    """Parse the extension block of a hello, which may be missing: at most 128 extensions, none of them twice."""
    if not reader.remaining:
        return {}
    block = Reader(reader.read_vector(2))
    extensions: dict[int, bytes] = {}
    while block.remaining:
        if len(extensions) == MAX_EXTENSIONS:
            raise ProtocolError(f"more than {MAX_EXTENSIONS} extensions")
        kind = block.read_integer(2)
        if kind in extensions:
            raise ProtocolError(f"extension {kind} occurs twice")
        extensions[kind] = block.read_vector(2)
    return extensions


def parse_number_list(data: bytes, length_size: int = 2) -> tuple[int, ...]:
    """Parse an extension that is one vector of 16-bit numbers (groups, signature schemes, versions)."""
    reader = Reader(data)
    numbers = parse_numbers(reader.read_vector(length_size))
    reader.expect_end("a list in an extension")
    if not numbers:
        raise ProtocolError("empty list in an extension")
    return numbers


def encode_use_srtp(profiles: Iterable[int]) -> bytes:
    """Return the body of ``use_srtp`` without a master key identifier (RFC 5764 section 4.1.1)."""
    return vector(2, encode_numbers(profiles)) + vector(1, b"")


def parse_use_srtp(data: bytes) -> tuple[tuple[int, ...], bytes]:
    """Parse the body of ``use_srtp``: profiles and master key identifier."""
    reader = Reader(data)
    profiles = parse_numbers(reader.read_vector(2))
    identifier = reader.read_vector(1)
    reader.expect_end("use_srtp")
    if not profiles:
        raise ProtocolError("use_srtp lists no profile")
    return profiles, identifier
