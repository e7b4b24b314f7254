"""Invariants of the simulated network for arbitrary links."""

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.testing import DropReason, Link, SimulatedNetwork, SimulatedSocket

shares = st.sampled_from([0.0, 0.1, 0.5, 1.0])
links = st.builds(
    Link,
    delay=st.floats(0, 2),
    jitter=st.floats(0, 1),
    loss=shares,
    duplicate=shares,
    reorder=shares,
    reorder_delay=st.floats(0, 1),
    corrupt=shares,
    rate=st.none() | st.floats(10_000, 1e9),
    queue=st.integers(0, 20_000),
    mtu=st.integers(100, 1500),
)
batches = st.lists(st.lists(st.binary(max_size=200), max_size=20), max_size=5)


async def carry(link: Link, packets: list[list[bytes]], seed: int) -> tuple[SimulatedNetwork, list[bytes]]:
    """Send batches a tenth of a second apart; return the network at the end, and the packets that arrived."""
    network = SimulatedNetwork(seed=seed, link=link)
    alice, bob = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
    arrived: list[bytes] = []

    async def receive(receiver: SimulatedSocket) -> None:
        while True:
            for _, run in await receiver.receive_batch():
                arrived.extend(run)

    async with network, trio.open_nursery() as nursery:
        sender = await alice.bind_udp(alice.interface_addresses()[0])
        receiver = await bob.bind_udp(bob.interface_addresses()[0])
        nursery.start_soon(receive, receiver)
        for batch in packets:
            await sender.send_batch(batch, receiver.local_address)
            await trio.sleep(0.1)
        await trio.sleep(1000)
        nursery.cancel_scope.cancel()
    return network, arrived


def run(link: Link, packets: list[list[bytes]], seed: int = 0) -> tuple[SimulatedNetwork, list[bytes]]:
    # Not by trio_rtc.testing.run, with which runs are equal whatever the network does with its seed.
    return trio.run(carry, link, packets, seed, clock=trio.testing.MockClock(autojump_threshold=0))


@given(links, batches)
def test_every_packet_is_delivered_or_dropped(link: Link, packets: list[list[bytes]]) -> None:
    network, arrived = run(link, packets)
    trace = network.trace
    assert trace.sent == sum(map(len, packets))
    assert trace.delivered == len(arrived)
    fates = trace.delivered + trace.dropped.total()
    assert trace.sent <= fates <= 2 * trace.sent
    assert link.duplicate or fates == trace.sent
    assert set(trace.dropped) <= {
        DropReason.LOSS,
        DropReason.QUEUE_FULL,
        DropReason.OVERSIZED,
        DropReason.RECEIVE_BUFFER_FULL,
    }


@given(links, batches, st.integers(0, 1000))
def test_same_seed_is_reproducible(link: Link, packets: list[list[bytes]], seed: int) -> None:
    first, second = run(link, packets, seed), run(link, packets, seed)
    assert first[1] == second[1]
    assert [(entry.kind, entry.packet, entry.reason) for entry in first[0].trace] == [
        (entry.kind, entry.packet, entry.reason) for entry in second[0].trace
    ]


@given(links, batches)
def test_only_reordering_reorders(link: Link, packets: list[list[bytes]]) -> None:
    network, _ = run(link, packets)
    numbers = [entry.packet.number for entry in network.trace if entry.kind == "delivered"]
    assert link.reorder or numbers == sorted(numbers)
