"""Peers that violate the handshake: each violation has its alert."""

import random
from typing import TypeVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.dtls_pair import WALL_CLOCK, certificate, make_connection
from trio_rtc.protocols.dtls import (
    CIPHER_SUITES,
    AlertDescription,
    Connection,
    DtlsClosed,
    DtlsOptions,
    DtlsRole,
)
from trio_rtc.protocols.dtls.extensions import ExtensionType, encode_numbers, encode_use_srtp, vector
from trio_rtc.protocols.dtls.flight import FlightMessage
from trio_rtc.protocols.dtls.handshake import HandshakeParameters
from trio_rtc.protocols.dtls.messages import ClientHello, HandshakeMessage, HandshakeType, ServerHello
from trio_rtc.protocols.dtls.negotiation import build_client_hello
from trio_rtc.protocols.dtls.reassembly import parse_fragments
from trio_rtc.protocols.dtls.record.codec import HEADER, ContentType
from trio_rtc.protocols.dtls.tls12.messages import HelloVerifyRequest, encode_certificates
from trio_rtc.protocols.dtls.tls12.server import ServerHandshake
from trio_rtc.protocols.dtls.tls12.version import Dtls12

Hello = TypeVar("Hello", ClientHello, ServerHello)

PARAMETERS = HandshakeParameters(
    DtlsOptions(),
    certificate(DtlsRole.CLIENT),
    [certificate(DtlsRole.SERVER).fingerprint()],
    random.Random(9),
)
HELLO = build_client_hello(PARAMETERS, {0xFEFD: Dtls12().offer(PARAMETERS)})
SERVER_HELLO = ServerHello(
    bytes(32), CIPHER_SUITES[0].identifier, {ExtensionType.EXTENDED_MASTER_SECRET: b""}
)


def record(message: HandshakeMessage) -> bytes:
    body = message.encode()
    return HEADER.pack(ContentType.HANDSHAKE, 0xFEFD, message.sequence, len(body)) + body


def deliver(connection: Connection, *messages: tuple[int, bytes]) -> None:
    for sequence, (kind, body) in enumerate(messages):
        connection.receive([record(HandshakeMessage(kind, sequence, body))], 0.0)


def alert_after(
    role: DtlsRole, *messages: tuple[int, bytes], options: DtlsOptions | None = None
) -> int | None:
    """Return the alert that a side sends after some messages, or None if the handshake continues."""
    connection = make_connection(role, options)
    connection.start(0.0)
    connection.datagrams_to_send(0.0)
    deliver(connection, *messages)
    if not connection.closed:
        assert connection.events() == []
        return None
    (closed,) = connection.events()
    assert isinstance(closed, DtlsClosed)
    assert closed.error is not None
    assert closed.error.message
    (datagram,) = connection.datagrams_to_send(0.0)[-1:]
    assert datagram[0] == ContentType.ALERT
    assert datagram[-2:] == bytes((2, closed.error.sent_alert or 0))
    return closed.error.sent_alert


def with_extension(hello: Hello, kind: int, body: bytes | None) -> Hello:
    extensions = {key: value for key, value in hello.extensions.items() if key != kind}
    if body is not None:
        extensions[kind] = body
    return attrs.evolve(hello, extensions=extensions)


UNSUPPORTED_GROUPS = vector(2, encode_numbers((0x11EC, 25)))
UNSUPPORTED_SCHEMES = vector(2, encode_numbers((0x0807, 0x0203)))

BAD_CLIENT_HELLOS = {
    "DTLS 1.0": (attrs.evolve(HELLO, version=0xFEFF), AlertDescription.PROTOCOL_VERSION),
    "TLS 1.2": (attrs.evolve(HELLO, version=0x0303), AlertDescription.PROTOCOL_VERSION),
    "only 1.3": (
        with_extension(HELLO, ExtensionType.SUPPORTED_VERSIONS, b"\2\xfe\xfc"),
        AlertDescription.PROTOCOL_VERSION,
    ),
    "compression": (attrs.evolve(HELLO, compression_methods=b"\1"), AlertDescription.ILLEGAL_PARAMETER),
    "no extended master secret": (
        with_extension(HELLO, ExtensionType.EXTENDED_MASTER_SECRET, None),
        AlertDescription.HANDSHAKE_FAILURE,
    ),
    "extended master secret with contents": (
        with_extension(HELLO, ExtensionType.EXTENDED_MASTER_SECRET, b"x"),
        AlertDescription.HANDSHAKE_FAILURE,
    ),
    "renegotiation": (
        with_extension(HELLO, ExtensionType.RENEGOTIATION_INFO, b"\1x"),
        AlertDescription.HANDSHAKE_FAILURE,
    ),
    "only compressed points": (
        with_extension(HELLO, ExtensionType.EC_POINT_FORMATS, b"\1\1"),
        AlertDescription.ILLEGAL_PARAMETER,
    ),
    "no suite": (attrs.evolve(HELLO, cipher_suites=(0x1301, 0xC013)), AlertDescription.HANDSHAKE_FAILURE),
    "no group": (
        with_extension(HELLO, ExtensionType.SUPPORTED_GROUPS, UNSUPPORTED_GROUPS),
        AlertDescription.HANDSHAKE_FAILURE,
    ),
    "no signature scheme": (
        with_extension(HELLO, ExtensionType.SIGNATURE_ALGORITHMS, UNSUPPORTED_SCHEMES),
        AlertDescription.HANDSHAKE_FAILURE,
    ),
    "no signature_algorithms": (
        with_extension(HELLO, ExtensionType.SIGNATURE_ALGORITHMS, None),
        AlertDescription.HANDSHAKE_FAILURE,
    ),
    "malformed supported_groups": (
        with_extension(HELLO, ExtensionType.SUPPORTED_GROUPS, b"\0\3abc"),
        AlertDescription.DECODE_ERROR,
    ),
    "malformed use_srtp": (
        with_extension(HELLO, ExtensionType.USE_SRTP, b"\0\2"),
        AlertDescription.DECODE_ERROR,
    ),
}


@pytest.mark.parametrize("name", BAD_CLIENT_HELLOS)
def test_client_hellos_that_a_server_refuses(name: str) -> None:
    hello, alert = BAD_CLIENT_HELLOS[name]
    assert alert_after(DtlsRole.SERVER, (HandshakeType.CLIENT_HELLO, hello.encode())) == alert


GOOD_CLIENT_HELLOS = {
    "ours": HELLO,
    "session id": attrs.evolve(HELLO, session_id=bytes(32)),
    "cookie that was not requested": attrs.evolve(HELLO, cookie=b"x"),
    "no supported_groups": with_extension(HELLO, ExtensionType.SUPPORTED_GROUPS, None),
    "no ec_point_formats": with_extension(HELLO, ExtensionType.EC_POINT_FORMATS, None),
    "no renegotiation info": with_extension(HELLO, ExtensionType.RENEGOTIATION_INFO, None),
    "renegotiation SCSV": with_extension(
        attrs.evolve(HELLO, cipher_suites=(*HELLO.cipher_suites, 0x00FF)),
        ExtensionType.RENEGOTIATION_INFO,
        None,
    ),
    "unknown extension": with_extension(HELLO, 0xFAFA, b"grease"),
    "ticket": with_extension(HELLO, 35, b"ticket"),
    "unsupported SRTP profiles": with_extension(HELLO, ExtensionType.USE_SRTP, encode_use_srtp((2, 5))),
    "newer than 1.2": with_extension(
        attrs.evolve(HELLO, version=0xFEFC), ExtensionType.SUPPORTED_VERSIONS, b"\4\xfe\xfc\xfe\xfd"
    ),
}


@pytest.mark.parametrize("name", GOOD_CLIENT_HELLOS)
def test_client_hellos_that_a_server_accepts(name: str) -> None:
    hello = GOOD_CLIENT_HELLOS[name]
    assert alert_after(DtlsRole.SERVER, (HandshakeType.CLIENT_HELLO, hello.encode())) is None


MASTER_SECRET = {ExtensionType.EXTENDED_MASTER_SECRET: b""}
RENEGOTIATION = {ExtensionType.RENEGOTIATION_INFO: b"\0"}
POINTS = {ExtensionType.EC_POINT_FORMATS: b"\1\0"}
SRTP = {ExtensionType.USE_SRTP: encode_use_srtp((8,))}


@pytest.mark.parametrize(
    ("name", "extensions"),
    [
        ("ours", {**MASTER_SECRET, **RENEGOTIATION, **POINTS, **SRTP}),
        ("no renegotiation info", {**MASTER_SECRET, **POINTS, **SRTP}),
        # RFC 5746 section 3.6: the cipher suite is answered with the extension.
        ("renegotiation SCSV", {**MASTER_SECRET, **RENEGOTIATION, **POINTS, **SRTP}),
        ("no ec_point_formats", {**MASTER_SECRET, **RENEGOTIATION, **SRTP}),
        ("unsupported SRTP profiles", {**MASTER_SECRET, **RENEGOTIATION, **POINTS}),
        ("unknown extension", {**MASTER_SECRET, **RENEGOTIATION, **POINTS, **SRTP}),
    ],
)
def test_a_server_answers_the_extensions_that_it_supports(name: str, extensions: dict[int, bytes]) -> None:
    parameters = attrs.evolve(PARAMETERS, certificate=certificate(DtlsRole.SERVER), rng=random.Random(3))
    hello = HandshakeMessage(HandshakeType.CLIENT_HELLO, 0, GOOD_CLIENT_HELLOS[name].encode())
    [item, *_] = ServerHandshake(parameters).receive(hello).flight
    assert isinstance(item, FlightMessage)
    first = item.message
    assert first.message_type == HandshakeType.SERVER_HELLO
    answer = ServerHello.parse(first.body)
    assert (answer.version, answer.session_id, answer.compression_method) == (0xFEFD, b"", 0)
    assert answer.cipher_suite == CIPHER_SUITES[0].identifier
    assert answer.extensions == extensions


def test_a_client_hello_of_another_message_type() -> None:
    for kind in (HandshakeType.SERVER_HELLO, HandshakeType.CERTIFICATE, 99):
        assert alert_after(DtlsRole.SERVER, (kind, HELLO.encode())) == AlertDescription.UNEXPECTED_MESSAGE


def test_a_cookie_has_32_bytes() -> None:
    """DTLS 1.0 allows no more (RFC 4347 section 4.2.1)."""
    server = make_connection(DtlsRole.SERVER, DtlsOptions(require_cookie=True))
    server.start(0.0)
    deliver(server, (HandshakeType.CLIENT_HELLO, HELLO.encode()))
    (datagram,) = server.datagrams_to_send(0.0)
    (fragment,) = parse_fragments(datagram[HEADER.size :])
    assert fragment.message_type == HandshakeType.HELLO_VERIFY_REQUEST
    assert len(HelloVerifyRequest.parse(fragment.data).cookie) == 32


def test_a_wrong_cookie() -> None:
    hello = (HandshakeType.CLIENT_HELLO, attrs.evolve(HELLO, cookie=b"wrong").encode())
    options = DtlsOptions(require_cookie=True)
    assert alert_after(DtlsRole.SERVER, hello, options=options) is None
    assert alert_after(DtlsRole.SERVER, hello, hello, options=options) == AlertDescription.HANDSHAKE_FAILURE


BAD_SERVER_HELLOS = {
    "DTLS 1.0": (attrs.evolve(SERVER_HELLO, version=0xFEFF), AlertDescription.PROTOCOL_VERSION),
    "DTLS 1.3": (attrs.evolve(SERVER_HELLO, version=0xFEFC), AlertDescription.PROTOCOL_VERSION),
    "suite that was not offered": (
        attrs.evolve(SERVER_HELLO, cipher_suite=0xC013),
        AlertDescription.ILLEGAL_PARAMETER,
    ),
    "compression": (attrs.evolve(SERVER_HELLO, compression_method=1), AlertDescription.ILLEGAL_PARAMETER),
    "no extended master secret": (
        attrs.evolve(SERVER_HELLO, extensions={}),
        AlertDescription.HANDSHAKE_FAILURE,
    ),
    "extension that was not offered": (
        with_extension(SERVER_HELLO, 35, b""),
        AlertDescription.UNSUPPORTED_EXTENSION,
    ),
    "renegotiation": (
        with_extension(SERVER_HELLO, ExtensionType.RENEGOTIATION_INFO, b"\1x"),
        AlertDescription.HANDSHAKE_FAILURE,
    ),
    "SRTP profile that was not offered": (
        with_extension(SERVER_HELLO, ExtensionType.USE_SRTP, encode_use_srtp((2,))),
        AlertDescription.ILLEGAL_PARAMETER,
    ),
    "two SRTP profiles": (
        with_extension(SERVER_HELLO, ExtensionType.USE_SRTP, encode_use_srtp((7, 8))),
        AlertDescription.ILLEGAL_PARAMETER,
    ),
    "SRTP master key identifier": (
        with_extension(SERVER_HELLO, ExtensionType.USE_SRTP, b"\0\2\0\7\1x"),
        AlertDescription.ILLEGAL_PARAMETER,
    ),
}


@pytest.mark.parametrize("name", BAD_SERVER_HELLOS)
def test_server_hellos_that_a_client_refuses(name: str) -> None:
    hello, alert = BAD_SERVER_HELLOS[name]
    assert alert_after(DtlsRole.CLIENT, (HandshakeType.SERVER_HELLO, hello.encode())) == alert


GOOD_SERVER_HELLOS = {
    "minimal": SERVER_HELLO,
    "session id": attrs.evolve(SERVER_HELLO, session_id=bytes(32)),
    "every extension that was offered": attrs.evolve(
        SERVER_HELLO, extensions={**HELLO.extensions, ExtensionType.USE_SRTP: encode_use_srtp((7,))}
    ),
}


@pytest.mark.parametrize("name", GOOD_SERVER_HELLOS)
def test_server_hellos_that_a_client_accepts(name: str) -> None:
    hello = GOOD_SERVER_HELLOS[name]
    assert alert_after(DtlsRole.CLIENT, (HandshakeType.SERVER_HELLO, hello.encode())) is None


def test_a_second_hello_verify_request() -> None:
    request = (HandshakeType.HELLO_VERIFY_REQUEST, HelloVerifyRequest(b"cookie").encode())
    assert alert_after(DtlsRole.CLIENT, request) is None
    assert alert_after(DtlsRole.CLIENT, request, request) == AlertDescription.UNEXPECTED_MESSAGE


OWN_CHAIN = encode_certificates([certificate(DtlsRole.SERVER).der])


@pytest.mark.parametrize(
    ("messages", "alert"),
    [
        ([(HandshakeType.CERTIFICATE, OWN_CHAIN)], AlertDescription.UNEXPECTED_MESSAGE),
        ([(99, b"")], AlertDescription.UNEXPECTED_MESSAGE),
        ([(HandshakeType.SERVER_HELLO, b"")], AlertDescription.DECODE_ERROR),
        ([(HandshakeType.SERVER_HELLO, SERVER_HELLO.encode())] * 2, AlertDescription.UNEXPECTED_MESSAGE),
        (
            [
                (HandshakeType.SERVER_HELLO, SERVER_HELLO.encode()),
                (HandshakeType.CERTIFICATE, encode_certificates([])),
            ],
            AlertDescription.HANDSHAKE_FAILURE,
        ),
        (
            [
                (HandshakeType.SERVER_HELLO, attrs.evolve(SERVER_HELLO, cipher_suite=0xC02F).encode()),
                (HandshakeType.CERTIFICATE, OWN_CHAIN),
            ],
            AlertDescription.ILLEGAL_PARAMETER,
        ),
        (
            [
                (HandshakeType.SERVER_HELLO, SERVER_HELLO.encode()),
                (HandshakeType.CERTIFICATE, OWN_CHAIN),
                (HandshakeType.SERVER_HELLO_DONE, b""),
            ],
            AlertDescription.UNEXPECTED_MESSAGE,
        ),
        (
            [
                (HandshakeType.SERVER_HELLO, SERVER_HELLO.encode()),
                (HandshakeType.CERTIFICATE, OWN_CHAIN),
                (HandshakeType.SERVER_KEY_EXCHANGE, b"\3\0\x1e\0\4\3\0\0"),
            ],
            AlertDescription.ILLEGAL_PARAMETER,
        ),
        (
            [
                (HandshakeType.SERVER_HELLO, SERVER_HELLO.encode()),
                (HandshakeType.CERTIFICATE, OWN_CHAIN),
                (HandshakeType.SERVER_KEY_EXCHANGE, b"\3\0\x1d\0\4\3\0\0"),
            ],
            AlertDescription.DECRYPT_ERROR,
        ),
        (
            [
                (HandshakeType.SERVER_HELLO, SERVER_HELLO.encode()),
                (HandshakeType.CERTIFICATE, OWN_CHAIN),
                (HandshakeType.SERVER_KEY_EXCHANGE, b"\3\0\x1d\0\4\1\0\0"),
            ],
            AlertDescription.ILLEGAL_PARAMETER,
        ),
    ],
)
def test_wrong_messages_of_a_server(messages: list[tuple[int, bytes]], alert: AlertDescription) -> None:
    assert alert_after(DtlsRole.CLIENT, *messages) == alert


@pytest.mark.parametrize(
    ("second", "alert"),
    [
        ((HandshakeType.CLIENT_KEY_EXCHANGE, b"\0"), AlertDescription.UNEXPECTED_MESSAGE),
        ((HandshakeType.CERTIFICATE, encode_certificates([])), AlertDescription.HANDSHAKE_FAILURE),
        ((HandshakeType.CERTIFICATE, OWN_CHAIN), AlertDescription.BAD_CERTIFICATE),
        ((HandshakeType.CERTIFICATE, b""), AlertDescription.DECODE_ERROR),
    ],
)
def test_wrong_messages_of_a_client(second: tuple[int, bytes], alert: AlertDescription) -> None:
    hello = (HandshakeType.CLIENT_HELLO, HELLO.encode())
    assert alert_after(DtlsRole.SERVER, hello, second) == alert


@pytest.mark.parametrize("role", DtlsRole)
def test_a_finished_in_the_clear_is_ignored(role: DtlsRole) -> None:
    """Finished counts only under the new keys."""
    client, server = make_connection(DtlsRole.CLIENT), make_connection(DtlsRole.SERVER)
    client.start(0.0)
    server.start(0.0)
    server.receive(client.datagrams_to_send(0.0), 0.0)
    client.receive(server.datagrams_to_send(0.0), 0.0)
    victim = client
    sequence = 5
    if role is DtlsRole.SERVER:
        victim, sequence = server, 4
        (flight,) = client.datagrams_to_send(0.0)
        # Everything but the last record, which is Finished.
        server.receive([flight[: -(HEADER.size + 8 + 24 + 16)]], 0.0)
    victim.receive([record(HandshakeMessage(HandshakeType.FINISHED, sequence, bytes(12)))], 0.0)
    assert not victim.closed
    assert victim.events() == []


@given(
    body=st.binary(max_size=200),
    kind=st.sampled_from([*HandshakeType, 99]),
    sequence=st.integers(0, 3),
    role=st.sampled_from(DtlsRole),
)
def test_any_message_at_any_time_never_raises(body: bytes, kind: int, sequence: int, role: DtlsRole) -> None:
    connection = make_connection(role)
    connection.start(WALL_CLOCK)
    good = {
        DtlsRole.SERVER: [(HandshakeType.CLIENT_HELLO, HELLO.encode())],
        DtlsRole.CLIENT: [
            (HandshakeType.SERVER_HELLO, SERVER_HELLO.encode()),
            (HandshakeType.CERTIFICATE, OWN_CHAIN),
        ],
    }[role]
    deliver(connection, *good[:sequence])
    connection.receive([record(HandshakeMessage(kind, min(sequence, len(good)), body))], 0.0)
    connection.datagrams_to_send(0.0)


def test_our_client_hello_parses_to_itself() -> None:
    assert ClientHello.parse(HELLO.encode()) == HELLO
