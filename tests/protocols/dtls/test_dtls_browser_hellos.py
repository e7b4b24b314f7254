"""ClientHellos of browsers, which offer DTLS 1.3 with ML-KEM in two fragments, are answered with DTLS 1.2."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.strategies.dtls_pair import WALL_CLOCK, certificate, make_connection
from trio_rtc.enums import RTCDtlsTransportState
from trio_rtc.protocols.dtls import RSA_2048, DtlsOptions, DtlsRole
from trio_rtc.protocols.dtls.extensions import ExtensionType
from trio_rtc.protocols.dtls.messages import ClientHello, HandshakeMessage, HandshakeType, ServerHello
from trio_rtc.protocols.dtls.reassembly import Reassembler, parse_fragments
from trio_rtc.protocols.dtls.record.codec import ContentType, parse_records
from trio_rtc.protocols.dtls.tls12.messages import ServerKeyExchange

DATA = Path(__file__).parents[2] / "data" / "dtls"
BROWSERS = ("chromium", "firefox")


def hello_of(browser: str) -> list[bytes]:
    """Return the datagrams of the recorded ClientHello of a browser."""
    lines = (DATA / f"{browser}-client-hello.hex").read_text().split()
    return [bytes.fromhex(line) for line in lines]


def messages_in(datagrams: list[bytes]) -> Iterator[HandshakeMessage]:
    reassembler = Reassembler(65536, 65536)
    for datagram in datagrams:
        for record in parse_records(datagram):
            assert record.content_type == ContentType.HANDSHAKE
            for fragment in parse_fragments(datagram[record.start : record.end]):
                reassembler.add_fragment(0, fragment)
    while (message := reassembler.pop_message(0)) is not None:
        yield message


@pytest.mark.parametrize("browser", BROWSERS)
def test_the_client_hello_offers_dtls_1_3(browser: str) -> None:
    (message,) = messages_in(hello_of(browser))
    hello = ClientHello.parse(message.body)
    assert hello.encode() == message.body
    assert hello.extensions[ExtensionType.SUPPORTED_VERSIONS][1:3] == b"\xfe\xfc"
    assert 0x1301 in hello.cipher_suites


@pytest.mark.parametrize("browser", BROWSERS)
@pytest.mark.parametrize("order", ["in order", "backwards", "twice"])
@pytest.mark.parametrize("algorithm", ["ECDSA P-256", RSA_2048])
def test_a_browser_is_answered_with_dtls_1_2(browser: str, order: str, algorithm: str) -> None:
    server = make_connection(
        DtlsRole.SERVER,
        own=certificate(DtlsRole.SERVER, algorithm),
        fingerprints=[certificate(DtlsRole.CLIENT).fingerprint()],
    )
    server.start(0.0)
    datagrams = hello_of(browser)
    server.receive({"in order": datagrams, "backwards": datagrams[::-1], "twice": datagrams * 2}[order], 0.0)
    assert server.state is RTCDtlsTransportState.CONNECTING
    answer = list(messages_in(server.datagrams_to_send(0.0)))
    assert [message.message_type for message in answer] == [
        HandshakeType.SERVER_HELLO,
        HandshakeType.CERTIFICATE,
        HandshakeType.SERVER_KEY_EXCHANGE,
        HandshakeType.CERTIFICATE_REQUEST,
        HandshakeType.SERVER_HELLO_DONE,
    ]
    hello = ServerHello.parse(answer[0].body)
    assert hello.version == 0xFEFD
    assert hello.cipher_suite == (0xC02B if algorithm == "ECDSA P-256" else 0xC02F)
    assert set(hello.extensions) == {
        ExtensionType.EXTENDED_MASTER_SECRET,
        ExtensionType.RENEGOTIATION_INFO,
        ExtensionType.EC_POINT_FORMATS,
        ExtensionType.USE_SRTP,
    }
    # The downgrade mark of servers that support 1.3, RFC 8446 section 4.1.3.
    assert b"DOWNGRD" not in hello.random
    assert ServerKeyExchange.parse(answer[2].body).group == 29


@pytest.mark.parametrize("browser", BROWSERS)
def test_a_lost_fragment_is_awaited(browser: str) -> None:
    server = make_connection(DtlsRole.SERVER)
    server.start(0.0)
    first, second = hello_of(browser)
    server.receive([second], 0.0)
    assert server.datagrams_to_send(0.0) == []
    assert server.next_timer() == float("inf")
    server.receive([first, second], 0.05)
    assert server.datagrams_to_send(0.05)


@pytest.mark.parametrize("browser", BROWSERS)
def test_a_cookie_can_be_requested(browser: str) -> None:
    server = make_connection(DtlsRole.SERVER, DtlsOptions(require_cookie=True))
    server.start(0.0)
    server.receive(hello_of(browser), 0.0)
    (request,) = messages_in(server.datagrams_to_send(0.0))
    assert request.message_type == HandshakeType.HELLO_VERIFY_REQUEST
    server.handle_timer(1.0)
    assert server.datagrams_to_send(1.0) == []


@pytest.mark.parametrize("browser", BROWSERS)
def test_flipped_bits_never_raise(browser: str) -> None:
    rng = random.Random(WALL_CLOCK)
    for _ in range(200):
        server = make_connection(DtlsRole.SERVER)
        server.start(0.0)
        datagrams = [bytearray(datagram) for datagram in hello_of(browser)]
        for _ in range(rng.randrange(1, 5)):
            datagram = rng.choice(datagrams)
            datagram[rng.randrange(len(datagram))] ^= 1 << rng.randrange(8)
        server.receive([bytes(datagram) for datagram in datagrams], 0.0)
        server.datagrams_to_send(0.0)
