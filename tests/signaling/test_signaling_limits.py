"""Limits of the load that one client can cause: bytes, frames, connections. In virtual time except with sockets."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import pytest
import trio
import trio.testing

from tests.strategies.signaling_streams import connected, in_room, open_stream
from tests.strategies.tls_server import self_signed
from tests.strategies.websocket_bytes import Frame, handshake, parse_frames
from trio_rtc import signaling
from trio_rtc.signaling import ClientOptions, CloseCode, ServerOptions, SignalingServer
from trio_rtc.signaling.client import Endpoint, enter
from trio_rtc.signaling.framed_stream import FramedStream
from trio_rtc.signaling.rate_limited_stream import RECEIVE_SIZE, RateLimitedStream
from trio_rtc.signaling.token_bucket import TokenBucket

MESSAGE = b'{"data":{"n":1}}'
RATES = ServerOptions(frame_rate=100, frame_burst=500, byte_rate=10_000, byte_burst=50_000)


async def head_of(stream: trio.abc.HalfCloseableStream) -> bytes:
    """Request a WebSocket and return the first line of the answer, empty without one."""
    with suppress(trio.BrokenResourceError):
        await stream.send_all(handshake())
    return bytes(await stream.receive_some()).partition(b"\r\n")[0]


async def seconds_until_read(*sent: Frame, options: ServerOptions) -> float:
    """Send frames followed by a message, and return the time at which the message is relayed."""
    server = SignalingServer(options=options)
    async with in_room(server, "r") as other, connected(server) as stream:
        await stream.send_all(handshake())
        peer = await other.receive()
        started = trio.current_time()
        await stream.send_all(b"".join(frame.encode() for frame in (*sent, Frame(1, MESSAGE))))
        assert await peer.receive() == {"n": 1}
        return trio.current_time() - started


@pytest.mark.parametrize(
    "sent",
    [
        [Frame(9)] * 1500,
        [Frame(10)] * 1500,
        [Frame(1, b'{"data":{}}')] * 1500,
        [Frame(1, b'{"data":', fin=False), *[Frame(0, fin=False)] * 1498, Frame(0, b"{}}")],
    ],
    ids=["pings", "pongs", "messages", "empty fragments"],
)
async def test_frames_of_any_kind_are_read_at_the_allowed_rate(
    sent: list[Frame], autojump_clock: trio.testing.MockClock
) -> None:
    options = ServerOptions(
        frame_rate=100, frame_burst=500, message_rate=1e6, message_burst=1e6, ping_interval=1e6
    )
    server_read = seconds_until_read_last if sent[0].opcode == 1 else seconds_until_read
    assert await server_read(*sent, options=options) == pytest.approx((1500 - 500) / 100, abs=0.1)


async def seconds_until_read_last(*sent: Frame, options: ServerOptions) -> float:
    """Send messages, and return the time at which the last is relayed."""
    server = SignalingServer(options=options)
    async with in_room(server, "r") as other, connected(server) as stream:
        await stream.send_all(handshake())
        peer = await other.receive()
        started = trio.current_time()
        await stream.send_all(b"".join(frame.encode() for frame in (*sent, Frame(1, MESSAGE))))
        while await peer.receive() != {"n": 1}:
            pass
        return trio.current_time() - started


async def test_bytes_are_read_at_the_allowed_rate(autojump_clock: trio.testing.MockClock) -> None:
    filling = Frame(1, b'{"data":{"x":"' + b"x" * 15_000 + b'"}}')
    size = 10 * len(filling.encode()) + len(Frame(1, MESSAGE).encode()) + len(handshake())
    seconds = await seconds_until_read_last(*[filling] * 10, options=RATES)
    # A read is allowed while the bucket is not overdrawn, so the last one is free.
    assert (size - 50_000 - 2 * RECEIVE_SIZE) / 10_000 <= seconds <= (size - 50_000) / 10_000


async def test_reads_are_bounded_like_frames(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    paced = RateLimitedStream(theirs, TokenBucket(1e9, 1e9), TokenBucket(10, 20))

    async def send_single_bytes() -> None:
        for _ in range(60):
            await ours.send_all(b"x")
            await trio.testing.wait_all_tasks_blocked()
        await ours.send_eof()

    async with ours, paced, trio.open_nursery() as nursery:
        nursery.start_soon(send_single_bytes)
        sizes = []
        while data := await paced.receive_some():
            sizes.append(len(data))
    # Twenty single bytes, a pause, and then the rest arrives at once.
    assert sum(sizes) == 60
    assert sizes[:20] == [1] * 20
    assert len(sizes) <= 22


class CountingBucket(TokenBucket):
    """A bucket that allows everything and counts it."""

    consumed = 0.0

    def consume(self, now: float, amount: float = 1.0) -> float:
        self.consumed += amount
        return 0.0


class FragmentFlood(trio.abc.Stream):
    """A stream of endless empty fragments that never blocks."""

    def __init__(self) -> None:
        self._next = Frame(1, fin=False).encode() + Frame(0, fin=False).encode() * 2000

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data, self._next = self._next, Frame(0, fin=False).encode() * 2000
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        raise AssertionError("there is nothing to send")

    async def wait_send_all_might_not_block(self) -> None:
        raise AssertionError("there is nothing to send")

    async def aclose(self) -> None:
        raise AssertionError("nobody closes it")


async def test_other_tasks_run_during_a_flood() -> None:
    frames = CountingBucket(1.0, 1.0)
    flooded = FramedStream(FragmentFlood(), frames=frames)
    flooded.start(bytes)

    async def read() -> None:
        while True:
            await flooded.receive_some()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        for _ in range(100):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    # The first turns are the reader's own.
    assert 98 * 16 <= frames.consumed <= 101 * 16


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_idle_connections_block_no_newcomer(
    sent: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    server = SignalingServer(options=ServerOptions(max_handshakes=20, max_handshakes_per_address=5))
    # From one address, then from many: the table is full in both cases.
    addresses = ["192.0.2.1"] * 30 + [f"198.51.100.{number}" for number in range(60)]
    async with trio.open_nursery() as nursery:
        for address in addresses:
            idle = open_stream(server, nursery, address=address)
            await trio.testing.wait_all_tasks_blocked()
            with suppress(trio.BrokenResourceError):
                await idle.send_all(sent)
        newcomers = ("192.0.2.1", "203.0.113.1")
        answers = [await head_of(open_stream(server, nursery, address=address)) for address in newcomers]
        displaced = server.counts().displaced
        await trio.sleep(11)
        nursery.cancel_scope.cancel()
    assert answers == [b"HTTP/1.1 101 Switching Protocols"] * 2
    # The first newcomer displaces a connection, and makes room for the second when its handshake is complete.
    assert displaced == (30 - 5) + (5 + 60 - 20) + 1
    assert server.counts().timed_out == 20 - 1
    assert server.counts().entered == 2


async def test_members_are_never_displaced(autojump_clock: trio.testing.MockClock) -> None:
    server = SignalingServer(options=ServerOptions(max_handshakes=3))
    async with in_room(server, "r") as member, AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(connected(server))
        assert server.occupancy() == {"r": (member.id,)}


async def test_connections_of_an_address_are_bounded(autojump_clock: trio.testing.MockClock) -> None:
    server = SignalingServer(options=ServerOptions(max_connections_per_address=3))
    async with AsyncExitStack() as stack:
        first = [await stack.enter_async_context(connected(server, "192.0.2.1")) for _ in range(3)]
        assert [await head_of(each) for each in first] == [b"HTTP/1.1 101 Switching Protocols"] * 3
        fourth = await stack.enter_async_context(connected(server, "192.0.2.1"))
        assert await head_of(fourth) == b"HTTP/1.1 429 Too Many Requests"
        other = await stack.enter_async_context(connected(server, "192.0.2.2"))
        assert (await head_of(other)).startswith(b"HTTP/1.1 101 ")
        await first[0].aclose()
        await trio.testing.wait_all_tasks_blocked()
        again = await stack.enter_async_context(connected(server, "192.0.2.1"))
        assert (await head_of(again)).startswith(b"HTTP/1.1 101 ")
        assert server.counts().refused == 1


async def test_address_that_connects_too_often_is_answered_429_without_reading(
    autojump_clock: trio.testing.MockClock,
) -> None:
    options = ServerOptions(connection_rate=2, connection_burst=5, max_connections_per_address=1000)
    server = SignalingServer(options=options)
    answers = []
    async with AsyncExitStack() as stack:
        # Ten per second from one /64 network.
        for number in range(100):
            stream = await stack.enter_async_context(connected(server, f"2001:db8::{number:x}"))
            answers.append((await head_of(stream))[9:12])
            await trio.sleep(0.1)
        other = await stack.enter_async_context(connected(server, "2001:db8:0:1::"))
        assert (await head_of(other)).startswith(b"HTTP/1.1 101 ")
    assert answers[:5] == [b"101"] * 5
    assert set(answers) == {b"101", b"429"}
    assert answers.count(b"101") == pytest.approx(5 + 2 * 100 * 0.1, abs=1)
    counts = server.counts()
    assert (counts.accepted, counts.rate_limited) == (101, answers.count(b"429"))
    assert (counts.refused, counts.failed) == (0, 0)


async def test_with_tls_address_that_connects_too_often_costs_no_handshake(
    tmp_path_factory: pytest.TempPathFactory, autojump_clock: trio.testing.MockClock
) -> None:
    certificate, context = self_signed(tmp_path_factory.mktemp("tls"))
    handshakes: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: handshakes.append(name)
    server = SignalingServer(
        options=ServerOptions(connection_rate=1, connection_burst=2), ssl_context=context
    )

    async def shakes_hands() -> bool:
        async with trio.open_nursery() as nursery:
            transport = open_stream(server, nursery, address="192.0.2.1")
            trusting = ssl.create_default_context(cadata=certificate)
            stream = trio.SSLStream(transport, trusting, server_hostname="127.0.0.1", https_compatible=True)
            try:
                await stream.do_handshake()
            except trio.BrokenResourceError:
                return False
            finally:
                await trio.aclose_forcefully(stream)
            return True

    assert [await shakes_hands() for _ in range(5)] == [True, True, False, False, False]
    await trio.sleep(1)
    assert [await shakes_hands() for _ in range(2)] == [True, False]
    assert len(handshakes) == 3
    assert (server.counts().rate_limited, server.counts().failed) == (4, 0)


async def test_rate_limited_client_raises_429() -> None:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(signaling.serve, options=ServerOptions(connection_burst=0)))
        with pytest.raises(signaling.SignalingError, match="429 Too Many Requests"):
            async with signaling.connect(f"ws://127.0.0.1:{server.port}/", room="r"):
                pass
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def tls_server(
    directory: pytest.TempPathFactory, options: ServerOptions
) -> AsyncIterator[tuple[SignalingServer, ssl.SSLContext]]:
    certificate, context = self_signed(directory.mktemp("tls"))
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(signaling.serve, options=options, ssl_context=context))
        yield server, ssl.create_default_context(cadata=certificate)
        nursery.cancel_scope.cancel()


def tls_in_memory(
    server: SignalingServer, context: ssl.SSLContext, nursery: trio.Nursery
) -> trio.SSLStream[trio.abc.HalfCloseableStream]:
    """Return a client's TLS stream in memory, so that time is virtual."""
    transport = open_stream(server, nursery, address=None)
    return trio.SSLStream(transport, context, server_hostname="127.0.0.1", https_compatible=True)


@pytest.mark.parametrize("size", [6, 6 * 1500], ids=["a record for each frame", "few records"])
async def test_with_tls_frames_are_read_at_the_allowed_rate(
    size: int, tmp_path_factory: pytest.TempPathFactory, autojump_clock: trio.testing.MockClock
) -> None:
    certificate, context = self_signed(tmp_path_factory.mktemp("tls"))
    trusting = ssl.create_default_context(cadata=certificate)
    options = ServerOptions(frame_rate=100, frame_burst=500, ping_interval=1e6)
    server = SignalingServer(options=options, ssl_context=context)
    pongs = Frame(10).encode() * 1500
    async with in_room_of(server, trusting) as (stream, other), trio.open_nursery() as nursery:

        async def flood() -> None:
            for start in range(0, len(pongs), size):
                await stream.send_all(pongs[start : start + size])
            await stream.send_all(Frame(1, MESSAGE).encode())

        peer = await other.receive()
        started = trio.current_time()
        nursery.start_soon(flood)
        assert await peer.receive() == {"n": 1}
        assert trio.current_time() - started == pytest.approx((1500 - 500) / 100, abs=0.3)


@asynccontextmanager
async def in_room_of(
    server: SignalingServer, trusting: ssl.SSLContext
) -> AsyncIterator[tuple[trio.abc.Stream, signaling.Room]]:
    """Enter a room twice over TLS: by raw bytes, and as ``connect`` does."""
    async with trio.open_nursery() as nursery:
        endpoint = Endpoint.parse("wss://127.0.0.1/", "r")
        raw, stream = (tls_in_memory(server, trusting, nursery) for _ in range(2))
        async with raw, stream, enter(stream, endpoint, ClientOptions()) as room:
            await raw.send_all(handshake())
            yield raw, room
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\xff\xff",
        b"\x15\x03\x01\x00\x02\x01\x00" * 40,
        b"\0" * 5000,
    ],
)
async def test_bytes_that_are_not_tls_end_only_their_connection(
    sent: bytes, tmp_path_factory: pytest.TempPathFactory, autojump_clock: trio.testing.MockClock
) -> None:
    certificate, context = self_signed(tmp_path_factory.mktemp("tls"))
    server = SignalingServer(ssl_context=context)
    async with connected(server) as stream:
        with suppress(trio.BrokenResourceError):
            await stream.send_all(sent)
            await stream.send_eof()
        async for _ in stream:
            pass
    async with in_room_of(server, ssl.create_default_context(cadata=certificate)) as (_, room):
        assert (await room.receive()).id
    assert server.counts().failed == 0


async def test_idle_connections_block_no_newcomer_with_tls(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    options = ServerOptions(max_handshakes=4, max_handshakes_per_address=4, handshake_timeout=60)
    async with tls_server(tmp_path_factory, options) as (server, context), AsyncExitStack() as stack:
        idle = [await trio.open_tcp_stream("127.0.0.1", server.port) for _ in range(12)]
        for stream in idle:
            stack.push_async_callback(stream.aclose)
        url = f"wss://127.0.0.1:{server.port}/"
        async with signaling.connect(url, room="r", ssl_context=context) as room:
            assert server.occupancy() == {"r": (room.id,)}
            for stream in idle[: 12 + 1 - 4]:
                with suppress(trio.BrokenResourceError):
                    assert await stream.receive_some() == b""
            assert server.counts().displaced == 12 + 1 - 4


async def test_with_tls_frames_and_the_origin_are_checked(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with tls_server(tmp_path_factory, ServerOptions()) as (server, context):

        async def answer_to(*fields: tuple[bytes, bytes]) -> bytes:
            stream = await trio.open_ssl_over_tcp_stream(
                "127.0.0.1", server.port, ssl_context=context, https_compatible=True
            )
            async with stream:
                await stream.send_all(handshake(*fields))
                received = b""
                while b"welcome" not in received and (data := await stream.receive_some()):
                    received += data
                if b"welcome" not in received:
                    return received
                await stream.send_all(Frame(9, b"p").encode() + Frame(2, b"x").encode())
                return received + b"".join([bytes(data) async for data in stream])

        host = f"127.0.0.1:{server.port}".encode()
        entered = await answer_to((b"Host", host), (b"Origin", b"https://" + host))
        frames = parse_frames(entered.partition(b"\r\n\r\n")[2])
        assert [payload for opcode, payload in frames if opcode == 0x8A] == [b"p"]
        assert frames[-1][1][:2] == CloseCode.BAD_MESSAGE.to_bytes(2, "big")
        for origin in (b"http://" + host, b"https://evil.example", b"http://["):
            assert (await answer_to((b"Host", host), (b"Origin", origin))).startswith(b"HTTP/1.1 403 ")
        rebound = b"evil.example:%d" % server.port
        refused = await answer_to((b"Host", rebound), (b"Origin", b"https://" + rebound))
        assert refused.startswith(b"HTTP/1.1 403 ")
        assert server.counts().failed == 0
