"""Both ends of a WebSocket over a stream in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing

from tests.strategies.websocket_bytes import Frame, handshake, parse_frames
from trio_rtc.errors import ProtocolError
from trio_rtc.signaling.http import read_request_head
from trio_rtc.signaling.opening_handshake import clean_request
from trio_rtc.signaling.token_bucket import TokenBucket
from trio_rtc.signaling.websocket import WebSocket, WebSocketClosed, WebSocketViolation

MAX_SIZE = 100


async def accept(nursery: trio.Nursery, stream: trio.abc.Stream) -> WebSocket:
    head = await read_request_head(stream)
    return await WebSocket.accept(
        nursery,
        stream,
        clean_request(head),
        received=head.rest,
        max_message_size=MAX_SIZE,
        frames=TokenBucket(1e9, 1e9),
    )


@asynccontextmanager
async def both_ends() -> AsyncIterator[tuple[WebSocket, WebSocket]]:
    """Yield the client's and the server's end."""
    ours, theirs = trio.testing.memory_stream_pair()
    ends: dict[str, WebSocket] = {}

    async def accept_it() -> None:
        ends["server"] = await accept(nursery, theirs)

    async with ours, theirs, trio.open_nursery() as nursery:
        nursery.start_soon(accept_it)
        client = await WebSocket.open(
            nursery, ours, "signaling.example", "/?room=r", max_message_size=MAX_SIZE
        )
        await trio.testing.wait_all_tasks_blocked()
        yield client, ends["server"]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def scripted_client(*sent: Frame) -> AsyncIterator[tuple[WebSocket, trio.abc.HalfCloseableStream]]:
    """Yield the server's end and the stream of a client that has sent a handshake and these frames."""
    ours, theirs = trio.testing.memory_stream_pair()
    await ours.send_all(handshake() + b"".join(frame.encode() for frame in sent))
    async with ours, theirs, trio.open_nursery() as nursery:
        yield await accept(nursery, theirs), ours
        nursery.cancel_scope.cancel()


@pytest.mark.usefixtures("autojump_clock")
async def test_messages_in_both_directions() -> None:
    async with both_ends() as (client, server):
        for sender, receiver in ((client, server), (server, client)):
            for text in ("", "snow ☃", "x" * MAX_SIZE):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(sender.send, text)
                    assert await receiver.receive() == text


@pytest.mark.usefixtures("autojump_clock")
async def test_pings_are_answered() -> None:
    async with both_ends() as (client, server):
        with trio.fail_after(1):
            for _ in range(3):
                await client.ping()
                await server.ping()


@pytest.mark.parametrize("closes", ["client", "server"])
@pytest.mark.usefixtures("autojump_clock")
async def test_an_orderly_end_is_not_a_violation(closes: str) -> None:
    async with both_ends() as ends:
        closing, other = ends if closes == "client" else reversed(ends)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(closing.aclose, 4000, "good night")
            with pytest.raises(WebSocketClosed, match=r"^good night \(4000\)$") as raised:
                await other.receive()
        assert (raised.value.code, raised.value.reason) == (4000, "good night")
        for end in (closing, other):
            with pytest.raises(WebSocketClosed):
                await end.send("late")
        with pytest.raises(WebSocketClosed):
            await other.ping()


@pytest.mark.usefixtures("autojump_clock")
async def test_a_broken_connection_has_code_1006() -> None:
    async with scripted_client() as (server, client):
        await client.aclose()
        with pytest.raises(WebSocketClosed) as raised:
            await server.receive()
        assert raised.value.code == 1006


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (Frame(1, b"x" * (MAX_SIZE + 1)), 1009),
        (Frame(1, b"\xff"), 1007),
        (Frame(3), 1002),
        (Frame(1, b"", rsv=4), 1002),
        (Frame(1, b"", mask=None), 1002),
        (Frame(9, b"x" * 126), 1002),
        (Frame(0, b"x"), 1002),
    ],
)
@pytest.mark.usefixtures("autojump_clock")
async def test_a_violation_is_answered_with_its_close_code(sent: Frame, code: int) -> None:
    async with scripted_client(sent) as (server, client):
        with pytest.raises(WebSocketViolation) as raised:
            await server.receive()
        assert raised.value.code == code
        with suppress(trio.BrokenResourceError):
            await server.aclose(code)
        data = bytes(await client.receive_some()).partition(b"\r\n\r\n")[2] or bytes(
            await client.receive_some()
        )
        (opcode, payload), *_ = parse_frames(data)
        assert (opcode, payload[:2]) == (0x88, code.to_bytes(2, "big"))


@pytest.mark.usefixtures("autojump_clock")
async def test_binary_messages_are_refused() -> None:
    async with scripted_client(Frame(2, b"binary")) as (server, _):
        with pytest.raises(ProtocolError, match="must be text, not binary"):
            await server.receive()


@pytest.mark.usefixtures("autojump_clock")
async def test_a_sender_waits_while_no_task_receives() -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()
    async with ours, theirs, trio.open_nursery() as nursery:
        ends: list[WebSocket] = []

        async def accept_it() -> None:
            ends.append(await accept(nursery, theirs))

        nursery.start_soon(accept_it)
        client = await WebSocket.open(nursery, ours, "x", "/", max_message_size=MAX_SIZE)
        sent = 0
        with trio.move_on_after(10):
            while True:
                await client.send("x" * MAX_SIZE)
                sent += 1
        assert sent < 5
        nursery.cancel_scope.cancel()


def test_the_text_of_an_end_has_its_reason_or_the_name_of_its_code() -> None:
    assert str(WebSocketClosed(1001, "")) == "GOING_AWAY (1001)"
    assert str(WebSocketClosed(4503, "room is full")) == "room is full (4503)"
