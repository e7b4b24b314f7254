"""Isolation of connections: hostile bytes end only their own connection."""

import struct
from functools import partial

import pytest
import trio
import trio.testing
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.signaling_streams import in_room, reply_to
from tests.strategies.websocket_bytes import (
    HANDSHAKE_FIELDS,
    Frame,
    frames,
    handshake,
    hostile_heads,
    hostile_values,
    parse_frames,
)
from trio_rtc import signaling
from trio_rtc.signaling import CloseCode, Page, ServerOptions, SignalingServer
from trio_rtc.testing import run

REQUEST = b"GET /?room=r HTTP/1.1"
OPCODES = {"text": 0x81, "close": 0x88, "pong": 0x8A}

HEADS_THAT_ENDED_THE_SERVER = (
    handshake((b"Origin", b"http://[")),
    handshake((b"Sec-WebSocket-Protocol", b"\xff")),
    handshake((b"Sec-WebSocket-Extensions", b"\xff")),
    handshake((b"Connection", b"\xff, Upgrade")),
)


async def frames_after(server: SignalingServer, *sent: Frame) -> list[tuple[int, bytes]]:
    """Enter a room, send frames, and return the server's frames without its welcome."""
    received = await reply_to(server, handshake(), b"".join(frame.encode() for frame in sent))
    head, _, rest = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    welcome, *others = parse_frames(rest)
    assert b"welcome" in welcome[1]
    return others


async def send_beside_another_client(parts: tuple[bytes, ...]) -> None:
    server = SignalingServer(pages={"/": Page(b"hello")})
    async with in_room(server, "r") as bystander:
        await reply_to(server, *parts)
        await trio.sleep(30)
        assert server.occupancy() == {"r": (bystander.id,)}
        assert server.counts().failed == 0
        async with in_room(server, "r") as other:
            peer = await other.receive()
            await peer.send({"still": "here"})
            while (newcomer := await bystander.receive()).id != other.id:
                pass
            assert await newcomer.receive() == {"still": "here"}


def run_beside_another_client(*parts: bytes) -> None:
    run(send_beside_another_client, parts)


@given(head=hostile_heads(REQUEST, HANDSHAKE_FIELDS))
@example(head=HEADS_THAT_ENDED_THE_SERVER[0])
@example(head=HEADS_THAT_ENDED_THE_SERVER[1])
@example(head=HEADS_THAT_ENDED_THE_SERVER[2])
@example(head=HEADS_THAT_ENDED_THE_SERVER[3])
@example(head=handshake((b"Host", b"\xff")))
@example(head=handshake((b"Host", b"a" * 64)))
@example(head=handshake() + b"\r\n")
def test_hostile_handshake_field_ends_only_its_connection(head: bytes) -> None:
    run_beside_another_client(head, Frame(8, b"\x03\xe8").encode())


@given(target=hostile_values())
@example(target=b"http://[::1")
@example(target=b"/?room=%ff&room=&" + b"a&" * 50)
def test_hostile_target_ends_only_its_connection(target: bytes) -> None:
    run_beside_another_client(handshake(target=target))


@given(sent=st.lists(frames(), max_size=8))
def test_hostile_frames_end_only_their_connection(sent: list[bytes]) -> None:
    run_beside_another_client(handshake(), b"".join(sent))


@given(sent=st.lists(frames(), max_size=4), size=st.integers(1, 3))
def test_frames_in_small_pieces_end_only_their_connection(sent: list[bytes], size: int) -> None:
    data = b"".join(sent)[:120]
    run_beside_another_client(handshake(), *(data[at : at + size] for at in range(0, len(data), size)))


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([(b"Sec-WebSocket-Protocol", b"\xff")], 101),
        ([(b"Sec-WebSocket-Extensions", b"permessage-deflate; client_max_window_bits=99")], 101),
        ([(b"Connection", b"keep-alive, UPGRADE")], 101),
        ([(b"Upgrade", b"WebSocket")], 101),
        ([(b"Origin", b"http://[")], 403),
        ([(b"Origin", b"http://signaling.example:99999")], 403),
        ([(b"Connection", b"keep-alive")], 400),
        ([(b"Connection", b"\xff")], 400),
        ([(b"Sec-WebSocket-Version", b"8")], 426),
        ([(b"Sec-WebSocket-Version", b"13"), (b"Sec-WebSocket-Version", b"13")], 426),
        ([(b"Sec-WebSocket-Key", b"AAAA")], 400),
        ([(b"Sec-WebSocket-Key", b"\xff")], 400),
    ],
)
async def test_handshake_is_answered_as_in_rfc_6455(
    fields: list[tuple[bytes, bytes]], status: int, autojump_clock: trio.testing.MockClock
) -> None:
    server = SignalingServer()
    received = await reply_to(server, handshake(*fields))
    assert received.startswith(f"HTTP/1.1 {status} ".encode())
    assert (b"Sec-WebSocket-Version: 13\r\n" in received) == (status == 426)
    assert (b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in received) == (status == 101)
    # No extension is negotiated.
    assert b"Sec-WebSocket-Extensions" not in received
    assert server.counts().refused == (status != 101)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ([Frame(1, b"{}", rsv=4)], 1002),
        ([Frame(1, b"{}", rsv=2)], 1002),
        ([Frame(9, rsv=1)], 1002),
        ([Frame(3)], 1002),
        ([Frame(11)], 1002),
        ([Frame(1, b"{}", mask=None)], 1002),
        ([Frame(9, fin=False)], 1002),
        ([Frame(9, b"x" * 126)], 1002),
        ([Frame(0, b"{}")], 1002),
        ([Frame(1, b"{", fin=False), Frame(1, b"}")], 1002),
        ([Frame(1, b"{}", length_size=2)], 1002),
        ([Frame(1, b"{}", length_size=8)], 1002),
        ([Frame(1, announced=1 << 63)], 1002),
        ([Frame(8, b"\x03")], 1002),
        ([Frame(8, struct.pack("!H", 999))], 1002),
        ([Frame(8, struct.pack("!H", 1005))], 1002),
        ([Frame(8, struct.pack("!H", 2999))], 1002),
        ([Frame(8, struct.pack("!H", 5000))], 1002),
        ([Frame(8, b"\x03\xe8\xff")], 1007),
        ([Frame(1, b"\xff")], 1007),
        ([Frame(1, b"\xed\xa0\x80")], 1007),
        ([Frame(1, b"\xe2\x98", fin=False), Frame(0, b"x")], 1007),
        ([Frame(2, b"{}")], CloseCode.BAD_MESSAGE),
        ([Frame(1, b"x" * 65_537)], 1009),
        ([Frame(1, b"x" * 40_000, fin=False), Frame(0, b"x" * 30_000)], 1009),
        ([Frame(8, struct.pack("!H", 4321))], 4321),
    ],
)
async def test_invalid_frame_is_answered_with_its_close_code(
    sent: list[Frame], code: int, autojump_clock: trio.testing.MockClock
) -> None:
    server = SignalingServer()
    answers = await frames_after(server, *sent)
    assert [opcode for opcode, _ in answers] == [OPCODES["close"]]
    assert struct.unpack_from("!H", answers[0][1]) == (code,)
    assert server.counts().dismissed == (code != 4321)


async def test_fragmented_message_with_a_ping_between_is_assembled(
    autojump_clock: trio.testing.MockClock,
) -> None:
    server = SignalingServer()
    message = '{"data":{"snow":"☃"}}'.encode()
    cut = message.index("☃".encode()) + 1
    pieces = [
        Frame(1, message[:cut], fin=False),
        Frame(9, b"echo"),
        Frame(0, b"", fin=False),
        Frame(10, b"nobody asked"),
        Frame(0, message[cut:]),
        Frame(8),
    ]
    async with in_room(server, "r") as other, trio.open_nursery() as nursery:

        async def receive() -> None:
            assert await (await other.receive()).receive() == {"snow": "☃"}

        nursery.start_soon(receive)
        answers = await frames_after(server, *pieces)
    assert answers == [(OPCODES["pong"], b"echo"), (OPCODES["close"], b"")]


async def test_bytes_that_once_crashed_the_server_do_not() -> None:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(signaling.serve, options=ServerOptions(max_connections=10)))
        for head in HEADS_THAT_ENDED_THE_SERVER:
            async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
                await stream.send_all(head + Frame(8).encode())
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 ")
        async with signaling.connect(f"ws://127.0.0.1:{server.port}/", room="r") as room:
            assert room.id
        nursery.cancel_scope.cancel()
