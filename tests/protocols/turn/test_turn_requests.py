"""The attributes of each request (RFC 8656 sections 7.1, 8.1, 10.1 and 12.1)."""

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.turn import AddressFamily, TurnAttribute, TurnMethod
from trio_rtc.protocols.turn.requests import (
    AllocateRequest,
    ChannelRequest,
    PermissionRequest,
    RefreshRequest,
)

ID = bytes(12)


def test_allocate_requests_udp_and_a_family_only_if_it_is_set() -> None:
    request = AllocateRequest(None)
    assert request.method == TurnMethod.ALLOCATE
    assert [each.type for each in request.make_attributes(ID)] == [TurnAttribute.REQUESTED_TRANSPORT]
    with_family = AllocateRequest(AddressFamily.IPV6).make_attributes(ID)
    assert with_family[-1] == (TurnAttribute.REQUESTED_ADDRESS_FAMILY, b"\x02\x00\x00\x00")


def test_a_refresh_has_lifetime_zero_only_to_release() -> None:
    assert RefreshRequest(None).make_attributes(ID) == ()
    assert RefreshRequest(None, releases=True).make_attributes(ID) == ((TurnAttribute.LIFETIME, bytes(4)),)
    assert [each.type for each in RefreshRequest(AddressFamily.IPV6, releases=True).make_attributes(ID)] == [
        TurnAttribute.LIFETIME,
        TurnAttribute.REQUESTED_ADDRESS_FAMILY,
    ]


def test_a_permission_request_has_an_address_for_each_host() -> None:
    attributes = PermissionRequest(("192.0.2.1", "2001:db8::1")).make_attributes(ID)
    assert [each.type for each in attributes] == [TurnAttribute.XOR_PEER_ADDRESS] * 2


def test_a_channel_request_has_number_and_peer() -> None:
    attributes = ChannelRequest(0x4005, Address("192.0.2.1", 5000)).make_attributes(ID)
    assert attributes[0] == (TurnAttribute.CHANNEL_NUMBER, b"\x40\x05\x00\x00")
    assert attributes[1].type == TurnAttribute.XOR_PEER_ADDRESS
