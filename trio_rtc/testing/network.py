"""The simulated network: hosts, NATs, names and links, from one seed."""

import ipaddress
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Self

import trio

from trio_rtc._environment import deterministic_environment, require_trio
from trio_rtc._error_filters import ungrouped_errors
from trio_rtc.protocols._contract import Address, Datagram

from .conditions import NetworkConditions
from .host import RECEIVE_BUFFER, SimulatedHost, SimulatedSocket
from .link import Link
from .nat import Nat, NatKind, Segment
from .packet import Drop, Packet, PacketFilter, Pass, Trace
from .router import Router, canonical
from .stun_server import DEFAULT_PORT, answer_binding_request
from .turn_server import TurnServer, TurnServerOptions


class SimulatedNetwork:
    """Hosts, NATs and the links between them, in memory.

    Each ``SimulatedHost`` is passed to a peer connection as its network. Packets travel while the network runs: in
    ``async with network:``, or as a task started with ``nursery.start(network.run)``. With ``trio_rtc.testing.run``,
    time is virtual, and with the same seed the same packets are sent, lost, delayed and reordered.

    A host reaches every other one in its segment: the outermost one (the internet), or the one behind its NAT. From
    behind a NAT it also reaches the outside.

    Args:
        seed: Source of all randomness on the network; ``None`` uses that of ``trio_rtc.testing.run``, or 0.
        link: The link between hosts for which no other is set.
        trace_limit: Maximum entries of ``trace``.
        granularity: Arrivals are rounded up to a multiple of this many seconds, so that packets arrive in batches as
            from a real network card. 0 gives every packet its exact time, which is slower.

    Attributes:
        trace: The record of events, and counters.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        link: Link | None = None,
        trace_limit: int = 100_000,
        granularity: float = 0.0005,
    ) -> None:
        self.trace = Trace(trace_limit)
        if seed is None:
            environment = deterministic_environment()
            seed = environment.seed if environment else 0
        self._conditions = NetworkConditions(seed, link or Link())
        self._router = Router(self._conditions, self.trace, granularity)
        self._internet = Segment()
        self._nodes: set[str] = set()
        self._hosts: list[SimulatedHost] = []
        self._names: dict[str, tuple[str, ...]] = {}
        self._block: AbstractAsyncContextManager[None]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Route packets until cancelled: the alternative to ``async with`` for callers with their own nursery.

        Raises:
            RuntimeError: The network is already running.
        """
        require_trio("SimulatedNetwork.run")
        _register(self)
        await self._router.run(task_status=task_status)

    @property
    def open_sockets(self) -> Sequence[SimulatedSocket]:
        """The open sockets of all hosts."""
        return [socket for host in self._hosts for socket in host.open_sockets]

    async def __aenter__(self) -> Self:
        require_trio("async with SimulatedNetwork")
        block = self._running()
        await block.__aenter__()
        self._block = block
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._block.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        with ungrouped_errors():
            async with trio.open_nursery() as nursery:
                await nursery.start(self.run)
                try:
                    yield
                finally:
                    # Shielded, so that an outer cancellation does not replace the block's own error.
                    nursery.cancel_scope.shield = True
                    nursery.cancel_scope.cancel()

    def add_host(
        self,
        name: str,
        addresses: Sequence[str] | Mapping[str, Sequence[str]],
        *,
        behind: Nat | None = None,
        receive_buffer: int = RECEIVE_BUFFER,
    ) -> SimulatedHost:
        """Add a host.

        Args:
            name: A unique name.
            addresses: Numeric addresses of the only interface ``eth0``, or of several: ``{"wlan0": [...]}``.
            behind: The NAT in front of the host.
            receive_buffer: Maximum bytes in a socket's receive buffer; further datagrams are dropped.

        Raises:
            ValueError: The name or an address is in use, or an address is not numeric.
        """
        interfaces = addresses if isinstance(addresses, Mapping) else {"eth0": addresses}
        segment = behind.inside if behind else self._internet
        owned = {canonical(address): interface for interface, own in interfaces.items() for address in own}
        segment.require_free(owned)
        self._claim_name(name)
        host = SimulatedHost(name, segment, self._router, self._names, receive_buffer=receive_buffer)
        self._hosts.append(host)
        for address, interface in owned.items():
            host.add_address(interface, address)
        return host

    def add_nat(
        self,
        name: str,
        *,
        kind: NatKind | str,
        public: str,
        behind: Nat | None = None,
        hairpin: bool = False,
        mapping_lifetime: float = 120.0,
        one_to_one: str | None = None,
    ) -> Nat:
        """Add a NAT, for the argument ``behind`` of ``add_host``.

        Args:
            name: A unique name.
            kind: ``"full_cone"``, ``"restricted_cone"``, ``"port_restricted"`` or ``"symmetric"``.
            public: The public IPv4 address.
            behind: The NAT in front of this one, as with a carrier-grade NAT.
            hairpin: Whether hosts behind the NAT reach each other by the public address.
            mapping_lifetime: Seconds until a mapping expires after the last packet from inside.
            one_to_one: Address of the inside host whose ports are the public ones with the same numbers, without
                filtering, as with a 1:1 NAT or published ports; ``None``: none.

        Raises:
            ValueError: The name or the address is in use, or the kind is unknown.
        """
        outside = behind.inside if behind else self._internet
        nat = Nat(
            name=name,
            kind=NatKind(kind),
            public=str(ipaddress.IPv4Address(public)),
            outside=outside,
            inside=Segment(),
            rng=self._conditions.rng(name),
            hairpin=hairpin,
            mapping_lifetime=mapping_lifetime,
            one_to_one=None if one_to_one is None else canonical(one_to_one),
        )
        outside.require_free([nat.public])
        self._claim_name(name)
        nat.inside.gateway = nat
        outside.claim(nat.public, nat)
        return nat

    def add_stun_server(
        self, name: str, addresses: Sequence[str], *, port: int = DEFAULT_PORT, behind: Nat | None = None
    ) -> SimulatedHost:
        """Add a host with a STUN server whose name resolves: ``stun:<name>:<port>``.

        Args:
            name: A unique name.
            addresses: Numeric addresses.
            port: The server's port.
            behind: The NAT in front of the host.

        Raises:
            ValueError: The name or an address is in use, or an address is not numeric.
        """
        host = self.add_host(name, addresses, behind=behind)
        host.add_service(port, answer_binding_request)
        self.add_name(name, *addresses)
        return host

    def add_turn_server(
        self,
        name: str,
        addresses: Sequence[str],
        users: Mapping[str, str],
        *,
        port: int = DEFAULT_PORT,
        options: TurnServerOptions | None = None,
        behind: Nat | None = None,
    ) -> TurnServer:
        """Add a host with a TURN server, which is a STUN server too, and whose name resolves: ``turn:<name>:<port>``.

        Args:
            name: A unique name.
            addresses: Numeric addresses, for clients and for relayed transport addresses.
            users: Passwords by user name.
            port: The server's port.
            options: The server's behavior.
            behind: The NAT in front of the host.

        Returns:
            The server, for its allocations.

        Raises:
            ValueError: The name or an address is in use, or an address is not numeric.
        """
        host = self.add_host(name, addresses, behind=behind)
        server = TurnServer(users, addresses, rng=self._conditions.rng(name), options=options)

        def serve(data: bytes, source: Address, destination: Address) -> list[tuple[bytes, Address]]:
            for datagram in server.receive(Datagram(data, destination, source), trio.current_time()):
                host.send([datagram.data], datagram.local, datagram.remote)
            return []

        server.opened = lambda address: host.add_service(address.port, serve)
        server.closed = lambda address: host.remove_service(address.port)
        host.add_service(port, serve)
        self.add_name(name, *addresses)
        return server

    def add_name(self, name: str, *addresses: str) -> None:
        """Add a name that resolves to addresses on every host.

        Args:
            name: The name, case-insensitive.
            *addresses: Numeric addresses.

        Raises:
            ValueError: An address is not numeric.
        """
        self._names[name.lower().rstrip(".")] = tuple(canonical(address) for address in addresses)

    def set_link(self, source: str, destination: str, link: Link) -> None:
        """Set the link of one direction between two hosts, from now on.

        Args:
            source: Name of the sending host or NAT.
            destination: Name of the receiving host or NAT.
            link: The link.

        Raises:
            ValueError: A name is unknown.
        """
        self._require_names(source, destination)
        self._conditions.set_link(source, destination, link)

    def set_default_link(self, link: Link) -> None:
        """Set the link between all hosts for which no other is set, from now on."""
        self._conditions.set_default_link(link)

    def queueing_delay(self, source: str, destination: str) -> float:
        """Return the queueing delay in seconds of a packet sent now from one host or NAT to another.

        Raises:
            ValueError: A name is unknown.
        """
        self._require_names(source, destination)
        return self._conditions.link_state(source, destination).queueing_delay(trio.current_time())

    def partition(self, first: str, second: str | None = None, *, one_way: bool = False) -> None:
        """Partition two hosts, or one host from all others; packets in flight are lost.

        Args:
            first: Name of a host.
            second: Name of the other; ``None`` is all others.
            one_way: Partition only the direction away from ``first``.

        Raises:
            ValueError: A name is unknown.
        """
        self._require_names(first, *([second] if second else []))
        self._conditions.partition(first, second)
        if not one_way:
            self._conditions.partition(second, first)

    def heal(self, first: str | None = None, second: str | None = None) -> None:
        """Remove the partition between two hosts, of one host from all others, or all partitions.

        Args:
            first: Name of a host; ``None`` removes all partitions.
            second: Name of the other; ``None`` is the partition from all others.
        """
        if first is None:
            self._conditions.heal_all()
        else:
            self._conditions.heal(first, second)

    def add_filter(self, packet_filter: PacketFilter) -> PacketFilter:
        """Add a filter, which is called with every packet that a host sends, and return it.

        It is called before any NAT. Filters are called in the order in which they were added, until one returns
        something else than ``Pass()``.
        """
        self._router.filters.append(packet_filter)
        return packet_filter

    def remove_filter(self, packet_filter: PacketFilter) -> None:
        """Remove a filter.

        Raises:
            ValueError: The filter was not added.
        """
        self._router.filters.remove(packet_filter)

    def drop_next(
        self, matches: Callable[[Packet], bool] = lambda _: True, *, count: int = 1
    ) -> list[Packet]:
        """Drop the next matching packets, at most ``count``.

        Returns:
            A list that is filled with the dropped packets.
        """
        caught: list[Packet] = []

        def drop(packet: Packet) -> Pass | Drop:
            if len(caught) >= count or not matches(packet):
                return Pass()
            caught.append(packet)
            return Drop()

        self._router.filters.append(drop)
        return caught

    def _claim_name(self, name: str) -> None:
        if not name or name == "*" or name in self._nodes:
            raise ValueError(f"name must be unique, not empty and not '*', but is {name!r}")
        self._nodes.add(name)

    def _require_names(self, *names: str) -> None:
        for name in names:
            if name not in self._nodes:
                raise ValueError(
                    f"no host {name!r} on the network; the hosts are {', '.join(sorted(self._nodes)) or 'none'}"
                )


_networks: "trio.lowlevel.RunVar[list[SimulatedNetwork] | None]" = trio.lowlevel.RunVar(
    "trio_rtc_simulated_networks", None
)


def networks_of_run() -> Sequence[SimulatedNetwork]:
    """Return the networks that have routed packets in this trio run."""
    return _networks.get() or ()


def _register(network: SimulatedNetwork) -> None:
    networks = _networks.get()
    if networks is None:
        networks = []
        _networks.set(networks)
    if network not in networks:
        networks.append(network)
