"""The server: handshakes, limits of connections, and unexpected exceptions."""

import logging
from collections.abc import Iterator, Mapping

import pytest
import trio
import trio.testing
from trio_websocket import ConnectionClosed

from tests.strategies.signaling_streams import connected, in_room, open_stream, raw_websocket, reply_to
from tests.strategies.websocket_bytes import (
    handshake,
)
from trio_rtc.signaling import CloseCode, Page, RoomLimits, ServerCounts, ServerOptions, SignalingServer

HANDSHAKE = (
    b"GET /?room=r HTTP/1.1\r\nHost: signaling.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\n", HANDSHAKE.replace(b"Sec-WebSocket-Key", b"Nothing")]
)
async def test_incomplete_handshake_times_out(sent: bytes, autojump_clock: trio.testing.MockClock) -> None:
    server = SignalingServer(options=ServerOptions(handshake_timeout=10))
    async with trio.open_nursery() as nursery:
        stream = open_stream(server, nursery)
        started = trio.current_time()
        await stream.send_all(sent)
        while await stream.receive_some():
            pass
        assert trio.current_time() - started <= 10.1
        await stream.aclose()


async def test_connections_over_the_limit_are_rejected(autojump_clock: trio.testing.MockClock) -> None:
    server = SignalingServer(options=ServerOptions(max_connections=1))
    async with in_room(server, "r"), trio.open_nursery() as nursery:
        stream = open_stream(server, nursery)
        await stream.send_all(HANDSHAKE)
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 503 ")
        await stream.aclose()


async def test_rejected_connection_that_does_not_read_is_closed_in_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = SignalingServer(options=ServerOptions(connection_burst=0, close_timeout=2))
    ours, theirs = trio.testing.lockstep_stream_pair()
    started = trio.current_time()
    await server.handle_stream(theirs, address="192.0.2.1")
    assert trio.current_time() - started == pytest.approx(2)
    assert (server.counts().rate_limited, server.counts().failed) == (1, 0)
    await ours.aclose()


@pytest.mark.parametrize(
    ("hosts", "host", "status"),
    [
        (frozenset(), b"rebound.example:8080", 403),
        (frozenset(), b"127.0.0.1:8080", 101),
        (frozenset({"signaling.example"}), b"signaling.example:8080", 101),
        (frozenset({"signaling.example"}), b"rebound.example:8080", 403),
        (frozenset({"*"}), b"rebound.example:8080", 101),
    ],
)
async def test_page_with_dns_rebinding_may_not_connect(
    hosts: frozenset[str], host: bytes, status: int, autojump_clock: trio.testing.MockClock
) -> None:
    server = SignalingServer(options=ServerOptions(hosts=hosts))
    async with connected(server) as stream:
        await stream.send_all(handshake((b"Host", host), (b"Origin", b"http://" + host)))
        assert (await stream.receive_some()).startswith(f"HTTP/1.1 {status} ".encode())


class BrokenPages(Mapping[str, Page]):
    """Pages whose lookup raises an unexpected exception."""

    def __getitem__(self, path: str) -> Page:
        raise ZeroDivisionError(path)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 1


async def test_unexpected_exception_ends_one_connection_and_is_logged_and_counted(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    server = SignalingServer(pages=BrokenPages())
    with caplog.at_level(logging.WARNING, "trio_rtc.signaling"):
        async with in_room(server, "r") as bystander:
            for _ in range(30):
                assert await reply_to(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b""
            async with in_room(server, "r") as other:
                await (await other.receive()).send({"going": "on"})
                assert await (await bystander.receive()).receive() == {"going": "on"}
    assert server.counts().failed == 30
    assert server.counts().entered == 2
    # Warnings are limited, since a client must not fill the log.
    assert len(caplog.records) == 10
    assert "ended a connection" in caplog.records[0].getMessage()
    assert caplog.records[0].exc_info is not None


@pytest.mark.usefixtures("autojump_clock")
async def test_outcomes_of_connections_are_counted() -> None:
    server = SignalingServer(pages={"/": Page(b"hello")})
    assert (await reply_to(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")).endswith(b"\r\n\r\nhello")
    refused = HANDSHAKE.replace(b"Version: 13", b"Version: 12")
    assert (await reply_to(server, refused)).startswith(b"HTTP/1.1 426 ")
    async with in_room(server, "r"), in_room(server, "r"):
        assert server.occupancy() == {"r": ("1", "2")}
        assert server.counts() == ServerCounts(accepted=4, entered=2, refused=1)
    assert server.occupancy() == {}


@pytest.mark.usefixtures("autojump_clock")
async def test_a_room_that_cannot_be_entered_ends_the_connection_with_its_code() -> None:
    server = SignalingServer(options=ServerOptions(limits=RoomLimits(members=1)))
    async with in_room(server, "r"):
        for room, code in (("r", CloseCode.FULL), ("", CloseCode.BAD_ROOM), ("x" * 200, CloseCode.BAD_ROOM)):
            async with raw_websocket(server, room) as websocket:
                with pytest.raises(ConnectionClosed) as raised:
                    await websocket.get_message()
                assert raised.value.reason is not None
                assert raised.value.reason.code == code
    assert server.counts().dismissed == 3
