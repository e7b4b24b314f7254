"""The sockets of an ICE transport: UDP sockets on the interfaces of this host, and allocations on TURN servers.

Named after libwebrtc's ``PortAllocator``. The agent decides which candidates are made from the sockets
(:mod:`trio_rtc.protocols.ice.candidate_sources`); here they are opened, and the names of servers are resolved.
"""

import ipaddress
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

import trio

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCIceCandidateType
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import IceServer

from .ice import IceTransport
from .network import DatagramSocket, InterfaceAddress, Network
from .settings import Settings
from .udp import UdpTransport

logger = logging.getLogger("trio_rtc.ice")

_SERVER_UNREACHABLE = 701
"""W3C's icecandidateerror code for a server that cannot be reached (webrtc section 4.8.3)."""

_HIGHEST_PREFERENCE = 65535


@attrs.frozen
class RelayedSocket:
    """An allocation on a TURN server.

    Attributes:
        datagram_socket: Sends and receives through the allocation. Its local address is the relayed transport address.
        mapped_address: Our address as the server sees it.
    """

    datagram_socket: DatagramSocket
    mapped_address: Address


class RelayClient(Protocol):
    """Allocates relayed sockets. A Protocol until there is a TURN client (RFC 8656): now only tests have one."""

    async def allocate(
        self, server: IceServer, address: Address, interface: InterfaceAddress
    ) -> RelayedSocket:
        """Create an allocation.

        Args:
            server: A TURN server with its credentials.
            address: One of its numeric addresses.
            interface: Local address from which to reach the server.

        Raises:
            OSError: The server is unreachable, or refuses the allocation.
        """


def usable_addresses(addresses: Iterable[InterfaceAddress]) -> list[InterfaceAddress]:
    """Return the addresses from which candidates are gathered.

    Unspecified, multicast and link-local addresses are excluded, as in browsers. Loopback addresses are used
    only if there are no others, so that two programs on a host without a network can connect.
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
    """Assign unique local preferences, IPv6 before IPv4 (RFC 8445 section 5.1.2.2, RFC 8421).

    Args:
        addresses: The addresses.
        taken: Preferences already in use.
    """
    ordered = sorted(addresses, key=lambda address: not address.is_ipv6)
    return list(zip(ordered, _free_preferences(taken), strict=False))


def _free_preferences(taken: Collection[int]) -> Iterator[int]:
    return (number for number in range(_HIGHEST_PREFERENCE, -1, -1) if number not in taken)


@attrs.frozen
class _OpenSocket:
    """An open socket and its local preference."""

    datagram_socket: DatagramSocket
    preference: int


_Relay = tuple[InterfaceAddress, str, Address]
"""Interface, URL and server address of an allocation."""


class PortAllocator:
    """Opens the sockets of one ICE transport and adds them, and the servers, to the agent.

    It runs again for each ICE generation, since the addresses of the host may have changed.

    Args:
        ice: The ICE transport.
        network: Network of this host.
        settings: Interfaces and ports to use.
        relay_client: Allocates relayed sockets; ``None``: TURN servers are reported as unsupported.
    """

    def __init__(
        self,
        ice: IceTransport,
        network: Network,
        settings: Settings,
        relay_client: RelayClient | None = None,
    ) -> None:
        self._ice = ice
        self._network = network
        self._settings = settings
        self._relay_client = relay_client
        self._host_sockets: dict[InterfaceAddress, _OpenSocket] = {}
        self._relayed_sockets: dict[_Relay, _OpenSocket] = {}
        self._opening = trio.Lock()
        self._running = 0
        self._closed = False

    def close_lost_addresses(self) -> None:
        """Close the sockets on addresses that this host no longer has, and remove them from the agent."""
        present = set(self._choose_interfaces())
        for interface in [each for each in self._host_sockets if each not in present]:
            self._remove(self._host_sockets.pop(interface))
        for relay in [each for each in self._relayed_sockets if each[0] not in present]:
            self._remove(self._relayed_sockets.pop(relay))

    def close_sockets(self) -> None:
        """Close all sockets, including those that are being opened."""
        self._closed = True
        # Relayed sockets first: they may release their allocation through the host's network.
        for opened in (*self._relayed_sockets.values(), *self._host_sockets.values()):
            opened.datagram_socket.close()
            self._ice.remove_socket(opened.datagram_socket)
        self._relayed_sockets.clear()
        self._host_sockets.clear()

    async def run(self, nursery: trio.Nursery, servers: Sequence[IceServer]) -> None:
        """Gather; return when all sockets and servers have been added to the agent. Sockets run in ``nursery``."""
        self._running += 1
        if self._ice.agent.gathers(RTCIceCandidateType.HOST):
            async with self._opening:
                await self._open_host_sockets(nursery)
            await self._ice.flush()
        async with trio.open_nursery() as lookups:
            for server in servers:
                lookups.start_soon(self._add_server, server, nursery)
        self._running -= 1
        if not self._running:
            self._ice.agent.local_addresses_complete(trio.current_time())
            await self._ice.flush()

    # -- sockets ---------------------------------------------------------------------------------------------

    async def _open_host_sockets(self, nursery: trio.Nursery) -> None:
        new = [interface for interface in self._choose_interfaces() if interface not in self._host_sockets]
        for interface, preference in with_preferences(new, self._taken_preferences()):
            datagram_socket = await self._bind(interface)
            if datagram_socket is None:
                continue
            if self._closed:
                datagram_socket.close()
                break
            self._host_sockets[interface] = _OpenSocket(datagram_socket, preference)
            self._start(datagram_socket, nursery)
            self._ice.agent.add_local_address(
                datagram_socket.local_address, local_preference=preference, now=trio.current_time()
            )

    def _start(self, datagram_socket: DatagramSocket, nursery: trio.Nursery) -> None:
        self._ice.add_socket(datagram_socket)
        nursery.start_soon(UdpTransport(datagram_socket, self._ice.receive_packets).run)

    def _remove(self, opened: _OpenSocket) -> None:
        datagram_socket = opened.datagram_socket
        self._ice.agent.remove_local_address(datagram_socket.local_address, trio.current_time())
        datagram_socket.close()
        self._ice.remove_socket(datagram_socket)

    def _taken_preferences(self) -> set[int]:
        return {each.preference for each in (*self._host_sockets.values(), *self._relayed_sockets.values())}

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
        logger.warning("cannot bind a UDP socket on %s: %s", interface.host, reason)
        return None

    # -- servers ---------------------------------------------------------------------------------------------

    async def _add_server(self, server: IceServer, nursery: trio.Nursery) -> None:
        kind = RTCIceCandidateType.RELAY if server.is_turn else RTCIceCandidateType.SRFLX
        if not self._ice.agent.gathers(kind):
            return
        if server.scheme != "stun" and not (server.is_turn and self._relay_client is not None):
            await self._report_failure(server, f"{server.scheme}: servers are not supported in this version")
            return
        try:
            addresses = await self._network.resolve(server.host, server.port)
        except OSError as error:
            await self._report_failure(server, f"host name {server.host} does not resolve: {error}")
            return
        if server.is_turn:
            await self._allocate(server, addresses, nursery)
            return
        for address in addresses:
            self._ice.agent.add_stun_server(server, address, trio.current_time())
        await self._ice.flush()

    async def _allocate(self, server: IceServer, addresses: Sequence[Address], nursery: trio.Nursery) -> None:
        """Allocate on a TURN server from every interface of the address family of one of its addresses."""
        failures: list[OSError] = []
        async with trio.open_nursery() as allocations:
            for interface in self._choose_interfaces():
                same_family = [each for each in addresses if (":" in each.host) is interface.is_ipv6]
                if same_family:
                    relay = (interface, server.url, same_family[0])
                    allocations.start_soon(self._open_relayed_socket, relay, server, nursery, failures)
        if not any(url == server.url for _, url, _ in self._relayed_sockets):
            reason = failures[0] if failures else "it is not reachable from any address"
            await self._report_failure(server, f"no allocation on the TURN server: {reason}")

    async def _open_relayed_socket(
        self, relay: _Relay, server: IceServer, nursery: trio.Nursery, failures: list[OSError]
    ) -> None:
        interface, _, address = relay
        if relay in self._relayed_sockets:
            return
        assert self._relay_client is not None
        try:
            relayed = await self._relay_client.allocate(server, address, interface)
        except OSError as error:
            logger.info("no allocation on %s from %s: %s", server.url, interface.host, error)
            failures.append(error)
            return
        preference = next(_free_preferences(self._taken_preferences()), None)
        if self._closed or preference is None or relay in self._relayed_sockets:
            relayed.datagram_socket.close()
            return
        self._relayed_sockets[relay] = _OpenSocket(relayed.datagram_socket, preference)
        self._start(relayed.datagram_socket, nursery)
        self._ice.agent.add_relayed_address(
            relayed.datagram_socket.local_address,
            server=server,
            mapped_address=relayed.mapped_address,
            local_preference=preference,
            now=trio.current_time(),
        )
        await self._ice.flush()

    async def _report_failure(self, server: IceServer, reason: str) -> None:
        self._ice.agent.server_failed(server, _SERVER_UNREACHABLE, reason, trio.current_time())
        await self._ice.flush()
