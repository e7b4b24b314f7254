"""Routing of packets: filters, delivery when due, and the reasons of drops."""

import pytest
import trio

from trio_rtc.protocols._contract import Address
from trio_rtc.testing import Delay, DropReason, Link, Packet, Trace, TraceKind
from trio_rtc.testing.conditions import NetworkConditions
from trio_rtc.testing.nat import Segment
from trio_rtc.testing.packet import Copies, Drop, Pass, Replace, Verdict
from trio_rtc.testing.router import Router, canonical

pytestmark = [pytest.mark.usefixtures("autojump_clock"), pytest.mark.leaves_sockets]

ALICE, BOB = Address("10.0.0.1", 1000), Address("10.0.0.2", 2000)


class Receiver:
    """A host that records what arrives and when."""

    name = "bob"

    def __init__(self) -> None:
        self.arrived: list[tuple[float, bytes]] = []
        self.refuses: DropReason | None = None

    def deliver(self, packet: Packet) -> DropReason | None:
        if self.refuses is None:
            self.arrived.append((trio.current_time(), packet.data))
        return self.refuses


class Bench:
    """A router with one receiver at BOB."""

    def __init__(self, *, delay: float = 1.0, granularity: float = 0.0) -> None:
        self.conditions = NetworkConditions(1, Link(delay=delay))
        self.trace = Trace(100)
        self.router = Router(self.conditions, self.trace, granularity)
        self.receiver = Receiver()
        self.segment = Segment()
        self.segment.claim(BOB.host, self.receiver)

    def send(self, *batch: bytes, destination: Address = BOB, reachable: bool = True) -> None:
        self.router.send("alice", self.segment, batch, ALICE, destination, reachable=reachable)

    async def run(self, seconds: float = 10.0) -> list[tuple[float, bytes]]:
        """Route packets for some seconds; return what arrived, with the times since now."""
        begun = trio.current_time()
        with trio.move_on_after(seconds):
            await self.router.run()
        return [(time - begun, data) for time, data in self.receiver.arrived]


async def test_packets_arrive_when_due_in_the_order_of_sending() -> None:
    bench = Bench()
    bench.send(b"a", b"b")
    assert await bench.run() == [(1.0, b"a"), (1.0, b"b")]
    assert [packet.number for packet in bench.trace.packets(TraceKind.DELIVERED)] == [0, 1]


async def test_a_packet_sent_while_waiting_for_another_arrives_first() -> None:
    bench = Bench()
    bench.router.filters.append(lambda packet: Delay(4.0) if packet.data == b"late" else Pass())
    bench.send(b"late")
    async with trio.open_nursery() as nursery:
        await nursery.start(bench.router.run)
        begun = trio.current_time()
        await trio.sleep(1)
        bench.send(b"early")
        await trio.sleep(9)
        nursery.cancel_scope.cancel()
    assert [(time - begun, data) for time, data in bench.receiver.arrived] == [
        (2.0, b"early"),
        (5.0, b"late"),
    ]


@pytest.mark.parametrize(
    ("verdict", "arrived"),
    [
        (Pass(), [(1.0, b"x")]),
        (Drop(), []),
        (Delay(2.0), [(3.0, b"x")]),
        (Replace(b"other"), [(1.0, b"other")]),
        (Copies(3), [(1.0, b"x")] * 3),
        (Copies(0), []),
    ],
)
async def test_verdicts_of_filters(verdict: Verdict, arrived: list[tuple[float, bytes]]) -> None:
    bench = Bench()
    bench.router.filters.append(lambda packet: verdict)
    bench.send(b"x")
    assert await bench.run() == arrived
    assert bench.trace.dropped == ({DropReason.FILTERED: 1} if verdict == Drop() else {})


async def test_the_first_filter_that_does_not_pass_a_packet_decides() -> None:
    bench = Bench()
    seen: list[bytes] = []

    def record(packet: Packet) -> Verdict:
        seen.append(packet.data)
        return Pass() if packet.data == b"a" else Drop()

    bench.router.filters += [record, lambda packet: Replace(b"b")]
    bench.send(b"a", b"x")
    assert await bench.run() == [(1.0, b"b")]
    assert seen == [b"a", b"x"]


@pytest.mark.parametrize(
    ("destination", "reachable", "reason"),
    [
        (Address("192.0.2.1", 9), True, DropReason.NO_ROUTE),
        (BOB, False, DropReason.INTERFACE_DOWN),
    ],
)
async def test_packets_without_a_way_are_dropped(
    destination: Address, reachable: bool, reason: DropReason
) -> None:
    bench = Bench()
    bench.send(b"x", destination=destination, reachable=reachable)
    assert await bench.run() == []
    assert bench.trace.dropped == {reason: 1}


async def test_the_receiver_may_drop_a_packet() -> None:
    bench = Bench()
    bench.receiver.refuses = DropReason.PORT_UNREACHABLE
    bench.send(b"x")
    await bench.run()
    assert bench.trace.dropped == {DropReason.PORT_UNREACHABLE: 1}
    assert bench.trace.delivered == 0


async def test_a_receiver_that_has_left_gets_nothing_in_flight() -> None:
    bench = Bench()
    bench.send(b"x")
    bench.segment.release(BOB.host)
    assert await bench.run() == []
    assert bench.trace.dropped == {DropReason.NO_ROUTE: 1}


async def test_a_router_runs_once_at_a_time() -> None:
    bench = Bench()
    assert not bench.router.started
    async with trio.open_nursery() as nursery:
        await nursery.start(bench.router.run)
        assert bench.router.running
        with pytest.raises(RuntimeError, match="already running"):
            await bench.router.run()
        nursery.cancel_scope.cancel()
    assert bench.router.started
    assert not bench.router.running


@pytest.mark.parametrize(
    ("host", "expected"),
    [("10.0.0.1", "10.0.0.1"), ("2001:DB8:0::1", "2001:db8::1"), ("::FFFF:0:0", "::ffff:0:0")],
)
async def test_canonical_addresses(host: str, expected: str) -> None:
    assert canonical(host) == canonical(expected) == canonical(canonical(host))
    with pytest.raises(ValueError, match="does not appear to be"):
        canonical("example.org")
