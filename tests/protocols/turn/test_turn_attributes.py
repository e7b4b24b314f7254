"""Attributes of TURN (RFC 8656 section 18)."""

import pytest

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import Message, MessageClass, StunAttribute
from trio_rtc.protocols.turn import AddressFamily, TurnAttribute, TurnMethod
from trio_rtc.protocols.turn.attributes import (
    channel_number_attribute,
    lifetime,
    lifetime_attribute,
    peer_address,
    peer_address_attribute,
    relayed_address,
    requested_address_family,
    requested_transport,
)

ID = bytes(range(12))


def message(*attributes: StunAttribute) -> Message:
    return Message(TurnMethod.ALLOCATE, MessageClass.SUCCESS_RESPONSE, ID, attributes)


def test_encoded_values() -> None:
    assert requested_transport() == (0x0019, bytes.fromhex("11000000"))
    assert requested_address_family(AddressFamily.IPV6) == (0x0017, bytes.fromhex("02000000"))
    assert lifetime_attribute(600) == (0x000D, bytes.fromhex("00000258"))
    assert channel_number_attribute(0x4001) == (0x000C, bytes.fromhex("40010000"))


@pytest.mark.parametrize(
    "peer", [Address("192.0.2.1", 32853), Address("2001:db8:1234:5678:11:2233:4455:6677", 1)]
)
def test_addresses_are_xored_with_the_transaction_id(peer: Address) -> None:
    attribute = peer_address_attribute(peer, ID)
    assert peer_address(message(attribute)) == peer
    assert relayed_address(message(StunAttribute(TurnAttribute.XOR_RELAYED_ADDRESS, attribute.value))) == peer
    assert attribute.value[4:8] != bytes(map(int, peer.host.split("."))) if "." in peer.host else True


def test_lifetime() -> None:
    assert lifetime(message()) is None
    assert lifetime(message(lifetime_attribute(2**32 - 1))) == 2**32 - 1
    with pytest.raises(ProtocolError):
        lifetime(message(StunAttribute(TurnAttribute.LIFETIME, b"\x00")))


def test_a_missing_or_malformed_address_names_the_attribute() -> None:
    with pytest.raises(ProtocolError, match="XOR-RELAYED-ADDRESS"):
        relayed_address(message())
    with pytest.raises(ProtocolError, match="XOR-PEER-ADDRESS"):
        peer_address(message())
    with pytest.raises(ProtocolError):
        peer_address(message(StunAttribute(TurnAttribute.XOR_PEER_ADDRESS, b"\x00\x07\x00\x00")))


def test_numbers_of_the_specification() -> None:
    assert {each.name: each.value for each in TurnMethod} == {
        "ALLOCATE": 3,
        "REFRESH": 4,
        "SEND": 6,
        "DATA": 7,
        "CREATE_PERMISSION": 8,
        "CHANNEL_BIND": 9,
    }
    assert {each.name: each.value for each in TurnAttribute} == {
        "CHANNEL_NUMBER": 0x000C,
        "LIFETIME": 0x000D,
        "XOR_PEER_ADDRESS": 0x0012,
        "DATA": 0x0013,
        "XOR_RELAYED_ADDRESS": 0x0016,
        "REQUESTED_ADDRESS_FAMILY": 0x0017,
        "EVEN_PORT": 0x0018,
        "REQUESTED_TRANSPORT": 0x0019,
        "DONT_FRAGMENT": 0x001A,
        "RESERVATION_TOKEN": 0x0022,
        "ADDITIONAL_ADDRESS_FAMILY": 0x8000,
        "ADDRESS_ERROR_CODE": 0x8001,
        "ICMP": 0x8004,
    }
