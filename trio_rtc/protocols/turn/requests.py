"""The requests of a TURN client, from which a message is made for each attempt.

An attempt has a transaction ID of its own, and XOR-PEER-ADDRESS depends on it.
"""

from collections.abc import Sequence

from trio_rtc import _attrs as attrs
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import StunAttribute

from .attributes import (
    AddressFamily,
    TurnMethod,
    channel_number_attribute,
    lifetime_attribute,
    peer_address_attribute,
    requested_address_family,
    requested_transport,
)


@attrs.frozen
class AllocateRequest:
    """Allocate (RFC 8656 section 7.1).

    Attributes:
        family: Requested address family; ``None`` leaves the attribute out, which means IPv4.
    """

    family: AddressFamily | None
    method = TurnMethod.ALLOCATE

    def make_attributes(self, transaction_id: bytes) -> Sequence[StunAttribute]:
        family = () if self.family is None else (requested_address_family(self.family),)
        return requested_transport(), *family


@attrs.frozen
class RefreshRequest:
    """Refresh of the allocation (RFC 8656 section 8.1).

    Attributes:
        family: Address family of the allocation, if it was requested.
    """

    family: AddressFamily | None
    releases: bool = False
    method = TurnMethod.REFRESH

    def make_attributes(self, transaction_id: bytes) -> Sequence[StunAttribute]:
        family = () if self.family is None else (requested_address_family(self.family),)
        return (*((lifetime_attribute(0),) if self.releases else ()), *family)


@attrs.frozen
class PermissionRequest:
    """CreatePermission for some addresses (RFC 8656 section 10.1)."""

    hosts: tuple[str, ...]
    method = TurnMethod.CREATE_PERMISSION

    def make_attributes(self, transaction_id: bytes) -> Sequence[StunAttribute]:
        """Return the attributes of one attempt. The port is ignored by the server."""
        return [peer_address_attribute(Address(host, 0), transaction_id) for host in self.hosts]


@attrs.frozen
class ChannelRequest:
    """ChannelBind (RFC 8656 section 12.1)."""

    number: int
    peer: Address
    method = TurnMethod.CHANNEL_BIND

    def make_attributes(self, transaction_id: bytes) -> Sequence[StunAttribute]:
        """Return the attributes of one attempt."""
        return channel_number_attribute(self.number), peer_address_attribute(self.peer, transaction_id)


Request = AllocateRequest | RefreshRequest | PermissionRequest | ChannelRequest
