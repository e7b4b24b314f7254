"""STUN attributes: types (RFC 8489 section 18.3, RFC 8445 section 20.2) and codec of their values.

Decoders raise ``ProtocolError``.
"""

import ipaddress
import struct
from enum import IntEnum
from typing import NamedTuple

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address

MAGIC_COOKIE = 0x2112A442

_FAMILY_IPV4 = 1
_FAMILY_IPV6 = 2
_ADDRESS_HEADER = struct.Struct("!xBH")
_MAX_REASON_BYTES = 763  # RFC 8489 section 14.8: 127 characters of UTF-8
_COMPREHENSION_OPTIONAL = 0x8000


class AttributeType(IntEnum):
    """Attribute types of STUN and ICE."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    REALM = 0x0014
    NONCE = 0x0015
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    PASSWORD_ALGORITHM = 0x001D
    USERHASH = 0x001E
    XOR_MAPPED_ADDRESS = 0x0020
    PRIORITY = 0x0024
    USE_CANDIDATE = 0x0025
    PASSWORD_ALGORITHMS = 0x8002
    ALTERNATE_DOMAIN = 0x8003
    SOFTWARE = 0x8022
    ALTERNATE_SERVER = 0x8023
    FINGERPRINT = 0x8028
    ICE_CONTROLLED = 0x8029
    ICE_CONTROLLING = 0x802A


COMPREHENDED: frozenset[int] = frozenset(AttributeType)
"""The attributes of STUN and ICE, understood by default; ``comprehended`` of ``Client`` replaces them."""


class StunAttribute(NamedTuple):
    """An attribute: type and value without padding."""

    type: int
    value: bytes


@attrs.frozen
class ErrorCode:
    """Value of ERROR-CODE: a number from 300 to 699 and a reason phrase."""

    code: int
    reason: str


def is_comprehension_required(attribute_type: int) -> bool:
    """Return whether an attribute type is comprehension-required (RFC 8489 section 14)."""
    return attribute_type < _COMPREHENSION_OPTIONAL


def encode_address(address: Address) -> bytes:
    """Return the value of MAPPED-ADDRESS (RFC 8489 section 14.1)."""
    ip = ipaddress.ip_address(address.host.partition("%")[0])
    family = _FAMILY_IPV4 if ip.version == 4 else _FAMILY_IPV6
    return _ADDRESS_HEADER.pack(family, address.port) + ip.packed


def decode_address(value: bytes) -> Address:
    if len(value) < 4:
        raise ProtocolError(f"an address attribute of {len(value)} bytes")
    family, port = _ADDRESS_HEADER.unpack_from(value)
    packed = value[4:]
    if family == _FAMILY_IPV4 and len(packed) == 4:
        return Address(str(ipaddress.IPv4Address(packed)), port)
    if family == _FAMILY_IPV6 and len(packed) == 16:
        return Address(str(ipaddress.IPv6Address(packed)), port)
    raise ProtocolError(f"an address of family {family} with {len(packed)} bytes")


def xor_address(value: bytes, transaction_id: bytes) -> bytes:
    """Convert a value of MAPPED-ADDRESS to XOR-MAPPED-ADDRESS or back (RFC 8489 section 14.2)."""
    mask = MAGIC_COOKIE.to_bytes(4, "big") + transaction_id
    port = bytes(left ^ right for left, right in zip(value[2:4], mask, strict=False))
    host = bytes(left ^ right for left, right in zip(value[4:], mask, strict=False))
    return value[:2] + port + host


def encode_error_code(error: ErrorCode) -> bytes:
    """Return the value of ERROR-CODE (RFC 8489 section 14.8)."""
    return (
        struct.pack("!HBB", 0, error.code // 100, error.code % 100)
        + error.reason.encode()[:_MAX_REASON_BYTES]
    )


def decode_error_code(value: bytes) -> ErrorCode:
    if len(value) < 4:
        raise ProtocolError(f"an ERROR-CODE of {len(value)} bytes")
    error_class = value[2] & 7
    if not 3 <= error_class <= 6 or value[3] > 99:
        raise ProtocolError(f"an ERROR-CODE of class {error_class} and number {value[3]}")
    return ErrorCode(error_class * 100 + value[3], value[4:].decode(errors="replace"))


def encode_unknown_attributes(types: tuple[int, ...]) -> bytes:
    """Return the value of UNKNOWN-ATTRIBUTES (RFC 8489 section 14.13)."""
    return struct.pack(f"!{len(types)}H", *types)


def decode_unknown_attributes(value: bytes) -> tuple[int, ...]:
    if len(value) % 2:
        raise ProtocolError(f"UNKNOWN-ATTRIBUTES of {len(value)} bytes")
    return struct.unpack(f"!{len(value) // 2}H", value)


_PASSWORD_ALGORITHM = struct.Struct("!HH")


def encode_password_algorithm(algorithm: int) -> bytes:
    """Return the value of PASSWORD-ALGORITHM for an algorithm without parameters (RFC 8489 section 14.12)."""
    return _PASSWORD_ALGORITHM.pack(algorithm, 0)


def decode_password_algorithms(value: bytes) -> tuple[int, ...]:
    """Return the algorithms of PASSWORD-ALGORITHMS in their order (RFC 8489 section 14.11)."""
    algorithms: list[int] = []
    position = 0
    while position < len(value):
        if position + 4 > len(value):
            raise ProtocolError(f"PASSWORD-ALGORITHMS of {len(value)} bytes")
        algorithm, length = _PASSWORD_ALGORITHM.unpack_from(value, position)
        position += 4 + ((length + 3) & ~3)
        if position > len(value):
            raise ProtocolError(f"parameters of password algorithm {algorithm} exceed PASSWORD-ALGORITHMS")
        algorithms.append(algorithm)
    return tuple(algorithms)


def decode_integer(value: bytes, length: int) -> int:
    """Decode an unsigned integer of exactly ``length`` bytes."""
    if len(value) != length:
        raise ProtocolError(f"an attribute of {len(value)} bytes instead of {length}")
    return int.from_bytes(value, "big")


def decode_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"a text attribute is not UTF-8: {error}") from None
