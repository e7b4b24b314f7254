"""DTLS and SRTP: unencrypted records with a forged source address, and input of a peer with keys."""

import struct
from collections.abc import Callable

import attrs

from benchmarks.hostile.measure import Case, Cost, Source
from tests.strategies.dtls_messages import HELLO, SERVER_HELLO
from tests.strategies.dtls_pair import make_connection, make_pair
from tests.strategies.rtp_pair import srtp_pair
from trio_rtc.protocols.dtls import Connection, DtlsOptions, DtlsRole
from trio_rtc.protocols.dtls.messages import HandshakeMessage, HandshakeType
from trio_rtc.protocols.dtls.reassembly import MAX_FRAGMENTS
from trio_rtc.protocols.dtls.tls12.messages import encode_certificates

from .sizes import MAX_DATAGRAM, MAX_SRTP, doubling

_Prepare = Callable[[int], Callable[[], object]]
_ALERT, _HANDSHAKE, _APPLICATION_DATA = 21, 22, 23
_FRAGMENT = 1200
_MAX_MESSAGE = DtlsOptions().max_message_size


def _record(content_type: int, payload: bytes, *, epoch: int = 0, sequence: int = 9) -> bytes:
    return struct.pack(">BHHHIH", content_type, 0xFEFD, epoch, 0, sequence, len(payload)) + payload


def _fragment(length: int, sequence: int, offset: int, data: bytes) -> bytes:
    head = bytes([11]) + length.to_bytes(3, "big") + sequence.to_bytes(2, "big")
    return head + offset.to_bytes(3, "big") + len(data).to_bytes(3, "big") + data


def _to_server(datagram: bytes, *, connected: bool) -> Callable[[], object]:
    """Return the call that gives a datagram to a server whose handshake is done, or has just begun."""
    pair = make_pair()
    if connected:
        pair.connect()
    else:
        pair.start()
        for _ in range(2):
            pair.step()
    server, now = pair.server, pair.now

    def take() -> None:
        server.receive([datagram], now)
        server.datagrams_to_send(now)
        server.events()
        server.next_timer()

    return take


def _records(content_type: int, *, connected: bool, epoch: int = 0) -> Callable[[int], Callable[[], object]]:
    """A datagram of as many empty records as fit."""

    def prepare(size: int) -> Callable[[], object]:
        return _to_server(_record(content_type, b"", epoch=epoch) * (size // 13), connected=connected)

    return prepare


def _fragments(count: int) -> Callable[[], object]:
    """Fragments of one byte, each beside a gap, of messages that are not awaited yet."""
    fragments = b"".join(_fragment(16_000, 2 + index % 8, 2 * index, b"x") for index in range(count))
    return _to_server(_record(_HANDSHAKE, fragments), connected=False)


def _records_of_fragments(size: int) -> Callable[[], object]:
    record = _record(_HANDSHAKE, b"".join(_fragment(16_000, 2 + n % 8, 2 * n, b"x") for n in range(8)))
    return _to_server(record * (size // len(record)), connected=False)


def _too_many_fragments(size: int) -> Callable[[], object]:
    fragments = b"".join(_fragment(0, 5, 0, b"") for _ in range((size - 13) // 12))
    return _to_server(_record(_HANDSHAKE, fragments), connected=False)


def _large_messages(count: int) -> Callable[[], object]:
    """Beginnings of messages of the largest size, each of which takes the room of another."""
    fragments = b"".join(_fragment(16_384 - index, 9 - index % 8, 0, b"x") for index in range(count))
    return _to_server(_record(_HANDSHAKE, fragments), connected=False)


def _forged_data(size: int) -> Callable[[], object]:
    return _to_server(_record(_APPLICATION_DATA, bytes(size - 13), epoch=1), connected=True)


def _deliver(connection: Connection, *messages: tuple[HandshakeType, bytes]) -> list[bytes]:
    """Deliver handshake messages in fragments, and return the datagrams of the last one, which has not arrived yet."""
    datagrams: list[bytes] = []
    for sequence, (kind, body) in enumerate(messages):
        connection.receive(datagrams, 0.0)
        message = HandshakeMessage(kind, sequence, body)
        datagrams = [
            _record(_HANDSHAKE, message.encode_fragment(offset, min(_FRAGMENT, len(body) - offset)))
            for offset in range(0, len(body) or 1, _FRAGMENT)
        ]
    return datagrams


def _message(
    role: DtlsRole, *messages: tuple[HandshakeType, bytes], options: DtlsOptions | None = None
) -> Callable[[], object]:
    """Return the call that receives the last datagram of the last message."""
    connection = make_connection(role, options)
    connection.start(0.0)
    connection.datagrams_to_send(0.0)
    *before, last = _deliver(connection, *messages)
    connection.receive(before, 0.0)

    def receive() -> Cost:
        # The second time it would be another input, because the connection has changed.
        started = Cost.until_now()
        connection.receive([last], 0.0)
        connection.datagrams_to_send(0.0)
        connection.events()
        connection.next_timer()
        return Cost.until_now() - started

    return receive


def _hello_of_extensions(size: int) -> bytes:
    unknown = {0x8000 + number: b"" for number in range((size - 200) // 4)}
    return attrs.evolve(HELLO, extensions={**HELLO.extensions, **unknown}).encode()


def _hello_of_suites(size: int) -> bytes:
    return attrs.evolve(HELLO, cipher_suites=(0x7777,) * ((size - 200) // 2)).encode()


def _client_hello(body: Callable[[int], bytes], options: DtlsOptions | None = None) -> _Prepare:
    """A ClientHello of as many fragments as it takes: none of its bytes need keys."""
    return lambda size: _message(DtlsRole.SERVER, (HandshakeType.CLIENT_HELLO, body(size)), options=options)


def _server_hello(size: int) -> Callable[[], object]:
    unknown = {0x8000 + number: b"" for number in range((size - 100) // 4)}
    hello = attrs.evolve(SERVER_HELLO, extensions={**SERVER_HELLO.extensions, **unknown})
    return _message(DtlsRole.CLIENT, (HandshakeType.SERVER_HELLO, hello.encode()))


def _certificates(size: int) -> Callable[[], object]:
    chain = encode_certificates([bytes((size - 40) // 10)] * 10)
    return _message(
        DtlsRole.CLIENT,
        (HandshakeType.SERVER_HELLO, SERVER_HELLO.encode()),
        (HandshakeType.CERTIFICATE, chain),
    )


def _authentic_data(size: int) -> Callable[[], object]:
    """Records of one byte, as many as fit a datagram."""
    pair = make_pair().connect()
    pair.of(DtlsRole.CLIENT).send([b"x"] * (size // 38), pair.now)
    datagram = b"".join(pair.of(DtlsRole.CLIENT).datagrams_to_send(pair.now))
    server, now = pair.server, pair.now

    def take() -> None:
        server.receive([datagram], now)
        server.events()

    return take


def _forged_media(size: int) -> Callable[[], object]:
    own, _ = srtp_pair()
    packet = b"\x80\x60\x00\x01" + bytes(size - 4)
    return lambda: own.unprotect(packet)


def _forged_control(size: int) -> Callable[[], object]:
    own, _ = srtp_pair()
    packet = b"\x80\xc8\x00\x01" + bytes(size - 4)
    return lambda: own.unprotect_rtcp(packet)


def _stranger(
    name: str,
    prepare: Callable[[int], Callable[[], object]],
    largest: int = MAX_DATAGRAM,
    unit: str = "bytes",
) -> Case:
    return Case(name, Source.STRANGER, doubling(largest, 3), prepare, unit)


def _handshake(name: str, prepare: _Prepare) -> Case:
    """Bytes of a message that arrive in several datagrams and cost most when the last one arrives."""
    sizes = doubling(_MAX_MESSAGE, 3)
    return Case(f"DTLS {name}", Source.STRANGER, sizes, prepare, "bytes", -(-_MAX_MESSAGE // _FRAGMENT))


CASES = (
    _handshake("ClientHello of extensions", _client_hello(_hello_of_extensions)),
    _handshake("ClientHello of cipher suites", _client_hello(_hello_of_suites)),
    _handshake(
        "ClientHello, cookie required",
        _client_hello(_hello_of_extensions, DtlsOptions(require_cookie=True)),
    ),
    _handshake("ServerHello of extensions", _server_hello),
    _handshake("Certificate of a chain", _certificates),
    _stranger("DTLS alerts, handshake", _records(_ALERT, connected=False)),
    _stranger("DTLS records of an epoch to come", _records(_HANDSHAKE, connected=False, epoch=1)),
    _stranger("DTLS records in the clear, connected", _records(_HANDSHAKE, connected=True)),
    _stranger("DTLS fragments", _fragments, MAX_FRAGMENTS, "fragments"),
    _stranger("DTLS records of fragments", _records_of_fragments),
    _stranger("DTLS fragments, too many", _too_many_fragments),
    _stranger("DTLS beginnings of messages", _large_messages, MAX_FRAGMENTS, "messages"),
    _stranger("DTLS forged data", _forged_data),
    Case("DTLS records of one byte", Source.PEER, doubling(MAX_DATAGRAM, 3), _authentic_data, "bytes"),
    _stranger("SRTP forged packet", _forged_media, MAX_SRTP),
    _stranger("SRTCP forged packet", _forged_control, MAX_SRTP),
)
