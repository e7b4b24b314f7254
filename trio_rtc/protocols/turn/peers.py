"""The peers of an allocation: permissions for their addresses, and channels to their transport addresses.

A permission is for an address (RFC 8656 section 9). It is *requested* with the first packet to it, which waits, with
those that follow, until the server has *installed* it; the server may *refuse* it, and then packets are dropped for
some time. A permission is refreshed as long as packets are sent to its address.

A channel is for a transport address (section 12), and saves 32 bytes a packet. One is bound with the first packet that
is not a connectivity check, since most pairs are only checked. Until the server has confirmed it, packets are sent in
Send indications. Channel numbers are used once: after 4,096 of them, packets are sent in Send indications.
"""

import math
from collections.abc import Collection, Iterator

from trio_rtc import _attrs as attrs
from trio_rtc.protocols._contract import Address

from .channel_data import FIRST_CHANNEL, LAST_CHANNEL
from .options import TurnOptions

CHANNEL_LIFETIME = 600.0  # RFC 8656 section 12


@attrs.define
class RequestedPermission:
    """A permission that the server has not confirmed, and the packets that wait for it."""

    queue: list[tuple[Address, bytes]] = attrs.Factory(list)


@attrs.define
class InstalledPermission:
    """A confirmed permission.

    Attributes:
        refresh_at: Time of the next refresh, or of the removal if no packet was sent since the last one.
        used: Whether a packet was sent since the last refresh.
    """

    refresh_at: float
    used: bool = True


@attrs.frozen
class RefusedPermission:
    """A permission that the server has refused; packets are dropped until then."""

    until: float


Permission = RequestedPermission | InstalledPermission | RefusedPermission


@attrs.define
class Channel:
    """A channel.

    Attributes:
        bound: Whether the server has confirmed it.
        refresh_at: Time of the next refresh, or of the removal if no packet was sent since the last one.
        used: Whether a packet was sent since the last refresh.
    """

    number: int
    peer: Address
    bound: bool = False
    refresh_at: float = math.inf
    used: bool = True


class PermissionTable:
    """Permissions by address, at most ``max_permissions``: refused ones give way, further ones are not created."""

    def __init__(self, options: TurnOptions) -> None:
        self._options = options
        self._permissions: dict[str, Permission] = {}

    def find(self, host: str, now: float) -> Permission | None:
        """Return the permission for an address; ``None`` if it must be requested."""
        permission = self._permissions.get(host)
        if isinstance(permission, RefusedPermission) and now >= permission.until:
            return None
        return permission

    def is_installed(self, host: str) -> bool:
        """Return whether the server has confirmed the permission for an address."""
        return isinstance(self._permissions.get(host), InstalledPermission)

    def add(self, host: str) -> RequestedPermission | None:
        """Add a requested permission; ``None`` if the table is full."""
        if host not in self._permissions and len(self._permissions) >= self._options.max_permissions:
            refused = (key for key, each in self._permissions.items() if isinstance(each, RefusedPermission))
            oldest = next(refused, None)
            if oldest is None:
                return None
            del self._permissions[oldest]
        permission = self._permissions[host] = RequestedPermission()
        return permission

    def install(self, host: str, now: float) -> list[tuple[Address, bytes]]:
        """Mark a permission as installed, and return the packets that waited for it."""
        before = self._permissions.get(host)
        if not isinstance(before, RequestedPermission):
            return []
        self._permissions[host] = InstalledPermission(now + self._options.permission_refresh)
        return before.queue

    def retry(self, host: str, refresh_at: float) -> None:
        """Set the time of the next refresh of an installed permission."""
        permission = self._permissions.get(host)
        if isinstance(permission, InstalledPermission):
            permission.refresh_at, permission.used = refresh_at, True

    def refuse(self, host: str, now: float) -> int:
        """Mark a permission as refused, and return the number of packets that waited for it."""
        before = self._permissions.get(host)
        self._permissions[host] = RefusedPermission(now + self._options.refusal_time)
        return len(before.queue) if isinstance(before, RequestedPermission) else 0

    def pop_due(self, now: float, used_hosts: Collection[str]) -> tuple[str, ...]:
        """Return the addresses whose permission must be refreshed now; unused ones are removed.

        Args:
            now: Monotonic seconds.
            used_hosts: Addresses to which packets were sent on channels.
        """
        due: list[str] = []
        for host, permission in list(self._permissions.items()):
            if not isinstance(permission, InstalledPermission) or now < permission.refresh_at:
                continue
            if permission.used or host in used_hosts:
                permission.used = False
                permission.refresh_at = now + self._options.permission_refresh
                due.append(host)
            else:
                del self._permissions[host]
        return tuple(due)

    def next_refresh(self) -> float:
        installed = (each for each in self._permissions.values() if isinstance(each, InstalledPermission))
        return min((each.refresh_at for each in installed), default=math.inf)


class ChannelTable:
    """Channels by transport address and by number, at most ``max_channels``."""

    def __init__(self, options: TurnOptions) -> None:
        self._options = options
        self._lifetime = CHANNEL_LIFETIME - min(options.refresh_margin, CHANNEL_LIFETIME / 2)
        self._by_peer: dict[Address, Channel] = {}
        self._by_number: dict[int, Channel] = {}
        self._unused_numbers: Iterator[int] = iter(range(FIRST_CHANNEL, LAST_CHANNEL + 1))

    def find(self, peer: Address) -> Channel | None:
        return self._by_peer.get(peer)

    def find_peer(self, number: int) -> Address | None:
        channel = self._by_number.get(number)
        return None if channel is None else channel.peer

    def add(self, peer: Address) -> Channel | None:
        """Add a channel that is not bound yet; ``None`` if there are too many."""
        if len(self._by_peer) >= self._options.max_channels:
            return None
        number = next(self._unused_numbers, None)
        if number is None:
            return None
        channel = self._by_peer[peer] = self._by_number[number] = Channel(number, peer)
        return channel

    def bind(self, number: int, now: float) -> None:
        """Mark a channel as bound, or its refresh as confirmed."""
        channel = self._by_number.get(number)
        if channel is not None:
            channel.bound = True
            channel.refresh_at = now + self._lifetime

    def fail(self, number: int, now: float) -> None:
        """Stop using a channel that the server has refused; it is tried again after its lifetime."""
        channel = self._by_number.get(number)
        if channel is not None:
            channel.bound = channel.used = False
            channel.refresh_at = now + self._lifetime

    def used_hosts(self) -> Collection[str]:
        """Return the addresses to which packets were sent on channels."""
        return {channel.peer.host for channel in self._by_peer.values() if channel.used}

    def pop_due(self, now: float) -> list[Channel]:
        """Return the channels that must be refreshed now; unused ones are removed."""
        due: list[Channel] = []
        for channel in list(self._by_peer.values()):
            if now < channel.refresh_at:
                continue
            if channel.used:
                channel.used = False
                channel.refresh_at = math.inf
                due.append(channel)
            else:
                del self._by_peer[channel.peer], self._by_number[channel.number]
        return due

    def next_refresh(self) -> float:
        return min((each.refresh_at for each in self._by_peer.values()), default=math.inf)
