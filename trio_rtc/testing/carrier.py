"""Carries packets: asks the filters, finds the way, and delivers what is due, all in one task."""

from __future__ import annotations

import functools
import heapq
import ipaddress
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import trio

from trio_rtc.protocols._contract import Address

from .conditions import Conditions
from .link import IPV4_AND_UDP_HEADERS, IPV6_AND_UDP_HEADERS
from .nat import Nat
from .packet import Copies, Delay, Drop, DropReason, Packet, PacketFilter, Pass, Replace, Trace
from .segment import Segment

if TYPE_CHECKING:
    from .host import SimulatedHost, SimulatedSocket

MAX_IN_FLIGHT = 1_000_000


class _Flight(NamedTuple):
    """A packet on its way, ordered by arrival; ``number`` makes the order total."""

    arrives_at: float
    number: int
    packet: Packet
    segment: Segment
    member: SimulatedSocket | None


@functools.lru_cache(maxsize=4096)
def canonical(host: str) -> str:
    """Return the one spelling of a numeric address.

    Raises:
        ValueError: It is not a numeric address.
    """
    return str(ipaddress.ip_address(host))


class Carrier:
    """What is under way on a network.

    Attributes:
        trace: What has happened, and counters.
        filters: Who is asked about every packet, in this order.
        started: Whether the network has ever run.
    """

    def __init__(self, conditions: Conditions, trace: Trace, granularity: float) -> None:
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
        """Whether packets are being carried."""
        return self._alarm is not None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry packets until cancelled.

        Raises:
            RuntimeError: The network is running already.
        """
        if self._alarm is not None:
            raise RuntimeError("the simulated network is running already")
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
        host: SimulatedHost,
        batch: Sequence[bytes],
        source: Address,
        destination: Address,
        *,
        reachable: bool = True,
    ) -> None:
        """Take datagrams from a host (called by it)."""
        now = trio.current_time()
        destination = Address(canonical(destination.host), destination.port)
        for data in batch:
            packet = Packet(bytes(data), source, destination, host.name, next(self._packet_numbers))
            self.trace.record_sent(packet, now)
            if reachable:
                self._filter(host, packet, now)
            else:
                self.trace.record_dropped(packet, DropReason.INTERFACE_DOWN, now)

    def _filter(self, host: SimulatedHost, packet: Packet, now: float) -> None:
        for packet_filter in self.filters:
            match packet_filter(packet):
                case Pass():
                    continue
                case Drop():
                    self.trace.record_dropped(packet, DropReason.FILTERED, now)
                case Delay(seconds):
                    self._route(host, packet, now, held_back=seconds)
                case Replace(data):
                    self._route(host, packet._replace(data=data), now)
                case Copies(count):
                    for _ in range(count):
                        self._route(host, packet, now)
            return
        self._route(host, packet, now)

    def _route(self, host: SimulatedHost, packet: Packet, now: float, held_back: float = 0.0) -> None:
        segment = host.segment
        members = segment.groups.get(packet.destination)
        if members is not None:
            for member in members:
                self._launch(packet, segment, member.host.name, now=now, held_back=held_back, member=member)
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
            self._launch(packet, segment, receiver.name, now=now, held_back=held_back)

    def _launch(
        self,
        packet: Packet,
        segment: Segment,
        receiver: str,
        *,
        now: float,
        held_back: float,
        member: SimulatedSocket | None = None,
    ) -> None:
        pipe = self._conditions.pipe(packet.sender, receiver)
        headers = IPV6_AND_UDP_HEADERS if ":" in packet.destination.host else IPV4_AND_UDP_HEADERS
        arrivals = pipe.arrivals(len(packet.data), headers, now)
        if self._conditions.is_severed(packet.sender, receiver):
            arrivals = DropReason.PARTITIONED
        elif len(self._in_flight) >= MAX_IN_FLIGHT:
            arrivals = DropReason.QUEUE_FULL
        if isinstance(arrivals, DropReason):
            self.trace.record_dropped(packet, arrivals, now)
            return
        if pipe.link.corrupt:
            packet = packet._replace(data=pipe.corrupted(packet.data))
        for arrival in arrivals:
            flight = _Flight(
                self._rounded_up(arrival + held_back), next(self._flight_numbers), packet, segment, member
            )
            heapq.heappush(self._in_flight, flight)
        if self._alarm is not None:
            self._alarm.deadline = min(self._alarm.deadline, self._next_arrival())

    def _rounded_up(self, seconds: float) -> float:
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
        """Deliver a packet; return it as it arrived, and why it was dropped if it was."""
        packet = flight.packet
        if flight.member is not None:
            host = flight.member.host
            if self._conditions.is_severed(packet.sender, host.name):
                return packet, DropReason.PARTITIONED
            return packet, host.deliver_multicast(flight.member, packet)
        owner = flight.segment.owners.get(packet.destination.host)
        while isinstance(owner, Nat):
            # Here and not when the packet was sent: hole punching depends on what the far end has done by now.
            translated = owner.translate_inbound(packet, now)
            if isinstance(translated, DropReason):
                return packet, translated
            packet = translated
            owner = owner.inside.owners.get(packet.destination.host)
        if owner is None:
            return packet, DropReason.NO_ROUTE
        if self._conditions.is_severed(packet.sender, owner.name):
            return packet, DropReason.PARTITIONED
        return packet, owner.deliver(packet)

    def _receiver(self, destination: Address, segment: Segment) -> SimulatedHost | Nat | None:
        """Return who will get a packet, as far as NATs tell now: it chooses the link, not the way."""
        owner = segment.owners.get(destination.host)
        while isinstance(owner, Nat):
            inside = owner.inside_address(destination)
            further = owner.inside.owners.get(inside.host) if inside else None
            if inside is None or further is None:
                return owner
            owner, destination = further, inside
        return owner
