"""A stream that passes on whole frame headers at a limited rate."""

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.websocket_bytes import Frame
from trio_rtc.signaling.framed_stream import MAX_CONSECUTIVE_FRAMES, ClientFramedStream, FramedStream
from trio_rtc.signaling.opening_handshake import HandshakeError
from trio_rtc.signaling.token_bucket import TokenBucket
from trio_rtc.testing import run

PING, TEXT, CLOSE = 9, 1, 8


def framed(
    handshake: bytes = b"", received: bytes = b"", frames: TokenBucket | None = None
) -> tuple[trio.abc.HalfCloseableStream, FramedStream]:
    ours, theirs = trio.testing.memory_stream_pair()
    stream = FramedStream(theirs, handshake, received, frames)
    stream.start(bytes)
    return ours, stream


async def read_all(stream: trio.abc.ReceiveStream) -> list[bytes]:
    reads = []
    while data := await stream.receive_some():
        reads.append(bytes(data))
    return reads


async def test_the_handshake_is_the_first_read_and_bytes_after_it_follow() -> None:
    ours, stream = framed(b"GET / HTTP/1.1\r\n\r\n", Frame(TEXT, b"one").encode())
    assert await stream.receive_some() == b"GET / HTTP/1.1\r\n\r\n"
    assert await stream.receive_some() == Frame(TEXT, b"one").encode()
    await ours.aclose()
    assert await stream.receive_some() == b""


@pytest.mark.usefixtures("autojump_clock")
async def test_no_frame_is_returned_before_the_start() -> None:
    _, theirs = trio.testing.memory_stream_pair()
    stream = FramedStream(theirs, b"head", Frame(TEXT, b"one").encode())
    assert await stream.receive_some() == b"head"
    with trio.move_on_after(10) as scope:
        await stream.receive_some()
    assert scope.cancelled_caught
    stream.start(bytes)
    assert await stream.receive_some() == Frame(TEXT, b"one").encode()


@pytest.mark.parametrize("count", [MAX_CONSECUTIVE_FRAMES, MAX_CONSECUTIVE_FRAMES + 1])
async def test_a_read_returns_a_bounded_number_of_frames(count: int) -> None:
    ours, stream = framed()
    frame = Frame(PING, b"").encode()
    await ours.send_all(frame * count)
    await ours.aclose()
    reads = await read_all(stream)
    assert [len(data) // len(frame) for data in reads] == ([16] if count == 16 else [16, 1])


FRAMES = st.builds(Frame, st.sampled_from([TEXT, PING, 0, 2]), st.binary(max_size=70_000 // 100))


@given(st.lists(FRAMES, max_size=6), st.sampled_from([1, 3, 1000]))
def test_frames_in_any_pieces_are_passed_on_unchanged(frames: list[Frame], size: int) -> None:
    async def main() -> None:
        ours, stream = framed()
        data = b"".join(frame.encode() for frame in frames)
        reads: list[bytes] = []

        async def read() -> None:
            reads.extend(await read_all(stream))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            for begin in range(0, len(data), size):
                await ours.send_all(data[begin : begin + size])
            await ours.aclose()
        assert b"".join(reads) == data

    run(main)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
async def test_all_forms_of_the_length(size: int) -> None:
    """RFC 6455 section 5.2: lengths of 7, 16 and 64 bits."""
    ours, stream = framed()
    data = Frame(TEXT, bytes(size)).encode() + Frame(CLOSE, b"\3\xe8").encode()
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            await ours.send_all(data)
            await ours.aclose()

        nursery.start_soon(send)
        assert b"".join(await read_all(stream)) == data
    # The close frame was recognized behind the payload.
    assert stream.close_received


@pytest.mark.usefixtures("autojump_clock")
async def test_frames_are_returned_at_the_allowed_rate() -> None:
    ours, stream = framed(frames=TokenBucket(rate=10, burst=16))
    await ours.send_all(Frame(PING, b"").encode() * 160)
    await ours.aclose()
    begun = trio.current_time()
    assert len(await read_all(stream)) == 10
    assert trio.current_time() - begun == pytest.approx((160 - 16) / 10)


async def test_a_payload_that_looks_like_a_close_frame_is_none() -> None:
    ours, stream = framed()
    await ours.send_all(Frame(TEXT, b"\x88\x00\x88\x00").encode())
    await ours.aclose()
    await read_all(stream)
    assert not stream.close_received


@pytest.mark.usefixtures("autojump_clock")
async def test_the_pending_close_frame_is_sent_once_before_closing() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    stream = FramedStream(theirs)
    stream.start(lambda: b"\x88\x02\x03\xea")
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(stream.send_close_frame)
    assert stream.failed
    with pytest.raises(trio.BrokenResourceError, match="failed by this side"):
        await stream.send_all(b"late")
    await stream.aclose()
    assert b"".join(await read_all(ours)) == b"\x88\x02\x03\xea"


async def test_no_close_frame_follows_another() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    stream = FramedStream(theirs)
    stream.start(lambda: b"\x88\x02\x03\xea")
    await stream.send_all(b"\x88\x00")
    await stream.aclose()
    assert (stream.close_sent, stream.failed) == (True, False)
    assert b"".join(await read_all(ours)) == b"\x88\x00"


@pytest.mark.usefixtures("autojump_clock")
async def test_close_frames_to_a_side_that_does_not_read_are_abandoned() -> None:
    _, theirs = trio.testing.lockstep_stream_pair()
    stream = FramedStream(theirs)
    stream.start(lambda: b"\x88\x00")
    begun = trio.current_time()
    await stream.aclose()
    assert trio.current_time() - begun == pytest.approx(1.0)


async def test_a_client_checks_the_response_before_the_frames() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    stream = ClientFramedStream(theirs)
    stream.start(bytes)
    await stream.send_all(b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    response = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    await ours.send_all(response.replace(b"\r\n\r\n", b"\r\nX-Hostile: \xff\r\n\r\n") + b"\x81\x01x")
    assert await stream.receive_some() == response
    assert await stream.receive_some() == b"\x81\x01x"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 403 Forbidden\r\n\r\n", b""])
async def test_a_rejected_handshake_raises(answer: bytes) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    stream = ClientFramedStream(theirs)
    await stream.send_all(b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    if answer:
        await ours.send_all(answer)
    await ours.aclose()
    with pytest.raises(HandshakeError, match="403 Forbidden" if answer else "closed the connection"):
        await stream.receive_some()
