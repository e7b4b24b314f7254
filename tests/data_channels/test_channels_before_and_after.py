"""Channels before the connection is established and after its end: received messages and waiting senders."""

import pytest
import trio
import trio.testing

from tests.strategies.peers import connect, open_channel, two_peers
from trio_rtc import RTCPeerConnection, Settings

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_receive_on_a_negotiated_channel_before_the_connection() -> None:
    async with two_peers() as peers:
        mine, theirs = (
            pc.create_data_channel("chat", negotiated=True, id=4) for pc in (peers.alice, peers.bob)
        )
        received: list[str | bytes] = []

        async def receive() -> None:
            received.extend([await theirs.receive() for _ in range(2)])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            assert received == []
            await connect(peers.alice, peers.bob)
            await mine.opened()
            await mine.send("first")
            await mine.send(b"second")
        assert received == ["first", b"second"]


@pytest.mark.parametrize("by_peer", [False, True])
async def test_receive_on_a_channel_that_never_opens_ends_with_it(by_peer: bool) -> None:
    async with two_peers() as peers:
        channel = peers.alice.create_data_channel("chat", negotiated=True, id=4)
        peers.bob.create_data_channel("other")
        raised: list[type[BaseException]] = []

        async def receive() -> None:
            try:
                await channel.receive()
            except (trio.ClosedResourceError, trio.BrokenResourceError, trio.EndOfChannel) as error:
                raised.append(type(error))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            if by_peer:
                await connect(peers.alice, peers.bob)
                await trio.sleep(1)
                assert raised == []
                peers.bob.close()
            else:
                channel.close()
        assert raised == ([trio.EndOfChannel] if by_peer else [trio.ClosedResourceError])


async def test_a_sender_waits_for_room_in_the_buffer() -> None:
    async with open_channel(settings=Settings(send_high_water_mark=10_000)) as (mine, theirs, _):
        while True:
            try:
                mine.send_nowait(bytes(5_000))
            except trio.WouldBlock:
                break
        assert 10_000 <= mine.buffered_amount < 15_000
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mine.wait_for_room)
            with trio.fail_after(5):
                await theirs.receive()
        mine.send_nowait(b"again")


async def test_a_sender_that_waits_for_room_sends_nothing_after_the_close() -> None:
    async with open_channel(settings=Settings(send_high_water_mark=10_000)) as (mine, theirs, _):
        sent = 0
        # Until the receive buffer of the peer, which does not read, is full.
        with trio.move_on_after(10):
            while True:
                await mine.send(bytes(50_000))
                sent += 1

        async def send_late() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await mine.send(b"late")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_late)
            await trio.testing.wait_all_tasks_blocked()
            mine.close()
            assert [message async for message in theirs] == [bytes(50_000)] * sent


async def test_a_lifetime_is_in_milliseconds() -> None:
    async with open_channel(max_packet_life_time=100) as (mine, theirs, peers):
        peers.network.partition(peers.hosts[0].name, peers.hosts[1].name)
        mine.send_nowait("late")
        await trio.sleep(3)
        peers.network.heal(peers.hosts[0].name, peers.hosts[1].name)
        await mine.send("in time")
        assert await theirs.receive() == "in time"


async def test_buffered_amount_before_and_after_the_connection() -> None:
    async with two_peers() as peers:
        mine = peers.alice.create_data_channel("chat", negotiated=True, id=4)
        peers.bob.create_data_channel("chat", negotiated=True, id=4)
        assert mine.buffered_amount == 0
        await connect(peers.alice, peers.bob)
        await mine.opened()
        # More than the receive buffer of the peer.
        while mine.buffered_amount < 500_000:
            mine.send_nowait(bytes(200_000))
            await trio.sleep(1)
        left = mine.buffered_amount
        assert left > 0
    assert mine.buffered_amount == left


async def test_a_cancelled_block_raises_only_the_cancellation() -> None:
    """It is not a group of one, and no code after the block runs."""
    left_by: list[type[BaseException] | None] = []
    async with two_peers() as peers:
        with trio.CancelScope() as scope:
            try:
                async with RTCPeerConnection(settings=Settings(network=peers.hosts[0])):
                    scope.cancel()
                    await trio.lowlevel.checkpoint()
            except BaseException as error:
                left_by.append(type(error))
                raise
            left_by.append(None)
        assert left_by == [trio.Cancelled]
        assert scope.cancelled_caught


async def test_a_cancellation_after_the_last_checkpoint_of_a_block_is_not_raised() -> None:
    """As at the end of a trio nursery, which raises no cancellation when its block and tasks have ended."""
    passed: list[str] = []
    async with two_peers() as peers:
        with trio.CancelScope() as scope:
            async with RTCPeerConnection(settings=Settings(network=peers.hosts[0])) as connection:
                scope.cancel()
            passed.append(connection.connection_state)
            await trio.lowlevel.checkpoint()
            passed.append("checkpoint")
        assert passed == ["closed"]
        assert scope.cancelled_caught
