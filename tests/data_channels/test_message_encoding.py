"""Messages of all types, and messages retained after the end of their channel."""

import pytest
import trio
import trio.testing

from tests.strategies.peers import channel_pair, open_channel
from trio_rtc import RTCDataChannel

pytestmark = pytest.mark.usefixtures("autojump_clock")
MESSAGES: list[str | bytes] = ["one", b"two", "", b"", "five"]


async def unread_channel(mine: RTCDataChannel) -> None:
    for message in MESSAGES:
        await mine.send(message)


@pytest.mark.parametrize(
    "message",
    ["hello", "", b"", b"\x00\xff", "grüße 🌍", "x" * 262144, bytes(range(256)) * 1024],
    ids=["text", "empty text", "empty binary", "binary", "unicode", "long text", "long binary"],
)
async def test_messages_arrive_unchanged(message: str | bytes) -> None:
    async with open_channel() as (mine, theirs, _):
        await mine.send(message)
        received = await theirs.receive()
        assert received == message
        assert type(received) is type(message)
        await theirs.send(message)
        assert await mine.receive() == message


@pytest.mark.parametrize("wrap", [bytearray, memoryview])
async def test_anything_bytes_like_can_be_sent(wrap: type[bytearray] | type[memoryview]) -> None:
    async with open_channel() as (mine, theirs, _):
        await mine.send(wrap(b"data"))
        assert await theirs.receive() == b"data"


async def test_a_buffer_may_change_as_soon_as_it_is_sent() -> None:
    async with open_channel() as (mine, theirs, _):
        buffer = bytearray(b"before")
        mine.send_nowait(buffer)
        buffer[:] = b"behind"
        await mine.send(buffer)
        buffer[:] = b"neither"
        assert [await theirs.receive() for _ in range(2)] == [b"before", b"behind"]


@pytest.mark.parametrize("wrong", [5, None, ["x"]])
async def test_other_types_are_rejected(wrong: object) -> None:
    async with open_channel() as (mine, _, _):
        with pytest.raises(TypeError):
            await mine.send(wrong)  # type: ignore[arg-type]


async def test_unread_messages_of_a_channel_that_the_peer_has_closed_are_received_in_order() -> None:
    async with open_channel() as (mine, theirs, peers):
        await unread_channel(mine)
        await mine.aclose()
        await trio.sleep(1)
        assert theirs.ready_state == "closed"
        assert [await theirs.receive() for _ in range(2)] == MESSAGES[:2]
        # The id of the channel may be reused meanwhile.
        again, theirs_again = await channel_pair(peers.alice, peers.bob, "again")
        await again.send("of the next channel")
        assert [message async for message in theirs] == MESSAGES[2:]
        with pytest.raises(trio.EndOfChannel):
            await theirs.receive()
        assert await theirs_again.receive() == "of the next channel"


async def test_unread_messages_of_a_locally_closed_channel_are_dropped() -> None:
    async with open_channel() as (mine, theirs, _):
        await unread_channel(mine)
        await trio.sleep(1)
        theirs.close()
        with pytest.raises(trio.ClosedResourceError):
            await theirs.receive()
        await trio.sleep(1)
        assert theirs.ready_state == mine.ready_state == "closed"
        with pytest.raises(trio.ClosedResourceError):
            await theirs.receive()


async def test_unread_messages_of_a_channel_that_both_have_closed_are_dropped() -> None:
    async with open_channel() as (mine, theirs, _):
        await unread_channel(mine)
        await mine.aclose()
        await trio.sleep(1)
        assert await theirs.receive() == MESSAGES[0]
        theirs.close()
        with pytest.raises(trio.EndOfChannel):
            await theirs.receive()
