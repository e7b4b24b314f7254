"""Channels that the peer fills and closes before they are read: retained completely, at most a receive window."""

import gc
import math

import pytest
import trio

from tests.strategies.peers import Peers, open_channel
from tests.strategies.scenarios import layer_counters
from trio_rtc import RTCDataChannel, SctpOptions, Settings

pytestmark = pytest.mark.usefixtures("autojump_clock")

BUFFER = 200_000
SIZE = 20_000
CHANNELS = 20
PER_CHANNEL = 5
SMALL = Settings(
    max_message_size=65536,
    sctp=SctpOptions(receive_buffer_size=BUFFER, max_message_size=65536),
)


async def fill_and_close(peers: Peers, ends: trio.MemorySendChannel[RTCDataChannel]) -> None:
    """Open, fill and close channels as fast as the peer's window permits; its ends are put into a queue."""
    async with ends, peers.bob.subscribe("data_channel") as announced:
        for number in range(CHANNELS):
            channel = peers.alice.create_data_channel(f"{number}")
            ends.send_nowait((await announced.receive()).channel)
            await channel.opened()
            for index in range(PER_CHANNEL):
                await channel.send(bytes([index]) * SIZE)
            channel.close()


async def window(peers: Peers) -> float:
    return (await layer_counters(peers.bob, "sctp"))["receive_window"]


async def test_unread_messages_of_closed_channels_block_the_peer_and_are_not_lost() -> None:
    async with open_channel(settings=SMALL) as (_, _, peers), trio.open_nursery() as nursery:
        into, ends = trio.open_memory_channel[RTCDataChannel](math.inf)
        nursery.start_soon(fill_and_close, peers, into)
        await trio.sleep(60)
        # The peer may queue more messages, but none has arrived.
        assert await window(peers) < SIZE
        count = 0
        with trio.fail_after(120):
            async for channel in ends:
                assert [message[0] async for message in channel] == list(range(PER_CHANNEL))
                count += 1
        assert count == CHANNELS


async def test_locally_closed_channels_do_not_block_the_peer() -> None:
    """Messages that the peer still sends on them are dropped on arrival."""
    async with open_channel(settings=SMALL) as (mine, theirs, peers), trio.open_nursery() as nursery:
        into, ends = trio.open_memory_channel[RTCDataChannel](math.inf)
        nursery.start_soon(fill_and_close, peers, into)
        with trio.fail_after(120):
            async for channel in ends:
                await trio.sleep(1)
                channel.close()
            await mine.send("still there")
            assert await theirs.receive() == "still there"
            await trio.sleep(10)
        assert await window(peers) > BUFFER - SIZE


async def test_closed_channels_without_references_do_not_block_the_peer() -> None:
    async with (
        open_channel(settings=SMALL) as (_, _, peers),
        peers.bob.subscribe("data_channel") as announced,
    ):
        with trio.fail_after(120):
            for number in range(CHANNELS):
                channel = peers.alice.create_data_channel(f"{number}")
                await channel.opened()
                for index in range(PER_CHANNEL):
                    await channel.send(bytes([index]) * SIZE)
                await channel.aclose()
                ours = (await announced.receive()).channel
                await trio.sleep(1)
                assert ours.ready_state == "closed"
                del ours
                gc.collect()
        peers.alice.create_data_channel("last")
        await announced.receive()
        assert await window(peers) > BUFFER - SIZE


@pytest.mark.parametrize("how", ["read", "dropped"])
async def test_discarding_a_closed_channel_opens_the_window_at_once(how: str) -> None:
    async with open_channel(settings=SMALL) as (mine, theirs, peers):
        kept = [bytes([number]) * SIZE for number in range(9)]
        for message in kept:
            await mine.send(message)
        await mine.aclose()
        await trio.sleep(5)
        assert (await layer_counters(peers.alice, "sctp"))["peer_window"] < SIZE
        if how == "read":
            assert [message async for message in theirs] == kept
        else:
            theirs.close()
        await trio.sleep(0.2)
        assert (await layer_counters(peers.alice, "sctp"))["peer_window"] > BUFFER - 2 * SIZE
