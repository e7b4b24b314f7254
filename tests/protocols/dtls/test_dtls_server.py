"""The server of DTLS 1.2: ClientHellos and messages that it accepts or refuses."""

import random

import attrs
import pytest

from tests.strategies.dtls_messages import HELLO, OWN_CHAIN, PARAMETERS, alert_after, deliver, with_extension
from tests.strategies.dtls_pair import certificate, make_connection
from trio_rtc.protocols.dtls import CIPHER_SUITES, AlertDescription, DtlsOptions, DtlsRole
from trio_rtc.protocols.dtls.extensions import ExtensionType, encode_numbers, encode_use_srtp, vector
from trio_rtc.protocols.dtls.flight import FlightMessage
from trio_rtc.protocols.dtls.messages import HandshakeMessage, HandshakeType, ServerHello
from trio_rtc.protocols.dtls.reassembly import parse_fragments
from trio_rtc.protocols.dtls.record.codec import HEADER
from trio_rtc.protocols.dtls.tls12.messages import HelloVerifyRequest, encode_certificates
from trio_rtc.protocols.dtls.tls12.server import ServerHandshake

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
