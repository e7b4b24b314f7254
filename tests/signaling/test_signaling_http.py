from functools import partial

import pytest
import trio
import trio.testing

from trio_rtc import signaling
from trio_rtc.signaling import Page, ServerOptions, SignalingServer
from trio_rtc.signaling.http import MAX_HEAD_LINES

PAGES = {"/": Page(b"<p>hello", headers={"Content-Security-Policy": "default-src 'none'"})}


async def exchange(server: SignalingServer, request: bytes) -> tuple[str, bytes]:
    """Send a request, and return the head and body of the response."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery, ours:
        nursery.start_soon(server.handle_stream, theirs)
        await ours.send_all(request)
        response = b"".join([bytes(data) async for data in ours])
    head, _, body = response.partition(b"\r\n\r\n")
    return head.decode("latin-1"), body


def handshake(origin: str) -> bytes:
    return (
        b"GET /?room=r HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        + (f"Origin: {origin}\r\n".encode() if origin else b"")
        + b"\r\n"
    )


@pytest.mark.parametrize(
    ("request_line", "status", "body"),
    [
        (b"GET / HTTP/1.1", "200 OK", b"<p>hello"),
        (b"GET /?query HTTP/1.1", "200 OK", b"<p>hello"),
        (b"GET /elsewhere HTTP/1.1", "404 Not Found", b"No such page.\n"),
        (b"GET /../etc/passwd HTTP/1.1", "404 Not Found", b"No such page.\n"),
        (b"HEAD / HTTP/1.1", "200 OK", b""),
        (b"POST / HTTP/1.1", "405 Method Not Allowed", b"Only GET and HEAD.\n"),
    ],
)
async def test_plain_requests_are_answered_from_the_pages(
    request_line: bytes, status: str, body: bytes
) -> None:
    head, received = await exchange(SignalingServer(PAGES), request_line + b"\r\nHost: x\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}\r\n")
    assert received == body
    assert "Content-Length: " in head
    if status == "200 OK":
        assert "Content-Security-Policy: default-src 'none'" in head
        assert "Content-Length: 8" in head


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        (None, "", 101),
        (None, "http://127.0.0.1:8080", 101),
        (None, "http://127.0.0.1:8081", 403),
        (None, "https://evil.example", 403),
        (None, "null", 403),
        (frozenset({"https://app.example"}), "https://app.example", 101),
        (frozenset({"https://app.example"}), "http://127.0.0.1:8080", 403),
        (frozenset({"https://app.example"}), "", 101),
        (frozenset({"*"}), "https://evil.example", 101),
        (frozenset(), "http://127.0.0.1:8080", 403),
    ],
)
async def test_foreign_pages_may_not_connect(
    origins: frozenset[str] | None, origin: str, status: int, autojump_clock: trio.testing.MockClock
) -> None:
    server = SignalingServer(options=ServerOptions(origins=origins))
    head, _ = await exchange(server, handshake(origin))
    assert head.startswith(f"HTTP/1.1 {status} ")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"x: y\r\n" * 4000,
        b"\x16\x03\x01\x02\0\x01\0\r\n\r\n",
    ],
)
async def test_bytes_that_are_not_http_get_no_answer(request_bytes: bytes) -> None:
    assert await exchange(SignalingServer(PAGES), request_bytes) == ("", b"")


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
@pytest.mark.parametrize(("lines", "is_answered"), [(MAX_HEAD_LINES, True), (MAX_HEAD_LINES + 1, False)])
async def test_the_lines_of_a_head_are_bounded(lines: int, line_end: bytes, is_answered: bool) -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\n" + (b"a:" + line_end) * (lines - 3) + b"b: c\r\n\r\n"
    head, _ = await exchange(SignalingServer(PAGES), request + b"\n" * MAX_HEAD_LINES)
    assert bool(head) is is_answered


async def test_pages_and_rooms_share_a_port() -> None:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(signaling.serve, pages=PAGES))
        async with signaling.connect(f"ws://127.0.0.1:{server.port}/", room="r"):
            stream = await trio.open_tcp_stream("127.0.0.1", server.port)
            async with stream:
                await stream.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                response = b"".join([bytes(data) async for data in stream])
            assert response.endswith(b"\r\n\r\n<p>hello")
        nursery.cancel_scope.cancel()
