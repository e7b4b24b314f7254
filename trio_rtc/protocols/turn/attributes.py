"""TURN methods and attributes (RFC 8656 sections 17 and 18), and the codec of their values."""

import struct
from enum import IntEnum

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import COMPREHENDED, Message, StunAttribute
from trio_rtc.protocols.stun.attributes import decode_address, decode_integer, encode_address, xor_address

_UDP = 17  # protocol number
_CHANNEL = struct.Struct("!HH")


class TurnMethod(IntEnum):
    """STUN methods of TURN."""

    ALLOCATE = 3
    REFRESH = 4
    SEND = 6
    DATA = 7
    CREATE_PERMISSION = 8
    CHANNEL_BIND = 9


class TurnAttribute(IntEnum):
    """STUN attributes of TURN."""

    CHANNEL_NUMBER = 0x000C
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_ADDRESS_FAMILY = 0x0017
    EVEN_PORT = 0x0018
    REQUESTED_TRANSPORT = 0x0019
    DONT_FRAGMENT = 0x001A
    RESERVATION_TOKEN = 0x0022
    ADDITIONAL_ADDRESS_FAMILY = 0x8000
    ADDRESS_ERROR_CODE = 0x8001
    ICMP = 0x8004


class AddressFamily(IntEnum):
    """Address family of a relayed transport address (RFC 8656 section 18.6)."""

    IPV4 = 1
    IPV6 = 2


COMPREHENDED_BY_TURN: frozenset[int] = COMPREHENDED | frozenset(TurnAttribute)


def requested_transport() -> StunAttribute:
    """Return REQUESTED-TRANSPORT for UDP between the server and the peers."""
    return StunAttribute(TurnAttribute.REQUESTED_TRANSPORT, bytes([_UDP, 0, 0, 0]))


def requested_address_family(family: AddressFamily) -> StunAttribute:
    return StunAttribute(TurnAttribute.REQUESTED_ADDRESS_FAMILY, bytes([family, 0, 0, 0]))


def lifetime_attribute(seconds: int) -> StunAttribute:
    return StunAttribute(TurnAttribute.LIFETIME, seconds.to_bytes(4, "big"))


def channel_number_attribute(number: int) -> StunAttribute:
    return StunAttribute(TurnAttribute.CHANNEL_NUMBER, _CHANNEL.pack(number, 0))


def peer_address_attribute(peer: Address, transaction_id: bytes) -> StunAttribute:
    """Return XOR-PEER-ADDRESS for a message with this transaction ID."""
    return StunAttribute(TurnAttribute.XOR_PEER_ADDRESS, xor_address(encode_address(peer), transaction_id))


def lifetime(message: Message) -> int | None:
    """Return LIFETIME in seconds, ``None`` if there is none.

    Raises:
        ProtocolError: The value has another length than four bytes.
    """
    value = message.find(TurnAttribute.LIFETIME)
    return None if value is None else decode_integer(value, 4)


def relayed_address(message: Message) -> Address:
    """Return XOR-RELAYED-ADDRESS.

    Raises:
        ProtocolError: There is none, or it is malformed.
    """
    return _xored_address(message, TurnAttribute.XOR_RELAYED_ADDRESS)


def peer_address(message: Message) -> Address:
    """Return XOR-PEER-ADDRESS.

    Raises:
        ProtocolError: There is none, or it is malformed.
    """
    return _xored_address(message, TurnAttribute.XOR_PEER_ADDRESS)


def _xored_address(message: Message, attribute: TurnAttribute) -> Address:
    value = message.find(attribute)
    if value is None:
        raise ProtocolError(f"a TURN message without {attribute.name.replace('_', '-')}")
    return decode_address(xor_address(value, message.transaction_id))
