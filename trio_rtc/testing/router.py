"""Routing of packets: filters, links, NATs, and delivery when due, all in one task."""

import functools
import heapq
import ipaddress
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import trio

from trio_rtc.protocols._contract import Address

from .conditions import NetworkConditions
from .link import IPV4_AND_UDP_HEADERS, IPV6_AND_UDP_HEADERS
from .nat import Endpoint, Nat, Segment
from .packet import Copies, Delay, Drop, DropReason, Packet, PacketFilter, Pass, Replace, Trace

MAX_IN_FLIGHT = 1_000_000


class _Flight(NamedTuple):
    """A packet in flight, ordered by arrival; ``number`` makes the order total."""

    arrives_at: float
    number: int
    packet: Packet
    segment: Segment
    member: Endpoint | None


@functools.lru_cache(maxsize=4096)
def canonical(host: str) -> str:
    """Return the canonical spelling of a numeric address, or raise ``ValueError``."""
    return str(ipaddress.ip_address(host))


class Router:
    """The packets in flight on a network, and the packet filters in the order in which they are called."""

    def __init__(self, conditions: NetworkConditions, trace: Trace, granularity: float) -> None:
        self.trace = trace
        self._granularity = granularity
        self.filters: list[PacketFilter] = []
        self.started = False
        self._conditions = conditions
        self._in_flight: list[_Flight] = []
        self._packet_numbers = itertools.count()
        self._flight_numbers = itertools.count()
        self._alarm: trio.CancelScope | None = None

    @property
    def running(self) -> bool:
        return self._alarm is not None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Route packets until cancelled; ``RuntimeError`` if the network is already running."""
        if self._alarm is not None:
            raise RuntimeError(
                "simulated network is already running; run() and 'async with' must not be combined"
            )
        self._alarm = trio.CancelScope()
        self.started = True
        task_status.started()
        try:
            while True:
                self._alarm = trio.CancelScope(deadline=self._next_arrival())
                with self._alarm:
                    await trio.sleep_forever()
                self._deliver_due(trio.current_time())
        finally:
            self._alarm = None

    def send(
        self,
        sender: str,
        segment: Segment,
        batch: Sequence[bytes],
        source: Address,
        destination: Address,
        *,
        reachable: bool = True,
    ) -> None:
        """Send datagrams from a host, unless the interface of the source address is not ``reachable``."""
        now = trio.current_time()
        destination = Address(canonical(destination.host), destination.port)
        for data in batch:
            packet = Packet(bytes(data), source, destination, sender, next(self._packet_numbers))
            self.trace.record_sent(packet, now)
            if reachable:
                self._filter(segment, packet, now)
            else:
                self.trace.record_dropped(packet, DropReason.INTERFACE_DOWN, now)

    def _filter(self, segment: Segment, packet: Packet, now: float) -> None:
        for packet_filter in self.filters:
            match packet_filter(packet):
                case Pass():
                    continue
                case Drop():
                    self.trace.record_dropped(packet, DropReason.FILTERED, now)
                case Delay(seconds):
                    self._route(segment, packet, now, extra_delay=seconds)
                case Replace(data):
                    self._route(segment, packet.with_data(data), now)
                case Copies(count):
                    for _ in range(count):
                        self._route(segment, packet, now)
            return
        self._route(segment, packet, now)

    def _route(self, segment: Segment, packet: Packet, now: float, extra_delay: float = 0.0) -> None:
        members = segment.groups.get(packet.destination)
        if members is not None:
            for member in members:
                self._launch(packet, segment, member.name, now=now, extra_delay=extra_delay, member=member)
            return
        while packet.destination.host not in segment.owners and segment.gateway is not None:
            if ":" not in packet.destination.host:
                translated = segment.gateway.translate_outbound(packet, now)
                if isinstance(translated, DropReason):
                    self.trace.record_dropped(packet, translated, now)
                    return
                packet = translated
            segment = segment.gateway.outside
        receiver = self._receiver(packet.destination, segment)
        if receiver is None:
            self.trace.record_dropped(packet, DropReason.NO_ROUTE, now)
        else:
            self._launch(packet, segment, receiver.name, now=now, extra_delay=extra_delay)

    def _launch(
        self,
        packet: Packet,
        segment: Segment,
        receiver: str,
        *,
        now: float,
        extra_delay: float,
        member: Endpoint | None = None,
    ) -> None:
        state = self._conditions.link_state(packet.sender, receiver)
        headers = IPV6_AND_UDP_HEADERS if ":" in packet.destination.host else IPV4_AND_UDP_HEADERS
        arrivals = state.arrivals(len(packet.data), headers, now)
        if self._conditions.is_partitioned(packet.sender, receiver):
            arrivals = DropReason.PARTITIONED
        elif len(self._in_flight) >= MAX_IN_FLIGHT:
            arrivals = DropReason.QUEUE_FULL
        if isinstance(arrivals, DropReason):
            self.trace.record_dropped(packet, arrivals, now)
            return
        if state.link.corrupt:
            packet = packet.with_data(state.corrupted(packet.data))
        for arrival in arrivals:
            flight = _Flight(
                self._round_up(arrival + extra_delay), next(self._flight_numbers), packet, segment, member
            )
            heapq.heappush(self._in_flight, flight)
        if self._alarm is not None:
            self._alarm.deadline = min(self._alarm.deadline, self._next_arrival())

    def _round_up(self, seconds: float) -> float:
        if not self._granularity:
            return seconds
        return math.ceil(seconds / self._granularity - 1e-6) * self._granularity

    def _next_arrival(self) -> float:
        return self._in_flight[0].arrives_at if self._in_flight else math.inf

    def _deliver_due(self, now: float) -> None:
        while self._in_flight and self._in_flight[0].arrives_at <= now:
            flight = heapq.heappop(self._in_flight)
            packet, reason = self._arrive(flight, now)
            if reason is None:
                self.trace.record_delivered(packet, now)
            else:
                self.trace.record_dropped(packet, reason, now)

    def _arrive(self, flight: _Flight, now: float) -> tuple[Packet, DropReason | None]:
        """Deliver a packet; return it as it arrived, and the reason if it was dropped."""
        packet = flight.packet
        if flight.member is not None:
            if self._conditions.is_partitioned(packet.sender, flight.member.name):
                return packet, DropReason.PARTITIONED
            return packet, flight.member.deliver(packet)
        owner = flight.segment.owners.get(packet.destination.host)
        while isinstance(owner, Nat):
            # At arrival, not at sending: hole punching depends on what the far end has sent meanwhile.
            translated = owner.translate_inbound(packet, now)
            if isinstance(translated, DropReason):
                return packet, translated
            packet = translated
            owner = owner.inside.owners.get(packet.destination.host)
        if owner is None:
            return packet, DropReason.NO_ROUTE
        if self._conditions.is_partitioned(packet.sender, owner.name):
            return packet, DropReason.PARTITIONED
        return packet, owner.deliver(packet)

    def _receiver(self, destination: Address, segment: Segment) -> Endpoint | Nat | None:
        """Return the packet's receiver by the present state of NATs; it selects the link, not the route."""
        owner = segment.owners.get(destination.host)
        while isinstance(owner, Nat):
            inside = owner.inside_address(destination)
            further = owner.inside.owners.get(inside.host) if inside else None
            if inside is None or further is None:
                return owner
            owner, destination = further, inside
        return owner
