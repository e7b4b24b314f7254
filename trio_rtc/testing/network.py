"""The simulated network: hosts, NATs, names and conditions, from one seed."""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import trio

from trio_rtc._environment import deterministic_environment, require_trio

from .carrier import Carrier, canonical
from .conditions import Conditions
from .host import RECEIVE_BUFFER, SimulatedHost, SimulatedSocket
from .lifetime import ConnectionScope
from .link import Link
from .nat import Nat, NatKind
from .packet import Drop, Packet, PacketFilter, Pass, Trace
from .segment import Segment
from .stun_server import DEFAULT_PORT, answer_binding_request


class SimulatedNetwork:
    """Hosts, NATs and the links between them, in memory.

    Every ``SimulatedHost`` is given to a peer connection as its network. Packets travel while the network
    runs: inside ``async with network:``, or as a task started with ``nursery.start(network.run)``. Under
    ``trio_rtc.testing.run`` time costs nothing, and with the same seed the same packets are sent, lost, delayed and
    reordered.

    A host reaches every other one in its segment: the outermost one (the internet), or that behind its NAT.
    From behind a NAT it also reaches what is outside.

    Args:
        seed: Source of all randomness on the network; ``None`` for that of ``trio_rtc.testing.run``, or 0.
        link: The conditions between hosts for which no others are set.
        trace_limit: How many entries ``trace`` remembers.
        granularity: Arrivals are rounded up to a multiple of so many seconds, so that packets come in batches
            as from a real network card; 0 gives every packet its exact time, and takes longer.

    Attributes:
        trace: What has happened, and counters.
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
        self._conditions = Conditions(seed, link or Link())
        self._carrier = Carrier(self._conditions, self.trace, granularity)
        self._internet = Segment()
        self._nodes: set[str] = set()
        self._hosts: list[SimulatedHost] = []
        self._names: dict[str, tuple[str, ...]] = {}
        self._lifetime: ConnectionScope

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry packets until cancelled: for those who have a nursery of their own for it.

        Raises:
            RuntimeError: The network is running already.
        """
        require_trio("SimulatedNetwork.run")
        _remember(self)
        await self._carrier.run(task_status=task_status)

    @property
    def open_sockets(self) -> Sequence[SimulatedSocket]:
        """The open sockets of all hosts."""
        return [socket for host in self._hosts for socket in host.open_sockets]

    async def __aenter__(self) -> Self:
        require_trio("async with SimulatedNetwork")
        lifetime = ConnectionScope(self.run)
        await lifetime.enter()
        self._lifetime = lifetime
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._lifetime.exit(error)

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
            addresses: Numeric addresses of its one interface ``eth0``, or of several: ``{"wlan0": [...]}``.
            behind: The NAT that the host is behind.
            receive_buffer: How many bytes a socket keeps until they are taken; more are dropped.

        Raises:
            ValueError: The name or an address is taken, or an address is not numeric.
        """
        interfaces = addresses if isinstance(addresses, Mapping) else {"eth0": addresses}
        segment = behind.inside if behind else self._internet
        owned = {canonical(address): interface for interface, own in interfaces.items() for address in own}
        segment.require_free(owned)
        self._claim_name(name)
        host = SimulatedHost(name, segment, self._carrier, self._names, receive_buffer=receive_buffer)
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
    ) -> Nat:
        """Add a NAT, to be given to ``add_host``.

        Args:
            name: A unique name.
            kind: ``"full_cone"``, ``"restricted_cone"``, ``"port_restricted"`` or ``"symmetric"``.
            public: Its address on the outside.
            behind: The NAT that this one is behind, as with a provider's.
            hairpin: Whether the hosts behind it reach each other by the public address.
            mapping_lifetime: Seconds that a mapping lives on after the last packet from inside.

        Raises:
            ValueError: The name or the address is taken, or the kind is not known.
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
        )
        outside.require_free([nat.public])
        self._claim_name(name)
        nat.inside.gateway = nat
        outside.claim(nat.public, nat)
        return nat

    def add_stun_server(
        self, name: str, addresses: Sequence[str], *, port: int = DEFAULT_PORT, behind: Nat | None = None
    ) -> SimulatedHost:
        """Add a host with a STUN server, whose name resolves: ``stun:<name>:<port>``.

        Raises:
            ValueError: The name or an address is taken, or an address is not numeric.
        """
        host = self.add_host(name, addresses, behind=behind)
        host.add_service(port, answer_binding_request)
        self.add_name(name, *addresses)
        return host

    def add_name(self, name: str, *addresses: str) -> None:
        """Let a host name resolve to addresses, on every host."""
        self._names[name.lower().rstrip(".")] = tuple(canonical(address) for address in addresses)

    def set_link(self, source: str, destination: str, link: Link) -> None:
        """Set the conditions of one direction between two hosts, from now on."""
        self._require_names(source, destination)
        self._conditions.set_link(source, destination, link)

    def set_default_link(self, link: Link) -> None:
        """Set the conditions between all hosts for which no others were set, from now on."""
        self._conditions.set_default_link(link)

    def queueing_delay(self, source: str, destination: str) -> float:
        """Return how many seconds a packet sent now would wait for the bottleneck of one direction.

        Raises:
            ValueError: There is no such host.
        """
        self._require_names(source, destination)
        return self._conditions.pipe(source, destination).queueing_delay(trio.current_time())

    def partition(self, first: str, second: str | None = None, *, one_way: bool = False) -> None:
        """Cut two hosts off from each other, or one host from everybody; what is under way is lost.

        Args:
            first: Name of a host.
            second: Name of the other; ``None`` is everybody.
            one_way: Cut only the direction away from ``first``.

        Raises:
            ValueError: There is no such host.
        """
        self._require_names(first, *([second] if second else []))
        self._conditions.sever(first, second)
        if not one_way:
            self._conditions.sever(second, first)

    def heal(self, first: str | None = None, second: str | None = None) -> None:
        """Take partitions back: that between two hosts, that of one host with everybody, or all."""
        if first is None:
            self._conditions.mend_all()
        else:
            self._conditions.mend(first, second)

    def add_filter(self, packet_filter: PacketFilter) -> PacketFilter:
        """Ask ``packet_filter`` about every packet that a host sends; return it, for ``remove_filter``.

        It sees the packet before any NAT does. Filters are asked in the order in which they were added, until
        one answers something else than ``Pass()``.
        """
        self._carrier.filters.append(packet_filter)
        return packet_filter

    def remove_filter(self, packet_filter: PacketFilter) -> None:
        """Take a filter away.

        Raises:
            ValueError: It is not there.
        """
        self._carrier.filters.remove(packet_filter)

    def drop_next(
        self, matches: Callable[[Packet], bool] = lambda _: True, *, count: int = 1
    ) -> list[Packet]:
        """Lose the next packets that match; return the list in which they will be found."""
        caught: list[Packet] = []

        def drop(packet: Packet) -> Pass | Drop:
            if len(caught) >= count or not matches(packet):
                return Pass()
            caught.append(packet)
            return Drop()

        self._carrier.filters.append(drop)
        return caught

    def _claim_name(self, name: str) -> None:
        if not name or name == "*" or name in self._nodes:
            raise ValueError(f"{name!r} is taken or not a name")
        self._nodes.add(name)

    def _require_names(self, *names: str) -> None:
        for name in names:
            if name not in self._nodes:
                raise ValueError(f"there is no host {name!r} on the network")


_networks: "trio.lowlevel.RunVar[list[SimulatedNetwork] | None]" = trio.lowlevel.RunVar(
    "trio_rtc_simulated_networks", None
)


def networks_of_this_run() -> Sequence[SimulatedNetwork]:
    """Return the networks that have carried packets in this trio run."""
    return _networks.get() or ()


def _remember(network: SimulatedNetwork) -> None:
    networks = _networks.get()
    if networks is None:
        networks = []
        _networks.set(networks)
    if network not in networks:
        networks.append(network)
