"""Loss, duplication, reordering and corruption from the first packet on only slow a connection down."""

import hashlib
import random
from typing import Any

import pytest
import trio

from tests.strategies.peers import channel_pair, open_channel, two_peers
from tests.strategies.scenarios import layer_counters, messages_pass, seeds, state_reached
from trio_rtc import RTCDataChannel, Settings
from trio_rtc.testing import DropReason, Link, TraceKind

pytestmark = pytest.mark.usefixtures("autojump_clock")

LOSS = Link(delay=0.03, loss=0.3)
DISORDER = Link(delay=0.03, jitter=0.02, duplicate=0.3, reorder=0.3, reorder_delay=0.08)
DAMAGE = Link(delay=0.03, corrupt=0.2)
EVERYTHING = Link(
    delay=0.03, jitter=0.02, loss=0.1, duplicate=0.1, reorder=0.1, reorder_delay=0.08, corrupt=0.05
)
BOTTLENECK = Link(delay=0.03, rate=2e6, queue=16_000)
MESSAGE_SIZES = (0, 1, 1_150, 5_000, 60_000)


async def send_all(channel: RTCDataChannel, messages: list[bytes]) -> None:
    for message in messages:
        await channel.send(message)


async def receive_all(channel: RTCDataChannel, messages: list[bytes]) -> None:
    for message in messages:
        received = await channel.receive()
        assert isinstance(received, bytes)
        assert hashlib.sha256(received).digest() == hashlib.sha256(message).digest()


async def exchange_messages(mine: RTCDataChannel, theirs: RTCDataChannel, seed: int) -> None:
    """Exchange messages of all sizes in both directions concurrently, and require every byte in order."""
    rng = random.Random(seed)
    messages = [rng.randbytes(size) for size in MESSAGE_SIZES]
    async with trio.open_nursery() as nursery:
        for sender, receiver in ((mine, theirs), (theirs, mine)):
            nursery.start_soon(send_all, sender, messages)
            nursery.start_soon(receive_all, receiver, messages)


@pytest.mark.parametrize("seed", seeds(5))
async def test_loss_of_a_third_of_all_packets(seed: int) -> None:
    with trio.fail_after(120):
        async with open_channel(seed=seed, link=LOSS) as (mine, theirs, peers):
            await exchange_messages(mine, theirs, seed)
            assert peers.network.trace.dropped[DropReason.LOSS] > 50


@pytest.mark.parametrize("seed", seeds(3))
async def test_duplicated_and_reordered_packets(seed: int) -> None:
    with trio.fail_after(20):
        async with open_channel(seed=seed, link=DISORDER) as (mine, theirs, peers):
            await exchange_messages(mine, theirs, seed)
            trace = peers.network.trace
            assert len(trace.packets(TraceKind.DELIVERED)) > 1.2 * trace.sent


@pytest.mark.parametrize("seed", seeds(3))
async def test_bit_errors_in_a_connection(seed: int) -> None:
    """Corrupted packets are dropped and counted, and no message is corrupted or lost."""
    with trio.fail_after(60):
        async with open_channel(seed=seed) as (mine, theirs, peers):
            peers.network.set_default_link(DAMAGE)
            await exchange_messages(mine, theirs, seed)
            dropped = await layer_counters(peers.alice, "dtls")
            assert dropped["forged"] + dropped["malformed"] + dropped["wrong_epoch"] > 0


@pytest.mark.parametrize("seed", seeds(8))
async def test_bit_errors_during_the_handshakes(seed: int) -> None:
    """DTLS 1.2 handshake messages are in plaintext: corruption may fail the handshake, but is never accepted."""
    with trio.fail_after(Settings().dtls.handshake_timeout + 10):
        async with two_peers(seed=seed, link=DAMAGE) as peers, trio.open_nursery() as nursery:

            async def connect_and_exchange_messages() -> None:
                mine, theirs = await channel_pair(peers.alice, peers.bob)
                await exchange_messages(mine, theirs, seed)
                nursery.cancel_scope.cancel()

            nursery.start_soon(connect_and_exchange_messages)
            for pc in (peers.alice, peers.bob):
                await state_reached(pc, "failed")
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("seed", seeds(3))
async def test_all_impairments_at_once(seed: int) -> None:
    with trio.fail_after(60):
        async with open_channel(seed=seed) as (mine, theirs, peers):
            peers.network.set_default_link(EVERYTHING)
            await exchange_messages(mine, theirs, seed)


async def test_a_bottleneck_with_a_short_queue_loses_no_data() -> None:
    with trio.fail_after(20):
        async with open_channel(link=BOTTLENECK) as (mine, theirs, peers):
            for seed in range(3):
                await exchange_messages(mine, theirs, seed)
            assert peers.alice.connection_state == peers.bob.connection_state == "connected"


@pytest.mark.parametrize("seed", seeds(2))
async def test_channels_and_connections_close_orderly_under_loss(seed: int) -> None:
    """Messages sent before ``aclose`` arrive; then both ends are closed."""
    with trio.fail_after(60):
        async with open_channel(seed=seed, link=LOSS) as (mine, theirs, peers):
            await mine.send("last words")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(mine.aclose)
                assert [message async for message in theirs] == ["last words"]
            assert mine.ready_state == theirs.ready_state == "closed"
            assert peers.alice.connection_state == "connected"


@pytest.mark.parametrize("seed", seeds(2))
async def test_asymmetric_loss_and_delay(seed: int) -> None:
    with trio.fail_after(90):
        async with two_peers(seed=seed) as peers:
            peers.network.set_link("alice", "bob", Link(delay=0.4, loss=0.4))
            mine, theirs = await channel_pair(peers.alice, peers.bob)
            await messages_pass(mine, theirs)


@pytest.mark.parametrize("options", [{"max_retransmits": 0}, {"max_packet_life_time": 100}])
async def test_an_unreliable_channel_loses_whole_messages_and_keeps_the_order(
    options: dict[str, Any],
) -> None:
    received: list[int] = []
    async with open_channel(link=Link(delay=0.02, loss=0.2), **options) as (mine, theirs, _):
        theirs.on_message = lambda event: received.append(int(str(event.data).rstrip("x")))
        for number in range(100):
            await mine.send(f"{number}".ljust(3000, "x"))
            await trio.sleep(0.05)
        await trio.sleep(5)
    assert 10 < len(received) < 100
    assert received == sorted(set(received))
