"""Handshake messages that tests make and deliver to a connection of DTLS 1.2."""

import random
from typing import TypeVar

import attrs

from tests.strategies.dtls_pair import certificate, make_connection
from trio_rtc.protocols.dtls import CIPHER_SUITES, Connection, DtlsClosed, DtlsOptions, DtlsRole
from trio_rtc.protocols.dtls.extensions import ExtensionType
from trio_rtc.protocols.dtls.handshake import HandshakeParameters
from trio_rtc.protocols.dtls.messages import ClientHello, HandshakeMessage, ServerHello
from trio_rtc.protocols.dtls.negotiation import build_client_hello
from trio_rtc.protocols.dtls.record.codec import HEADER, ContentType
from trio_rtc.protocols.dtls.tls12.messages import encode_certificates
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


OWN_CHAIN = encode_certificates([certificate(DtlsRole.SERVER).der])
