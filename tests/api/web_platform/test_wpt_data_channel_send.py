"""``send``: types of messages, their order, and the greatest size (W3C webrtc section 6.2)."""

import pytest

from tests.api.web_platform.peers import channel_between, each_kind
from trio_rtc import BinaryType, InvalidStateError, RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_a_connecting_channel_refuses_messages() -> None:
    channel = RTCPeerConnection().create_data_channel("chat")
    assert channel.ready_state == "connecting"
    with pytest.raises(InvalidStateError):
        await channel.send("hello")
    with pytest.raises(InvalidStateError):
        channel.send_nowait("hello")


@each_kind
@pytest.mark.parametrize("binary_type", ["arraybuffer", "blob"])
async def test_text_is_received_as_text_and_bytes_as_bytes(negotiated: bool, binary_type: str) -> None:
    async with channel_between(negotiated=negotiated) as (mine, theirs, _):
        theirs.binary_type = BinaryType(binary_type)
        messages: list[str | bytes] = ["hello", "grüße, 世界", "", b"hello", b"", b"\x00\xff"]
        for message in messages:
            await mine.send(message)
        assert [await theirs.receive() for _ in messages] == messages


@each_kind
async def test_views_of_a_buffer_are_received_as_their_part_of_it(negotiated: bool) -> None:
    async with channel_between(negotiated=negotiated) as (mine, theirs, _):
        buffer = bytearray(b"0123456789")
        await mine.send(buffer)
        await mine.send(memoryview(buffer)[2:5])
        await mine.send(memoryview(buffer)[::2])
        assert [await theirs.receive() for _ in range(3)] == [b"0123456789", b"234", b"02468"]


@each_kind
async def test_messages_of_all_types_keep_the_order_of_their_calls(negotiated: bool) -> None:
    async with channel_between(negotiated=negotiated) as (mine, theirs, _):
        received: list[str | bytes] = []
        theirs.on_message = lambda event: received.append(event.data)
        messages: list[str | bytes | bytearray | memoryview] = [
            bytes(65536),
            "text",
            bytearray(8),
            memoryview(b"view"),
        ]
        for message in messages:
            mine.send_nowait(message)
        await mine.aclose()
        assert received == [bytes(65536), "text", bytes(8), b"view"]


@each_kind
async def test_every_size_up_to_the_maximum(negotiated: bool) -> None:
    async with channel_between(negotiated=negotiated) as (mine, theirs, peers):
        assert peers.alice.sctp is not None
        limit = peers.alice.sctp.max_message_size
        assert limit is not None
        message = "12345678"
        while len(message) <= limit:
            await mine.send(message)
            assert await theirs.receive() == message
            message += message
        with pytest.raises(TypeError):
            await mine.send(message)
        assert mine.ready_state == "open"


async def test_small_unordered_messages_overtake_a_large_one_and_stay_apart() -> None:
    async with channel_between(negotiated=False) as (_, _, peers):
        ends = [
            pc.create_data_channel("unordered", negotiated=True, id=20, ordered=False)
            for pc in (peers.alice, peers.bob)
        ]
        for end in ends:
            await end.opened()
        mine, theirs = ends
        mine.send_nowait("a" * 262_144)
        for _ in range(100):
            mine.send_nowait("small")
        received = [await theirs.receive() for _ in range(101)]
        assert sorted(received, key=len) == ["small"] * 100 + ["a" * 262_144]
