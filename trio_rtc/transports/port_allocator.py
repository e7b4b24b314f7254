"""The sockets of an ICE transport: UDP sockets on the interfaces of this host, and allocations on TURN servers.

Named after libwebrtc's ``PortAllocator``. The agent decides which candidates are made from the sockets
(:mod:`trio_rtc.protocols.ice.candidate_sources`); here they are opened, and the names of servers are resolved.
"""

import contextlib
import ipaddress
import logging
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

import trio

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCIceCandidateType
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import IceServer
from trio_rtc.protocols.ice.destinations import refuse_destination

from .ice import IceTransport
from .network import BindSocket, DatagramSocket, InterfaceAddress, Network
from .settings import Settings
from .turn import AllocationError
from .udp import UdpTransport, usable_addresses

logger = logging.getLogger("trio_rtc.ice")

_HIGHEST_PREFERENCE = 65535


class RelayedDatagramSocket(DatagramSocket, Protocol):
    """The socket of an allocation on a TURN server. Its local address is the relayed transport address.

    The package has one implementer, :class:`trio_rtc.transports.turn.RelayedSocket`; tests have another.
    """

    @property
    def mapped_address(self) -> Address:
        """Our address as the server sees it."""

    async def confirm(self) -> bool:
        """Return whether the server still has the allocation. Another task must be receiving."""


class RelayAllocator(Protocol):
    """Allocates on TURN servers.

    The package has one implementer, :class:`trio_rtc.transports.turn.TurnClient`; tests have another.
    """

    async def allocate(
        self, server: IceServer, address: Address, interface: InterfaceAddress, bind: BindSocket
    ) -> RelayedDatagramSocket:
        """Create an allocation.

        The socket's ``receive_batch`` refreshes the allocation. When it has expired, the client closes the socket, and
        ``receive_batch`` raises ``trio.ClosedResourceError``; its candidate and pairs are then removed.

        Args:
            server: A TURN server with its credentials.
            address: One of its numeric addresses.
            interface: The interface from which to reach the server.
            bind: Binds the socket from which to reach the server.

        Raises:
            OSError: The server cannot be reached at this address.
            AllocationError: The server refuses the allocation.
        """


def _is_of_family(host: str, *, ipv6: bool) -> bool:
    try:
        return ipaddress.ip_address(host).version == (6 if ipv6 else 4)
    except ValueError:
        return False


def with_preferences(
    addresses: Sequence[InterfaceAddress], taken: Collection[int] = ()
) -> list[tuple[InterfaceAddress, int]]:
    """Assign unique local preferences, IPv6 before IPv4 (RFC 8445 section 5.1.2.2, RFC 8421).

    Those ``taken`` are in use already.
    """
    ordered = sorted(addresses, key=lambda address: not address.is_ipv6)
    return list(zip(ordered, _free_preferences(taken), strict=False))


def _free_preferences(taken: Collection[int]) -> Iterator[int]:
    return (number for number in range(_HIGHEST_PREFERENCE, -1, -1) if number not in taken)


SocketT_co = TypeVar("SocketT_co", bound=DatagramSocket, covariant=True)


@attrs.frozen
class _OpenSocket(Generic[SocketT_co]):
    """An open socket and its local preference."""

    datagram_socket: SocketT_co
    preference: int


_Relay = tuple[InterfaceAddress, IceServer]
"""Interface of an allocation, and its server with the credentials."""


class PortAllocator:
    """Opens the sockets of one ICE transport and adds them, and the servers, to the agent.

    It runs again for each ICE generation, since the addresses of the host may have changed.

    Args:
        settings: Interfaces and ports to use.
        relay_allocator: Allocates on TURN servers.
    """

    def __init__(
        self,
        ice: IceTransport,
        network: Network,
        settings: Settings,
        relay_allocator: RelayAllocator,
    ) -> None:
        self._ice = ice
        self._network = network
        self._settings = settings
        self._relay_allocator = relay_allocator
        self._host_sockets: dict[InterfaceAddress, _OpenSocket[DatagramSocket]] = {}
        self._relayed_sockets: dict[_Relay, _OpenSocket[RelayedDatagramSocket]] = {}
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
            self._ice.agent.finish_sources(trio.current_time())
            await self._ice.flush()

    # -- sockets ---------------------------------------------------------------------------------------------

    async def _open_host_sockets(self, nursery: trio.Nursery) -> None:
        new = [interface for interface in self._choose_interfaces() if interface not in self._host_sockets]
        for interface, preference in with_preferences(new, self._taken_preferences()):
            try:
                datagram_socket = await self._bind(interface)
            except OSError as error:
                ports = self._settings.port_range
                of_range = "" if ports is None else " with a port from {} to {} (port_range)".format(*ports)
                logger.warning("cannot bind a UDP socket on %s%s: %s", interface.host, of_range, error)
                continue
            if self._closed:
                datagram_socket.close()
                break
            self._host_sockets[interface] = _OpenSocket(datagram_socket, preference)
            self._start(datagram_socket, nursery)
            self._ice.agent.add_socket(
                datagram_socket.local_address,
                local_preference=preference,
                now=trio.current_time(),
                announced_hosts=self._announced_hosts(interface),
            )

    def _announced_hosts(self, interface: InterfaceAddress) -> Sequence[str]:
        announced_addresses = self._settings.announced_addresses
        hosts = () if announced_addresses is None else announced_addresses(interface)
        usable = [host for host in hosts if _is_of_family(host, ipv6=interface.is_ipv6)]
        if len(usable) < len(hosts):
            logger.warning(
                "announced_addresses returned %s for %s: only numeric addresses of its family are used",
                list(hosts),
                interface.host,
            )
        return usable

    def _start(self, datagram_socket: DatagramSocket, nursery: trio.Nursery) -> None:
        self._ice.add_socket(datagram_socket)
        nursery.start_soon(self._receive_until_closed, datagram_socket)

    async def _receive_until_closed(self, datagram_socket: DatagramSocket) -> None:
        """Receive, and remove a socket that ends by itself: its allocation has expired, or the server is gone."""
        await UdpTransport(datagram_socket, self._ice.receive_packets).run()
        relays = self._relayed_sockets.items()
        relay = next((key for key, opened in relays if opened.datagram_socket is datagram_socket), None)
        if relay is not None:
            logger.info("the allocation on %s from %s has ended", relay[1].url, relay[0].host)
            self._remove(self._relayed_sockets.pop(relay))
            await self._ice.flush()

    def _remove(self, opened: _OpenSocket[DatagramSocket]) -> None:
        datagram_socket = opened.datagram_socket
        self._ice.agent.remove_socket(datagram_socket.local_address, trio.current_time())
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

    async def _bind(self, interface: InterfaceAddress) -> DatagramSocket:
        first, last = self._settings.port_range or (0, 0)
        for port in range(first, last):
            with contextlib.suppress(OSError):
                return await self._network.bind_udp(interface, port)
        return await self._network.bind_udp(interface, last)

    # -- servers ---------------------------------------------------------------------------------------------

    async def _add_server(self, server: IceServer, nursery: trio.Nursery) -> None:
        kind = RTCIceCandidateType.RELAY if server.is_turn else RTCIceCandidateType.SRFLX
        if not self._ice.agent.gathers(kind):
            return
        if server.scheme == "stuns":
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
        reason = "no local address of its address family"
        permitted = []
        for address in addresses:
            refusal = refuse_destination(address)
            if refusal is None:
                permitted.append(address)
            else:
                reason = f"{address.host}:{address.port} is refused: {refusal}"
        failures: list[OSError] = []
        async with trio.open_nursery() as allocations:
            for interface in self._choose_interfaces():
                same_family = [each for each in permitted if (":" in each.host) is interface.is_ipv6]
                if same_family:
                    relay = (interface, server)
                    allocations.start_soon(self._open_relayed_socket, relay, same_family, nursery, failures)
        if not any(known == server for _, known in self._relayed_sockets):
            reason = str(failures[0]) if failures else reason
            await self._report_failure(server, f"no allocation on the TURN server: {reason}")

    async def _open_relayed_socket(
        self, relay: _Relay, addresses: Sequence[Address], nursery: trio.Nursery, failures: list[OSError]
    ) -> None:
        """Allocate on the first of a server's addresses that can be reached."""
        interface, server = relay
        if await self._has_allocation(relay):
            return
        for address in addresses:
            try:
                relayed = await self._relay_allocator.allocate(
                    server, address, interface, partial(self._bind, interface)
                )
            except OSError as error:
                logger.debug("cannot reach %s from %s: %s", server.url, interface.host, error)
                failures.append(error)
            except AllocationError as error:
                logger.warning("%s refused an allocation from %s: %s", server.url, interface.host, error)
                self._ice.agent.report_server_error(
                    server, error.local_address, error.code, error.reason, trio.current_time()
                )
                await self._ice.flush()
                return
            else:
                self._add_relayed_socket(relay, relayed, nursery)
                await self._ice.flush()
                return

    async def _has_allocation(self, relay: _Relay) -> bool:
        """Return whether there is an allocation; one that the server does not confirm is removed.

        It may have been lost without a sign: a server that was restarted drops packets silently.
        """
        opened = self._relayed_sockets.get(relay)
        if opened is None or await opened.datagram_socket.confirm():
            return opened is not None
        if self._relayed_sockets.get(relay) is opened:
            self._remove(self._relayed_sockets.pop(relay))
        return False

    def _add_relayed_socket(
        self, relay: _Relay, datagram_socket: RelayedDatagramSocket, nursery: trio.Nursery
    ) -> None:
        preference = next(_free_preferences(self._taken_preferences()), None)
        if self._closed or preference is None or relay in self._relayed_sockets:
            datagram_socket.close()
            return
        self._relayed_sockets[relay] = _OpenSocket(datagram_socket, preference)
        self._start(datagram_socket, nursery)
        self._ice.agent.add_relayed_socket(
            datagram_socket.local_address,
            server=relay[1],
            mapped_address=datagram_socket.mapped_address,
            local_preference=preference,
            now=trio.current_time(),
        )

    async def _report_failure(self, server: IceServer, reason: str) -> None:
        self._ice.agent.fail_server(server, reason, trio.current_time())
        await self._ice.flush()
