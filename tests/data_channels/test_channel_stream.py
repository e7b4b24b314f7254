"""Byte streams over data channels."""

import functools

import pytest
import trio
import trio.testing

from tests.strategies.peers import channel_pair, open_channel, two_peers
from trio_rtc import Settings

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_a_stream_carries_bytes_in_both_directions() -> None:
    async with two_peers() as peers:
        mine, theirs = await channel_pair(peers.alice, peers.bob)
        left, right = mine.as_stream(), theirs.as_stream()
        payload = bytes(range(256)) * 2000

        async def send() -> None:
            await left.send_all(payload)
            await left.send_eof()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            received = b"".join([piece async for piece in right])
        assert received == payload
        await right.send_all(b"still open")
        assert await left.receive_some(5) == b"still"
        assert await left.receive_some(100) == b" open"


async def test_a_stream_sends_pieces_within_the_default_message_size() -> None:
    """Without a limit in the peer's description, 65536 bytes are the maximum (RFC 8841 section 6.1)."""
    async with open_channel() as (mine, theirs, _):
        payload = bytes(range(256)) * 512 + b"rest"
        await mine.as_stream().send_all(payload)
        pieces = [await theirs.receive() for _ in range(3)]
        assert [len(piece) for piece in pieces] == [65536, 65536, 4]
        assert b"".join(piece for piece in pieces if isinstance(piece, bytes)) == payload


async def test_wait_send_all_might_not_block() -> None:
    async with open_channel(settings=Settings(send_high_water_mark=10_000)) as (mine, _, _):
        stream = mine.as_stream()
        # More than the receive buffer of the peer.
        with trio.move_on_after(5):
            await stream.send_all(bytes(10_000_000))
        with trio.move_on_after(5) as scope:
            await stream.wait_send_all_might_not_block()
        assert scope.cancelled_caught


async def test_the_end_of_a_stream_is_final() -> None:
    async with open_channel() as (mine, theirs, _):
        left, right = mine.as_stream(), theirs.as_stream()
        await left.send_eof()
        await mine.send(b"behind the end")
        with trio.fail_after(1):
            assert [await right.receive_some() for _ in range(3)] == [b"", b"", b""]


async def test_a_stream_rejects_concurrent_readers_and_use_after_closing() -> None:
    async with open_channel() as (mine, _, _):
        stream = mine.as_stream()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.receive_some)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await stream.receive_some()
            nursery.cancel_scope.cancel()
        with pytest.raises(ValueError, match="max_bytes"):
            await stream.receive_some(0)
        await stream.send_eof()
        await stream.send_eof()
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_all(b"x")


async def test_a_stream_rejects_concurrent_senders() -> None:
    async with open_channel(settings=Settings(send_high_water_mark=10_000)) as (mine, _, _):
        stream = mine.as_stream()
        async with trio.open_nursery() as nursery:
            # The peer does not read: this fills its receive buffer and waits.
            nursery.start_soon(stream.send_all, bytes(20_000_000))
            await trio.sleep(10)
            for send in (
                functools.partial(stream.send_all, b"x"),
                stream.wait_send_all_might_not_block,
                stream.send_eof,
            ):
                with pytest.raises(trio.BusyResourceError), trio.fail_after(1):
                    await send()
            nursery.cancel_scope.cancel()


async def test_a_stream_needs_an_ordered_reliable_channel() -> None:
    async with open_channel(ordered=False) as (mine, _, _):
        with pytest.raises(ValueError, match="ordered"):
            mine.as_stream()
