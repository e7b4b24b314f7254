import json
from contextlib import suppress

import pytest
import trio
import trio.testing
from hypothesis import example, given
from hypothesis import strategies as st
from trio_websocket import ConnectionClosed, WebSocketConnection
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, TextMessage

from tests.strategies.signaling_streams import in_room, open_stream, raw_websocket
from trio_rtc.signaling import ClientOptions, CloseCode, Page, RoomLimits, ServerOptions, SignalingServer
from trio_rtc.signaling.client import Endpoint, enter
from trio_rtc.testing import run

HANDSHAKE = (
    b"GET /?room=r HTTP/1.1\r\nHost: signaling.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def end_of(websocket: WebSocketConnection) -> int:
    """Read until the server ends the connection, and return its code."""
    try:
        with trio.fail_after(10):
            while True:
                await websocket.get_message()
    except ConnectionClosed as closed:
        return closed.reason.code if closed.reason else 0


async def test_member_that_left_before_it_was_received_is_never_received(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = SignalingServer()
    async with in_room(server, "r") as first:
        async with in_room(server, "r"):
            await trio.testing.wait_all_tasks_blocked()
            assert len(first.peers) == 1
        await trio.testing.wait_all_tasks_blocked()
        async with in_room(server, "r") as third:
            assert (await first.receive()).id == third.id


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        "{",
        "[" * 60_000,
        '{"data": 3}',
        b"binary",
        '{"data": {"n": NaN}}',
        '{"data": {"n": 1e999}}',
        '{"data": {"n": "\\ud800"}}',
    ],
)
async def test_invalid_message_ends_only_its_connection(
    message: str | bytes, autojump_clock: trio.testing.MockClock
) -> None:
    server = SignalingServer()
    async with in_room(server, "r") as bystander, raw_websocket(server, "r") as websocket:
        peer = await bystander.receive()
        await websocket.send_message(message)
        assert await end_of(websocket) == CloseCode.BAD_MESSAGE
        with pytest.raises(trio.EndOfChannel):
            await peer.receive()
        async with in_room(server, "r") as next_one:
            await (await next_one.receive()).send({"going": "on"})
            assert await (await bystander.receive()).receive() == {"going": "on"}


async def test_oversized_message_is_rejected(autojump_clock: trio.testing.MockClock) -> None:
    server = SignalingServer(options=ServerOptions(max_message_size=100))
    async with raw_websocket(server, "r") as websocket:
        await websocket.send_message("x" * 101)
        assert await end_of(websocket) == 1009


async def test_flood_is_read_at_the_allowed_rate(autojump_clock: trio.testing.MockClock) -> None:
    server = SignalingServer(options=ServerOptions(message_rate=10, message_burst=20))
    async with in_room(server, "r") as reader, in_room(server, "r") as flooder:
        peer = await flooder.receive()
        from_flooder = await reader.receive()
        started = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def flood() -> None:
                for number in range(120):
                    await peer.send({"number": number})

            nursery.start_soon(flood)
            for number in range(120):
                assert await from_flooder.receive() == {"number": number}
        assert trio.current_time() - started == pytest.approx((120 - 20) / 10, abs=0.2)


async def test_slow_reader_is_closed_and_delays_no_other_member(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limits = RoomLimits(queued_messages=10)
    server = SignalingServer(options=ServerOptions(limits=limits, message_rate=1e6, message_burst=1e6))
    async with raw_websocket(server, "r", lockstep=True) as slow:
        assert json.loads(await slow.get_message())["type"] == "welcome"
        async with in_room(server, "r") as sender, in_room(server, "r") as reader:
            started = trio.current_time()
            to_slow = await sender.receive()
            to_reader = await sender.receive()
            with suppress(trio.BrokenResourceError):  # closed before all is sent
                for number in range(20):
                    await to_slow.send({"number": number})
            await to_reader.send({"number": -1})
            while (peer := await reader.receive()).id != sender.id:
                pass
            assert await peer.receive() == {"number": -1}
            assert trio.current_time() == started
            with pytest.raises(trio.EndOfChannel):
                await to_slow.receive()


async def test_client_that_answers_no_ping_is_closed(autojump_clock: trio.testing.MockClock) -> None:
    server = SignalingServer(options=ServerOptions(ping_interval=20, ping_timeout=10, close_timeout=2))
    async with trio.open_nursery() as nursery:
        stream = open_stream(server, nursery)
        await stream.send_all(HANDSHAKE)
        await trio.testing.wait_all_tasks_blocked()
        assert server.occupancy() == {"r": ("1",)}
        started = trio.current_time()
        while await stream.receive_some():
            pass
        assert trio.current_time() - started == pytest.approx(32, abs=1)
        assert server.occupancy() == {}
        await stream.aclose()


async def test_client_that_answers_pings_stays(autojump_clock: trio.testing.MockClock) -> None:
    server = SignalingServer()
    async with in_room(server, "r") as first, in_room(server, "r") as second:
        await trio.sleep(3600)
        await (await first.receive()).send({"still": "here"})
        assert await (await second.receive()).receive() == {"still": "here"}


async def test_client_notices_a_server_that_answers_no_ping(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()

    async def send_only_a_welcome() -> None:
        websocket = WSConnection(ConnectionType.SERVER)
        websocket.receive_data(bytes(await theirs.receive_some()))
        await theirs.send_all(websocket.send(AcceptConnection()))
        await theirs.send_all(websocket.send(TextMessage('{"type": "welcome", "id": "2", "members": ["1"]}')))

    async with theirs, trio.open_nursery() as nursery:
        nursery.start_soon(send_only_a_welcome)
        options = ClientOptions(ping_interval=5, ping_timeout=5)
        async with ours, enter(ours, Endpoint.parse("ws://signaling.example/", "r"), options) as room:
            peer = await room.receive()
            started = trio.current_time()
            with pytest.raises(trio.BrokenResourceError, match="does not answer"):
                await room.receive()
            assert trio.current_time() - started == pytest.approx(10)
            with pytest.raises(trio.BrokenResourceError, match="does not answer"):
                await peer.send({})


@given(
    parts=st.lists(
        st.binary(max_size=300)
        | st.sampled_from(
            [HANDSHAKE, b"\r\n\r\n", b"GET / HTTP/1.1\r\n", b"\x89\x80", b"\x81\xfe", b"\x88\x80"]
        )
        | st.builds(lambda cut: HANDSHAKE[:cut], st.integers(0, len(HANDSHAKE))),
        max_size=6,
    )
)
@example([HANDSHAKE, b"\x88\x80\0\0\0\0", b"\x89\x80\0\0\0\0"])
@example([HANDSHAKE, b"\x81\x01x"])
@example([HANDSHAKE, b"\xff" * 20])
@example([b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n"])
@example([b"GET /?" + b"a=1&" * 100 + b" HTTP/1.1\r\nHost: x\r\n\r\n"])
@example([b"x" * 20_000])
def test_arbitrary_bytes_affect_no_other_client(parts: list[bytes]) -> None:
    run(send_beside_another_client, parts)


async def send_beside_another_client(parts: list[bytes]) -> None:
    server = SignalingServer(pages={"/": Page(b"hello")})
    async with in_room(server, "r") as bystander, trio.open_nursery() as nursery:
        stream = open_stream(server, nursery)
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            for part in parts:
                await stream.send_all(part)
        await stream.send_eof()
        while await stream.receive_some():
            pass
        await stream.aclose()
        await trio.sleep(30)
        assert server.occupancy() == {"r": (bystander.id,)}
