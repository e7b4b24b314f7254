"""The client of DTLS 1.2: ServerHellos and messages that it accepts or refuses."""

import attrs
import pytest

from tests.strategies.dtls_messages import HELLO, OWN_CHAIN, SERVER_HELLO, alert_after, with_extension
from trio_rtc.protocols.dtls import AlertDescription, DtlsRole
from trio_rtc.protocols.dtls.extensions import ExtensionType, encode_use_srtp
from trio_rtc.protocols.dtls.messages import HandshakeType
from trio_rtc.protocols.dtls.tls12.messages import HelloVerifyRequest, encode_certificates

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
