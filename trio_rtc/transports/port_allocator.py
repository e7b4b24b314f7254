"""Gathering: which addresses of this host to use, the sockets on them, and the ICE servers' addresses."""

import ipaddress
import logging
from collections.abc import Collection, Iterable, Sequence

import attrs
import trio

from .ice import IceTransport
from .network import DatagramSocket, InterfaceAddress, Network
from .server_url import IceServerUrl
from .settings import Settings
from .udp import UdpTransport

logger = logging.getLogger("trio_rtc.ice")

_SERVER_UNREACHABLE = 701
"""W3C's code of icecandidateerror for a server that could not be reached (webrtc section 4.8.3)."""

_HIGHEST_PREFERENCE = 65535


def usable_addresses(addresses: Iterable[InterfaceAddress]) -> list[InterfaceAddress]:
    """Choose the addresses that candidates are made of.

    Unspecified, multicast and link-local addresses are left out, as browsers do. Loopback addresses are used
    only where there is nothing else, so that two programs on a host without a network still meet.
    """
    usable: list[InterfaceAddress] = []
    loopback: list[InterfaceAddress] = []
    for address in dict.fromkeys(addresses):
        ip = ipaddress.ip_address(address.host)
        if ip.is_loopback:
            loopback.append(address)
        elif not (ip.is_unspecified or ip.is_multicast or ip.is_link_local):
            usable.append(address)
    return usable or loopback


def with_preferences(
    addresses: Sequence[InterfaceAddress], taken: Collection[int] = ()
) -> list[tuple[InterfaceAddress, int]]:
    """Give each address its local preference, IPv6 before IPv4 (RFC 8445 section 5.1.2.2, RFC 8421).

    Args:
        addresses: The addresses.
        taken: The preferences that other addresses have already; they are unique.
    """
    ordered = sorted(addresses, key=lambda address: not address.is_ipv6)
    free = (number for number in range(_HIGHEST_PREFERENCE, -1, -1) if number not in taken)
    return list(zip(ordered, free, strict=False))


@attrs.frozen
class _Opened:
    """A socket of ours, and the preference of its address."""

    datagram_socket: DatagramSocket
    preference: int


class PortAllocator:
    """Opens the sockets of one ICE transport and tells the agent of them and of the STUN servers.

    It may be run again, for the next ICE generation: then the host may have other addresses than before.
    """

    def __init__(self, ice: IceTransport, network: Network, settings: Settings) -> None:
        self._ice = ice
        self._network = network
        self._settings = settings
        self._opened: dict[InterfaceAddress, _Opened] = {}
        self._opening = trio.Lock()
        self._running = 0
        self._closed = False

    def drop_lost_addresses(self) -> None:
        """Close the sockets on addresses that this host does not have any more, and tell the agent."""
        present = set(self._choose_interfaces())
        for interface in [each for each in self._opened if each not in present]:
            datagram_socket = self._opened.pop(interface).datagram_socket
            self._ice.agent.remove_local_address(datagram_socket.local_address, trio.current_time())
            datagram_socket.close()
            self._ice.remove_socket(datagram_socket)

    def close_sockets(self) -> None:
        """Close all sockets, also those that are being opened."""
        self._closed = True
        for opened in self._opened.values():
            opened.datagram_socket.close()
            self._ice.remove_socket(opened.datagram_socket)
        self._opened.clear()

    async def run(self, nursery: trio.Nursery, servers: Sequence[IceServerUrl]) -> None:
        """Gather: returns when the agent has been told of everything. Sockets live on in ``nursery``."""
        self._running += 1
        async with self._opening:
            await self._open_sockets(nursery)
        await self._ice.flush()
        async with trio.open_nursery() as lookups:
            for server in servers:
                lookups.start_soon(self._add_server, server)
        self._running -= 1
        if not self._running:
            self._ice.agent.local_addresses_complete(trio.current_time())
            await self._ice.flush()

    async def _open_sockets(self, nursery: trio.Nursery) -> None:
        new = [interface for interface in self._choose_interfaces() if interface not in self._opened]
        taken = {opened.preference for opened in self._opened.values()}
        for interface, preference in with_preferences(new, taken):
            datagram_socket = await self._bind(interface)
            if datagram_socket is None:
                continue
            if self._closed:
                datagram_socket.close()
                break
            self._opened[interface] = _Opened(datagram_socket, preference)
            self._ice.add_socket(datagram_socket)
            nursery.start_soon(UdpTransport(datagram_socket, self._ice.receive_packets).run)
            self._ice.agent.add_local_address(
                datagram_socket.local_address, local_preference=preference, now=trio.current_time()
            )

    def _choose_interfaces(self) -> list[InterfaceAddress]:
        addresses = self._network.interface_addresses()
        interface_filter = self._settings.interface_filter
        if interface_filter is not None:
            return [address for address in addresses if interface_filter(address)]
        return usable_addresses(addresses)

    async def _bind(self, interface: InterfaceAddress) -> DatagramSocket | None:
        first, last = self._settings.port_range or (0, 0)
        reason: OSError | None = None
        for port in range(first, last + 1):
            try:
                return await self._network.bind_udp(interface, port)
            except OSError as error:
                reason = error
        logger.warning("no UDP socket on %s: %s", interface.host, reason)
        return None

    async def _add_server(self, server: IceServerUrl) -> None:
        agent = self._ice.agent
        if server.scheme != "stun":
            reason = f"{server.scheme}: servers are not supported in this version"
            agent.stun_server_failed(server.url, _SERVER_UNREACHABLE, reason, trio.current_time())
            await self._ice.flush()
            return
        try:
            addresses = await self._network.resolve(server.host, server.port)
        except OSError as error:
            reason = f"the name does not resolve: {error}"
            agent.stun_server_failed(server.url, _SERVER_UNREACHABLE, reason, trio.current_time())
        else:
            for address in addresses:
                agent.add_stun_server(server.url, address, trio.current_time())
        await self._ice.flush()
