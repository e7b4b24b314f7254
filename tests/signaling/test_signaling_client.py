"""The client raises its documented errors at once for a server that is invalid, hostile or ending."""

import json
import re
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
import trio.testing
from hypothesis import example, given
from hypothesis import strategies as st
from wsproto.utilities import generate_accept_token

from tests.strategies.tls_server import self_signed
from tests.strategies.websocket_bytes import Frame, frames, head, hostile_heads, hostile_values
from trio_rtc import signaling
from trio_rtc.signaling import ClientOptions, SignalingError
from trio_rtc.signaling.client import Endpoint, enter
from trio_rtc.testing import run

SWITCHING = b"HTTP/1.1 101 Switching Protocols"
ENDPOINT = Endpoint.parse("ws://signaling.example/", "r")
WELCOME = {"type": "welcome", "id": "2", "members": ["1"]}


def accepting(key: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Accept", generate_accept_token(key)),
    )


def accept(key: bytes) -> bytes:
    return head(SWITCHING, accepting(key))


def text(message: object) -> bytes:
    encoded = message if isinstance(message, bytes) else json.dumps(message).encode()
    return Frame(1, encoded, mask=None).encode()


def close(code: int, reason: str = "") -> bytes:
    return Frame(8, struct.pack("!H", code) + reason.encode(), mask=None).encode()


async def serve_script(
    stream: trio.abc.HalfCloseableStream, script: Callable[[bytes], bytes], *, ends: bool
) -> None:
    """Read a handshake, and answer with the script's result for its key."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        received += await stream.receive_some()
    found = re.search(rb"Sec-WebSocket-Key: (\S+)", received)
    assert found is not None
    answer = script(found[1])
    if answer:
        await stream.send_all(answer)
    if ends:
        await stream.send_eof()


@asynccontextmanager
async def scripted_server(
    script: Callable[[bytes], bytes], *, ends: bool = False
) -> AsyncIterator[trio.abc.Stream]:
    """Connect to a server that follows a script."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with theirs, ours, trio.open_nursery() as nursery:
        nursery.start_soon(partial(serve_script, theirs, script, ends=ends))
        yield ours


async def error_of(script: Callable[[bytes], bytes], *, ends: bool = False) -> str:
    """Enter, which must fail without waiting, and return the error."""
    started = trio.current_time()
    async with scripted_server(script, ends=ends) as stream:
        with pytest.raises(SignalingError) as caught:
            async with enter(stream, ENDPOINT, ClientOptions()):
                raise AssertionError("let in")
    assert trio.current_time() == started
    return str(caught.value)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            b"HTTP/1.1 301 Moved Permanently\r\nLocation: wss://other.example/\r\n\r\n",
            "301 Moved Permanently",
        ),
        (b"HTTP/1.1 302 Found\r\nLocation: \xff\r\n\r\n", "which is not followed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "server answered 200 OK"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\nx", "server answered 403 Forbidden"),
        (b"HTTP/1.1 404\r\n\r\n", "server answered 404"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "server answered 503 Service Unavailable"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Too Many Requests\r\n\r\n", "429 Too Many Requests"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "not an HTTP response"),
        (b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n", "not an HTTP response"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "another protocol"),
        (b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "another protocol"),
        (b"x" * 20_000, "not an HTTP response"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 4000, "more than 65536 bytes"),
    ],
)
async def test_rejections_and_invalid_answers_raise_at_once(
    answer: bytes, error: str, autojump_clock: trio.testing.MockClock
) -> None:
    assert error in await error_of(lambda _: answer)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (lambda _: b"", "closed the connection during the handshake"),
        (lambda _: b"HTTP/1.1 101 Swi", "closed the connection during the handshake"),
        (accept, "ABNORMAL_CLOSURE"),
        (lambda key: accept(key) + text(WELCOME)[:9], "ABNORMAL_CLOSURE"),
    ],
)
async def test_server_that_closes_the_connection_raises_at_once(
    script: Callable[[bytes], bytes], error: str, autojump_clock: trio.testing.MockClock
) -> None:
    assert re.search(error, await error_of(script, ends=True))


@pytest.mark.parametrize(
    ("field", "error"),
    [
        ((b"Sec-WebSocket-Accept", generate_accept_token(b"another key")), "does not match the key"),
        ((b"Sec-WebSocket-Accept", b"\xff"), "does not match the key"),
        ((b"Connection", b"close"), "Connection: Upgrade is missing"),
        ((b"Connection", b"\xff"), "Connection: Upgrade is missing"),
        ((b"Sec-WebSocket-Extensions", b"permessage-deflate"), "which was not offered"),
        ((b"Sec-WebSocket-Extensions", b"\xff"), "which was not offered"),
        ((b"Sec-WebSocket-Protocol", b"chat"), "which was not offered"),
    ],
)
async def test_wrong_field_of_the_answer_raises_at_once(
    field: tuple[bytes, bytes], error: str, autojump_clock: trio.testing.MockClock
) -> None:
    def script(key: bytes) -> bytes:
        kept = tuple(each for each in accepting(key) if each[0] != field[0])
        return head(SWITCHING, (*kept, field))

    assert error in await error_of(script)


@pytest.mark.parametrize(
    ("first", "error"),
    [
        (text(b"{"), "not JSON"),
        (text([]), "JSON object"),
        (text({"type": "joined", "id": "1"}), "must be a welcome"),
        (text({**WELCOME, "members": ["1", "1"]}), "joined twice or exceeds max_peers"),
        (text({**WELCOME, "members": [1]}), "must be strings"),
        (
            text({**WELCOME, "members": [str(number) for number in range(1001)]}),
            "joined twice or exceeds max_peers",
        ),
        (Frame(2, b"{}", mask=None).encode(), "messages must be text"),
        (Frame(1, b"{}").encode(), "masked"),
        (Frame(3, mask=None).encode(), "opcode"),
        (Frame(1, b"x" * 200_000, mask=None).encode(), "maximum message size"),
        (close(4503, "the room is full"), r"the room is full (4503)"),
        (close(1000), "NORMAL_CLOSURE (1000)"),
        (Frame(8, mask=None).encode(), "NO_STATUS_RCVD (1005)"),
        (Frame(8, b"\x03", mask=None).encode(), "not a signaling server"),
    ],
)
async def test_bad_welcome_raises_at_once(
    first: bytes, error: str, autojump_clock: trio.testing.MockClock
) -> None:
    assert error in await error_of(lambda key: accept(key) + first)


@pytest.mark.parametrize("rest", [b"", b"HTTP/1.1 101 Swi"])
async def test_server_that_does_not_answer_times_out(
    rest: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    started = trio.current_time()
    async with scripted_server(lambda _: rest) as stream:
        with pytest.raises(SignalingError):
            async with enter(stream, ENDPOINT, ClientOptions(connect_timeout=7)):
                raise AssertionError("let in")
    assert trio.current_time() - started == 7


@pytest.mark.parametrize(
    ("last", "ends", "reason"),
    [
        (close(1001, "going away"), False, "going away"),
        (close(4408), False, "4408"),
        (b"", True, "1006"),
        (text({"type": "left"}), False, "not a signaling server"),
        (text(WELCOME), False, "second welcome"),
        (Frame(1, b"\xff", mask=None).encode(), False, "not a signaling server"),
    ],
)
async def test_close_of_the_server_is_noticed_at_once(
    last: bytes, ends: bool, reason: str, autojump_clock: trio.testing.MockClock
) -> None:
    started = trio.current_time()
    async with (
        scripted_server(lambda key: accept(key) + text(WELCOME) + last, ends=ends) as stream,
        enter(stream, ENDPOINT, ClientOptions()) as room,
    ):
        peer = await room.receive()
        with pytest.raises(trio.BrokenResourceError, match=reason):
            await room.receive()
        with pytest.raises(trio.BrokenResourceError, match=reason):
            await peer.receive()
        with pytest.raises(trio.BrokenResourceError, match=reason):
            await peer.send({})
        assert trio.current_time() == started
    assert trio.current_time() == started


async def test_blocked_send_ends_when_the_server_closes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()

    async def close_without_reading() -> None:
        received = bytes(await theirs.receive_some())
        found = re.search(rb"Sec-WebSocket-Key: (\S+)", received)
        assert found is not None
        await theirs.send_all(accept(found[1]) + text(WELCOME))
        await trio.sleep(1)
        await theirs.send_all(close(1001, "going away"))

    async with theirs, ours, trio.open_nursery() as nursery:
        nursery.start_soon(close_without_reading)
        async with enter(ours, ENDPOINT, ClientOptions()) as room:
            peer = await room.receive()
            started = trio.current_time()
            await peer.send({"taken by": "the sending task"})
            with pytest.raises(trio.BrokenResourceError):
                await peer.send({"stuck": "behind it"})
            assert trio.current_time() - started == 1
            with pytest.raises(trio.BrokenResourceError, match="going away"):
                await peer.receive()


async def enter_with_any_result(script: Callable[[bytes], bytes]) -> None:
    async with scripted_server(script, ends=True) as stream:
        with suppress(SignalingError, trio.BrokenResourceError):
            async with enter(stream, ENDPOINT, ClientOptions()) as room:
                while True:
                    await room.receive()


def run_with_any_result(script: Callable[[bytes], bytes]) -> None:
    run(enter_with_any_result, script)


@given(data=st.data())
def test_hostile_answer_raises_only_documented_errors(data: st.DataObject) -> None:
    run_with_any_result(lambda key: data.draw(hostile_heads(SWITCHING, accepting(key))) + text(WELCOME))


@given(first_line=hostile_values() | hostile_values().map(lambda value: b"HTTP/1.1 " + value))
@example(first_line=b"HTTP/1.1 101 ")
@example(first_line=b"HTTP/1.1 999 \xff")
def test_hostile_status_line_raises_only_documented_errors(first_line: bytes) -> None:
    run_with_any_result(lambda key: head(first_line, accepting(key)) + text(WELCOME))


@given(sent=st.lists(frames(), max_size=6), welcomed=st.booleans())
def test_hostile_frames_of_a_server_raise_only_documented_errors(sent: list[bytes], welcomed: bool) -> None:
    run_with_any_result(lambda key: accept(key) + (text(WELCOME) if welcomed else b"") + b"".join(sent))


@pytest.mark.parametrize(
    "url", ["ws://[::1", "ws://x:port/", "ws://x:99999/", f"ws://{'a' * 64}.example/", "ws://☃..example/"]
)
async def test_invalid_url_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        async with signaling.connect(url, room="r"):
            raise AssertionError("connected to nothing")


def test_special_characters_of_the_url_are_encoded() -> None:
    endpoint = Endpoint.parse("ws://bücher.example/a b/é?c d=é&e=%20", "ß/?&\r\n")
    assert endpoint.authority == "xn--bcher-kva.example:80"
    assert endpoint.resource == "/a%20b/%C3%A9?c%20d=%C3%A9&e=%20&room=%C3%9F%2F%3F%26%0D%0A"


async def test_missing_tls_and_invalid_certificates_raise(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    _, context = self_signed(tmp_path_factory.mktemp("tls"))
    async with trio.open_nursery() as nursery:
        plain = await nursery.start(signaling.serve)
        secure = await nursery.start(partial(signaling.serve, ssl_context=context))
        for server, error in ((plain, "(?i)ssl"), (secure, "(?i)certificate verify failed")):
            with pytest.raises(SignalingError, match=error):
                async with signaling.connect(
                    f"wss://127.0.0.1:{server.port}/", room="r", ssl_context=ssl.create_default_context()
                ):
                    raise AssertionError("let in")
        with pytest.raises(SignalingError, match=r"closed|broke|not an HTTP"):
            async with signaling.connect(f"ws://127.0.0.1:{secure.port}/", room="r"):
                raise AssertionError("let in")
        assert (plain.counts().failed, secure.counts().failed) == (0, 0)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("url", "endpoint", "authority"),
    [
        ("ws://host", Endpoint("host", 80, False, "/?room=r"), "host:80"),
        ("wss://HOST/", Endpoint("host", 443, True, "/?room=r"), "host:443"),
        ("wss://host:9/a?b=c#d", Endpoint("host", 9, True, "/a?b=c&room=r"), "host:9"),
        ("ws://[2001:db8::1]:8080", Endpoint("2001:db8::1", 8080, False, "/?room=r"), "[2001:db8::1]:8080"),
    ],
)
def test_location_of_a_room(url: str, endpoint: Endpoint, authority: str) -> None:
    assert Endpoint.parse(url, "r") == endpoint
    assert endpoint.authority == authority


@pytest.mark.parametrize("url", ["http://host/", "host", "ws://", "ws:///path", ""])
def test_urls_of_other_kinds_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be that of a signaling server"):
        Endpoint.parse(url, "r")
