"""The signaling server and client: HTTP, WebSocket and JSON, as the whole server handles them.

Bytes of a stream count as datagrams of 1,460 bytes, the segments of TCP on Ethernet. Frames of a WebSocket and messages
to the members of a room count as a datagram each: the server limits their rates.
"""

import struct
from collections.abc import Callable, Sequence
from functools import partial

import trio
import trio.testing

from benchmarks.hostile.measure import Case, Cost, Source
from tests.strategies.signaling_streams import open_stream
from tests.strategies.websocket_bytes import HANDSHAKE_FIELDS, KEY, head
from trio_rtc.signaling import ClientOptions, Room, ServerOptions, SignalingServer
from trio_rtc.signaling.framed_stream import MAX_CONSECUTIVE_FRAMES
from trio_rtc.signaling.http import MAX_HEAD_SIZE
from trio_rtc.signaling.messages import Welcome, parse_server_message
from trio_rtc.signaling.opening_handshake import HandshakeError, ResponseCheck
from trio_rtc.signaling.rate_limited_stream import RECEIVE_SIZE
from trio_rtc.signaling.server_rooms import RoomLimits

from .sizes import doubling

_SEGMENT = 1460
_REQUEST_LINE = b"GET /?room=r HTTP/1.1"
_HANDSHAKE = head(_REQUEST_LINE, HANDSHAKE_FIELDS)
_TEXT, _CONTINUATION, _PING = 1, 0, 9
_FINAL = 0x80
# Python parses and prints it more slowly than anything else of its length.
_SLOW_NUMBER = "1e300,"


def _frame(opcode: int, payload: bytes = b"", *, final: bool = True) -> bytes:
    """Return a client's frame (RFC 6455 section 5.2), masked with zeros."""
    first = opcode | _FINAL * final
    if len(payload) < 126:
        return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload
    return struct.pack("!BBH", first, 0x80 | 126, len(payload)) + bytes(4) + payload


async def _serve(before: Sequence[bytes], data: bytes, others: int) -> Cost:
    """Return the cost of data from a client, in a room with other members."""
    server = SignalingServer()
    async with trio.open_nursery() as nursery:
        for number in range(others):
            await open_stream(server, nursery, address=f"10.0.0.{number}").send_all(_HANDSHAKE)
        client = open_stream(server, nursery)
        for part in before:
            await client.send_all(part)
            await trio.testing.wait_all_tasks_blocked()
        started = Cost.until_now()
        await client.send_all(data)
        await trio.testing.wait_all_tasks_blocked()
        cost = Cost.until_now() - started
        nursery.cancel_scope.cancel()
    return cost


def _sent(
    data: Callable[[int], bytes], *before: bytes, others: int = 0
) -> Callable[[int], Callable[[], object]]:
    return lambda size: partial(trio.run, _serve, before, data(size), others)


def _relayed(members: int) -> Callable[[], object]:
    message = _frame(_TEXT, b'{"data":{}}')
    return partial(trio.run, _serve, [_HANDSHAKE], message, members - 1)


def _filled(start: bytes, unit: bytes, end: bytes) -> Callable[[int], bytes]:
    return lambda size: start + unit * ((size - len(start) - len(end)) // len(unit)) + end


def _numbers(size: int) -> str:
    start, end = '{"data":{"":[', "0]}}"
    return start + _SLOW_NUMBER * ((size - len(start) - len(end)) // len(_SLOW_NUMBER)) + end


def _response(start: bytes, unit: bytes) -> Callable[[int], Callable[[], object]]:
    def prepare(size: int) -> Callable[[], object]:
        check = ResponseCheck.of_request(head(b"GET / HTTP/1.1", ((b"Sec-WebSocket-Key", KEY),)))
        data = start + unit * ((size - len(start) - 2) // len(unit)) + b"\r\n"

        def receive() -> None:
            try:
                check.receive(data)
            except HandshakeError:
                return

        return receive

    return prepare


def _welcome(members: int) -> Callable[[], object]:
    ids = ",".join(f'"{number}"' for number in range(members))
    text = f'{{"type":"welcome","id":"x","members":[{ids}]}}'
    outbox, _ = trio.open_memory_channel[str](0)

    def enter() -> None:
        message = parse_server_message(text)
        assert isinstance(message, Welcome)
        Room(message, outbox, ClientOptions())

    return enter


def _server_message(size: int) -> Callable[[], object]:
    text = '{"type":"message","from":"1",' + _numbers(size - 30).removeprefix("{")
    return lambda: parse_server_message(text)


def _stranger(
    name: str, largest: int, prepare: Callable[[int], Callable[[], object]], unit: str = "bytes"
) -> Case:
    datagrams = -(-largest // _SEGMENT) if unit == "bytes" else largest
    return Case(f"signaling {name}", Source.STRANGER, doubling(largest, 3), prepare, unit, datagrams)


def _server(
    name: str, largest: int, prepare: Callable[[int], Callable[[], object]], unit: str, size: int
) -> Case:
    """Input of the server to which a program connects."""
    return Case(f"signaling {name}", Source.PEER, doubling(largest, 3), prepare, unit, -(-size // _SEGMENT))


_HEAD = _REQUEST_LINE + b"\r\nHost: x\r\n"
_ACCEPTED = b"HTTP/1.1 101 \r\n"
_MAX_TEXT = ServerOptions().max_message_size - 1  # a frame of 65,536 bytes has a longer header
_MAX_RECEIVED, _MAX_PEERS = ClientOptions().max_message_size, ClientOptions().max_peers
CASES = (
    _stranger("HTTP fields", MAX_HEAD_SIZE, _sent(_filled(_HEAD, b"a:\r\n", b"\r\n"))),
    _stranger(
        "HTTP query", MAX_HEAD_SIZE, _sent(_filled(b"GET /?a=", b"%ff", b" HTTP/1.1\r\nHost: x\r\n\r\n"))
    ),
    _stranger(
        "HTTP Connection",
        MAX_HEAD_SIZE,
        _sent(_filled(_HEAD + b"Upgrade: websocket\r\nConnection: ", b",", b"\r\n\r\n")),
    ),
    _stranger(
        "WebSocket fragments",
        MAX_CONSECUTIVE_FRAMES,
        _sent(
            lambda count: _frame(_CONTINUATION, final=False) * count,
            _HANDSHAKE,
            _frame(_TEXT, final=False),
        ),
        "frames",
    ),
    _stranger(
        "WebSocket pings",
        MAX_CONSECUTIVE_FRAMES,
        _sent(lambda count: _frame(_PING, bytes(125)) * count, _HANDSHAKE),
        "frames",
    ),
    _stranger(
        "JSON numbers",
        _MAX_TEXT,
        _sent(lambda size: _frame(_TEXT, _numbers(size).encode()), _HANDSHAKE),
    ),
    _stranger("message to all", RoomLimits().members, _relayed, "members"),
    _server(
        "handshake response of fields",
        RECEIVE_SIZE,
        _response(_ACCEPTED, b"a:\r\n"),
        "bytes",
        RECEIVE_SIZE,
    ),
    _server(
        "handshake response, early hints",
        RECEIVE_SIZE,
        _response(b"", b"HTTP/1.1 103 \r\n\r\n"),
        "bytes",
        RECEIVE_SIZE,
    ),
    _server("welcome", _MAX_PEERS, _welcome, "members", 6 * _MAX_PEERS),
    _server("message of the server, numbers", _MAX_RECEIVED, _server_message, "bytes", _MAX_RECEIVED),
)
