"""The simulated network: delivery, drops and reproducibility."""

import errno
import os

import pytest
import trio
import trio.testing

from tests.conftest import run_deterministically
from tests.strategies.simulated_hosts import Pair, bind, drain, exchange
from trio_rtc.protocols._contract import Address
from trio_rtc.testing import (
    Copies,
    Delay,
    Drop,
    DropReason,
    Link,
    Pass,
    Replace,
    SimulatedNetwork,
    SimulatedSocket,
    TraceKind,
    Verdict,
)

pytestmark = [pytest.mark.usefixtures("autojump_clock"), pytest.mark.leaves_sockets]


def numbered(count: int, size: int = 2) -> list[bytes]:
    return [number.to_bytes(size, "big") for number in range(count)]


@pytest.mark.parametrize("index", [0, 1], ids=["IPv4", "IPv6"])
async def test_packets_arrive_after_the_delay_with_their_source_address(index: int) -> None:
    network = SimulatedNetwork(link=Link(delay=0.25))
    pair = Pair(network)
    async with network:
        sender, receiver = await pair.open(index=index)
        start = trio.current_time()
        await sender.send_batch([b"one", b"two"], receiver.local_address)
        assert await receiver.receive_batch() == [(sender.local_address, [b"one", b"two"])]
        assert trio.current_time() - start == pytest.approx(0.25)


async def test_loss_drops_its_share() -> None:
    received, network = await exchange(Link(loss=0.3), numbered(2000))
    assert 1300 < len(received) < 1500
    assert received == sorted(received)
    assert network.trace.dropped == {DropReason.LOSS: 2000 - len(received)}
    assert network.trace.sent == 2000
    assert network.trace.delivered == len(received)


async def test_duplicates_arrive_twice() -> None:
    received, _ = await exchange(Link(duplicate=0.2), numbered(1000))
    assert 1150 < len(received) < 1250
    assert len(set(received)) == 1000


async def test_jitter_may_reorder_packets() -> None:
    received, _ = await exchange(Link(jitter=0.1, jitter_reorders=True), numbered(500))
    assert sorted(received) == numbered(500) != received


async def test_queueing_delay_of_a_bottleneck() -> None:
    network = SimulatedNetwork(link=Link(delay=0, rate=80_000))
    pair = Pair(network)
    async with network:
        sender, receiver = await pair.open()
        assert network.queueing_delay("alice", "bob") == 0
        await sender.send_batch([bytes(972)] * 5, receiver.local_address)
        assert network.queueing_delay("alice", "bob") == pytest.approx(0.5)
        await trio.sleep(0.3)
        assert network.queueing_delay("alice", "bob") == pytest.approx(0.2)
        assert network.queueing_delay("bob", "alice") == 0
    with pytest.raises(ValueError, match="no host"):
        network.queueing_delay("alice", "carol")


async def test_jitter_alone_keeps_the_order() -> None:
    received, _ = await exchange(Link(jitter=0.1), numbered(500))
    assert received == numbered(500)


async def test_reordering_changes_the_order_and_nothing_else() -> None:
    received, _ = await exchange(Link(reorder=0.1), numbered(500))
    assert received != numbered(500)
    assert sorted(received) == numbered(500)


async def test_corruption_flips_one_bit() -> None:
    sent = [bytes(100)] * 200
    received, _ = await exchange(Link(corrupt=0.5), sent)
    flipped = [int.from_bytes(data, "big").bit_count() for data in received]
    assert set(flipped) == {0, 1}
    assert 60 < sum(flipped) < 140


async def test_rate_spreads_packets_and_the_queue_overflows() -> None:
    network = SimulatedNetwork(link=Link(delay=0, rate=80_000, queue=5_000))
    pair = Pair(network)
    async with network:
        sender, receiver = await pair.open()
        start = trio.current_time()
        await sender.send_batch([bytes(972)] * 20, receiver.local_address)  # 1000 bytes with headers: 0.1 s
        arrivals = []
        while True:
            with trio.move_on_after(5) as scope:
                await receiver.receive_batch()
                arrivals.append(trio.current_time() - start)
            if scope.cancelled_caught:
                break
        assert arrivals == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
        assert network.trace.dropped == {DropReason.QUEUE_FULL: 15}


async def test_packets_over_the_mtu_are_dropped() -> None:
    received, network = await exchange(Link(mtu=1280), [bytes(1252), bytes(1253)])
    assert received == [bytes(1252)]
    assert network.trace.dropped == {DropReason.OVERSIZED: 1}


async def test_partition_drops_packets_in_flight() -> None:
    network = SimulatedNetwork(link=Link(delay=1))
    pair = Pair(network)
    async with network:
        sender, receiver = await pair.open()
        await sender.send_batch([b"under way"], receiver.local_address)
        await trio.sleep(0.5)
        network.partition("alice", "bob")
        await sender.send_batch([b"cut"], receiver.local_address)
        await trio.sleep(0.75)
        network.heal("alice", "bob")
        await sender.send_batch([b"healed"], receiver.local_address)
        assert await drain(receiver) == [b"healed"]
        assert network.trace.dropped == {DropReason.PARTITIONED: 2}


async def test_one_way_partition_keeps_the_other_direction() -> None:
    network = SimulatedNetwork()
    pair = Pair(network)
    async with network:
        alice, bob = await pair.open()
        network.partition("alice", "bob", one_way=True)
        await alice.send_batch([b"x"], bob.local_address)
        await bob.send_batch([b"y"], alice.local_address)
        assert (await drain(alice), await drain(bob)) == ([b"y"], [])
        network.heal()
        network.partition("bob")
        await bob.send_batch([b"y"], alice.local_address)
        assert await drain(alice) == []


async def test_links_are_set_by_direction() -> None:
    network = SimulatedNetwork(link=Link(delay=0.1))
    pair = Pair(network)
    async with network:
        alice, bob = await pair.open()
        network.set_link("alice", "bob", Link(delay=2))
        start = trio.current_time()
        await alice.send_batch([b"x"], bob.local_address)
        await bob.receive_batch()
        assert trio.current_time() - start == pytest.approx(2)
        await bob.send_batch([b"x"], alice.local_address)
        await alice.receive_batch()
        assert trio.current_time() - start == pytest.approx(2.1)
        network.set_default_link(Link(delay=0.3))
        await bob.send_batch([b"x"], alice.local_address)
        await alice.receive_batch()
        assert trio.current_time() - start == pytest.approx(2.4)


async def test_filters_drop_delay_replace_and_copy() -> None:
    verdicts: dict[bytes, Verdict] = {
        b"drop": Drop(),
        b"delay": Delay(1.0),
        b"replace": Replace(b"other"),
        b"copy": Copies(3),
    }
    network = SimulatedNetwork()
    pair = Pair(network)
    async with network:
        sender, receiver = await pair.open()
        asked = network.add_filter(lambda packet: verdicts.get(packet.data, Pass()))
        await sender.send_batch([b"delay", b"drop", b"replace", b"copy", b"plain"], receiver.local_address)
        assert await drain(receiver) == [b"other", b"copy", b"copy", b"copy", b"plain", b"delay"]
        network.remove_filter(asked)
        await sender.send_batch([b"drop"], receiver.local_address)
        assert await drain(receiver) == [b"drop"]


async def test_drop_next_drops_only_matching_packets() -> None:
    network = SimulatedNetwork()
    pair = Pair(network)
    async with network:
        sender, receiver = await pair.open()
        caught = network.drop_next(lambda packet: packet.data > b"\x00\x04", count=2)
        await sender.send_batch(numbered(9), receiver.local_address)
        assert await drain(receiver) == [*numbered(5), *numbered(9)[7:]]
        assert [packet.data for packet in caught] == numbered(9)[5:7]


async def test_trace_records_all_events() -> None:
    network = SimulatedNetwork(link=Link(delay=0.5))
    pair = Pair(network)
    async with network:
        sender, receiver = await pair.open()
        start = trio.current_time()
        network.drop_next()
        await sender.send_batch([b"lost", b"kept"], receiver.local_address)
        await drain(receiver)
        events = [(entry.kind, entry.packet.data, entry.reason) for entry in network.trace]
        assert events == [
            (TraceKind.SENT, b"lost", None),
            (TraceKind.DROPPED, b"lost", DropReason.FILTERED),
            (TraceKind.SENT, b"kept", None),
            (TraceKind.DELIVERED, b"kept", None),
        ]
        assert [entry.time - start for entry in network.trace] == pytest.approx([0, 0, 0, 0.5])
        assert network.trace.packets(TraceKind.SENT, sender="bob") == []


@pytest.mark.parametrize("seed", [1, 2])
async def test_same_seed_gives_the_same_arrivals(seed: int) -> None:
    link = Link(loss=0.2, jitter=0.1, reorder=0.2, duplicate=0.1, corrupt=0.1)
    first, _ = await exchange(link, numbered(300), seed=seed)
    again, _ = await exchange(link, numbered(300), seed=seed)
    other, _ = await exchange(link, numbered(300), seed=seed + 100)
    assert first == again
    assert first != other


async def test_network_that_is_not_running_raises() -> None:
    pair = Pair(SimulatedNetwork())
    with pytest.raises(RuntimeError, match="async with network"):
        await pair.open()


async def test_network_that_has_ended_is_down() -> None:
    network = SimulatedNetwork()
    pair = Pair(network)
    async with network:
        pass
    with pytest.raises(OSError, match=os.strerror(errno.ENETDOWN)):
        await pair.open()


async def test_errors_of_the_block_are_not_grouped() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with SimulatedNetwork():
            raise KeyError("mine")


async def test_error_of_a_service_ends_the_block() -> None:
    network = SimulatedNetwork()
    pair = Pair(network)

    def fail(data: bytes, source: Address, destination: Address) -> list[tuple[bytes, Address]]:
        raise ZeroDivisionError

    async def provoke() -> None:
        async with network:
            client = await bind(pair.alice)
            await client.send_batch([b"x"], Address("10.0.0.2", 7))
            await trio.sleep_forever()

    pair.bob.add_service(7, fail)
    with pytest.raises(ZeroDivisionError):
        await provoke()


async def test_network_runs_once_at_a_time() -> None:
    async with SimulatedNetwork() as network:
        with pytest.raises(RuntimeError, match="already running"):
            await network.__aenter__()
    async with network:
        await trio.sleep(1)


async def test_outer_cancellation_is_propagated() -> None:
    with trio.move_on_after(1) as scope:
        async with SimulatedNetwork():
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_network_runs_as_a_task() -> None:
    network = SimulatedNetwork()
    pair = Pair(network)
    async with trio.open_nursery() as nursery:
        await nursery.start(network.run)
        with pytest.raises(RuntimeError, match="already running"):
            await network.run()
        sender, receiver = await pair.open()
        await sender.send_batch([b"x"], receiver.local_address)
        assert await drain(receiver) == [b"x"]
        nursery.cancel_scope.cancel()


async def test_names_and_addresses_are_unique() -> None:
    pair = Pair(SimulatedNetwork())
    with pytest.raises(ValueError, match="but is 'alice'"):
        pair.network.add_host("alice", ["10.0.0.3"])
    with pytest.raises(ValueError, match=r"10\.0\.0\.1 is already used by alice"):
        pair.network.add_host("carol", ["10.0.0.1"])
    with pytest.raises(ValueError, match="no host 'carol'"):
        pair.network.partition("carol", "bob")


def test_whole_data_channel_exchange_is_reproducible() -> None:
    conversations: list[list[tuple[float, str, bytes]]] = []

    async def scenario() -> None:
        network = SimulatedNetwork(seed=3, link=Link(loss=0.2, jitter=0.05, reorder=0.1))
        pair = Pair(network)
        start = trio.current_time()

        async def talk(mine: SimulatedSocket, other: Address) -> None:
            for number in range(30):
                await mine.send_batch([bytes([number])], other)
                with trio.move_on_after(0.1):
                    await mine.receive_batch()

        async with network:
            first, second = await pair.open()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(talk, first, second.local_address)
                nursery.start_soon(talk, second, first.local_address)
        conversations.append(
            [(round(entry.time - start, 9), entry.kind, entry.packet.data) for entry in network.trace]
        )

    for _ in range(3):
        run_deterministically(
            scenario, clock=trio.testing.MockClock(autojump_threshold=0), check_sockets=False
        )
    assert len(conversations[0]) > 60
    assert conversations[0] == conversations[1] == conversations[2]


@pytest.mark.parametrize(("granularity", "expected"), [(0.0, 0.0103), (0.005, 0.015)])
async def test_arrivals_are_rounded_up_to_the_granularity(granularity: float, expected: float) -> None:
    network = SimulatedNetwork(link=Link(delay=0.0103), granularity=granularity)
    async with network:
        sender, receiver = await Pair(network).open()
        start = trio.current_time()
        await sender.send_batch([b"x"], receiver.local_address)
        await receiver.receive_batch()
        assert trio.current_time() - start == pytest.approx(expected)
