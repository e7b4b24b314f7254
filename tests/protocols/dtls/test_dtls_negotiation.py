"""Version negotiation, and a connection driven by the handshake of another version than 1.2."""

import itertools
import random
from collections.abc import Sequence

import pytest

from tests.protocols.dtls.other_version import NUMBER, SUITE, OtherVersion
from tests.strategies.dtls_messages import HELLO
from tests.strategies.dtls_pair import LATENCY, WALL_CLOCK, Pair, Treatment, certificate, check_agreement
from trio_rtc.enums import RTCDtlsTransportState
from trio_rtc.protocols.dtls import (
    AlertDescription,
    Connection,
    DtlsOptions,
    DtlsRole,
    FinalFlightRetransmitted,
    HandshakeCompleted,
)
from trio_rtc.protocols.dtls.extensions import ExtensionType
from trio_rtc.protocols.dtls.handshake import Version
from trio_rtc.protocols.dtls.messages import ClientHello, HandshakeMessage, HandshakeType, ServerHello
from trio_rtc.protocols.dtls.reassembly import parse_fragments
from trio_rtc.protocols.dtls.record.codec import HEADER, ContentType, parse_records
from trio_rtc.protocols.dtls.tls12.version import Dtls12

OTHER, DTLS_1_2 = OtherVersion(), Dtls12()
BOTH: tuple[Version, ...] = (OTHER, DTLS_1_2)


def connection(role: DtlsRole, versions: Sequence[Version], options: DtlsOptions | None = None) -> Connection:
    made = Connection(
        options or DtlsOptions(),
        role=role,
        certificate=certificate(role),
        rng=random.Random(role.value),
        wall_clock=WALL_CLOCK,
        versions=versions,
    )
    made.set_remote_fingerprints([certificate(role.other).fingerprint()])
    return made


def pair_of(
    client: Sequence[Version],
    server: Sequence[Version],
    options: DtlsOptions | None = None,
    treatment: Treatment | None = None,
) -> Pair:
    return Pair(
        connection(DtlsRole.CLIENT, client, options), connection(DtlsRole.SERVER, server, options), treatment
    )


def versions_of(pair: Pair) -> list[str]:
    events = itertools.chain.from_iterable(pair.log.values())
    return [event.version for event in events if isinstance(event, HandshakeCompleted)]


def sent_alert(pair: Pair, role: DtlsRole) -> int | None:
    closed = pair.closed(role)
    assert closed is not None
    assert closed.error is not None
    return closed.error.sent_alert


@pytest.mark.parametrize(
    ("client", "server", "version"),
    [
        (BOTH, BOTH, "FEFC"),
        ([OTHER], BOTH, "FEFC"),
        (BOTH, [OTHER], "FEFC"),
        ([OTHER], [OTHER], "FEFC"),
        ([DTLS_1_2], BOTH, "FEFD"),
        (BOTH, [DTLS_1_2], "FEFD"),
        (BOTH, BOTH[::-1], "FEFD"),
        (BOTH[::-1], BOTH, "FEFC"),
    ],
)
@pytest.mark.parametrize("cookie", [False, True])
def test_the_server_selects_its_preferred_version_of_those_offered(
    client: Sequence[Version], server: Sequence[Version], version: str, cookie: bool
) -> None:
    pair = pair_of(client, server, DtlsOptions(require_cookie=cookie)).connect()
    assert versions_of(pair) == [version] * 2
    check_agreement(pair)


@pytest.mark.parametrize(("client", "server"), [([OTHER], [DTLS_1_2]), ([DTLS_1_2], [OTHER, OTHER])])
def test_a_server_refuses_a_client_without_a_common_version(
    client: Sequence[Version], server: Sequence[Version]
) -> None:
    pair = pair_of(client, server)
    pair.start()
    pair.run()
    assert sent_alert(pair, DtlsRole.SERVER) == AlertDescription.PROTOCOL_VERSION


def client_hello(versions: Sequence[Version]) -> ClientHello:
    client = connection(DtlsRole.CLIENT, versions)
    client.start(0.0)
    [datagram] = client.datagrams_to_send(0.0)
    [record] = parse_records(datagram)
    [fragment] = parse_fragments(datagram[record.start : record.end])
    return ClientHello.parse(fragment.data)


def test_a_client_hello_merges_the_offers() -> None:
    alone, both = client_hello([DTLS_1_2]), client_hello(BOTH)
    assert ExtensionType.SUPPORTED_VERSIONS not in alone.extensions
    assert both.extensions[ExtensionType.SUPPORTED_VERSIONS] == b"\4\xfe\xfc\xfe\xfd"
    assert client_hello([OTHER]).extensions[ExtensionType.SUPPORTED_VERSIONS] == b"\2\xfe\xfc"
    assert both.cipher_suites == (SUITE, *alone.cipher_suites)
    assert both.extensions.keys() > alone.extensions.keys()
    assert both.version == alone.version == 0xFEFD


@pytest.mark.parametrize(
    ("version", "listed", "offered"),
    [
        (0xFEFD, None, [0xFEFD]),
        (0xFEFC, None, [0xFEFD]),
        (0xFEFF, None, []),
        (0x0303, None, []),
        (0xFEFD, b"\2\xfe\xfc", [NUMBER]),
        (0xFEFD, b"\4\xfe\xfc\xfe\xfd", [NUMBER, 0xFEFD]),
        (0xFEFF, b"\4\xfe\xfc\xfe\xfd", []),
    ],
)
def test_the_versions_of_a_client_hello(version: int, listed: bytes | None, offered: list[int]) -> None:
    extensions = {} if listed is None else {int(ExtensionType.SUPPORTED_VERSIONS): listed}
    hello = ClientHello(version, bytes(32), b"", b"", (1,), b"\0", extensions)
    assert [number for number in (NUMBER, 0xFEFD) if hello.offers_version(number)] == offered


@pytest.mark.parametrize(
    ("kind", "body", "alert"),
    [
        (
            HandshakeType.SERVER_HELLO,
            ServerHello(bytes(32), SUITE, {}, version=0xFEFF).encode(),
            AlertDescription.PROTOCOL_VERSION,
        ),
        (
            HandshakeType.SERVER_HELLO,
            ServerHello(bytes(32), SUITE, {43: b"\xfe\xfb"}).encode(),
            AlertDescription.PROTOCOL_VERSION,
        ),
        (
            HandshakeType.SERVER_HELLO,
            ServerHello(bytes(32), SUITE, {43: b"\xfe\xfc\0"}).encode(),
            AlertDescription.DECODE_ERROR,
        ),
        (HandshakeType.CERTIFICATE, b"", AlertDescription.UNEXPECTED_MESSAGE),
    ],
)
def test_answers_that_a_client_of_several_versions_refuses(
    kind: HandshakeType, body: bytes, alert: AlertDescription
) -> None:
    pair = pair_of(BOTH, BOTH)
    pair.client.start(0.0)
    message = HandshakeMessage(kind, 0, body).encode()
    pair.client.receive([HEADER.pack(ContentType.HANDSHAKE, 0xFEFD, 0, len(message)) + message], 0.0)
    pair.flush()
    assert sent_alert(pair, DtlsRole.CLIENT) == alert


@pytest.mark.parametrize("role", DtlsRole)
@pytest.mark.parametrize("kind", [ContentType.CHANGE_CIPHER_SPEC, ContentType.ACK])
def test_other_content_types_before_the_version_is_known_are_malformed(
    role: DtlsRole, kind: ContentType
) -> None:
    early = connection(role, BOTH)
    early.start(0.0)
    early.receive([HEADER.pack(kind, 0xFEFD, 7, 1) + b"\1"], 0.0)
    assert early.counters.malformed == 1
    assert not early.closed


# A connection driven by another version


@pytest.mark.parametrize("mtu", [120, 1200])
def test_loss_of_every_datagram_in_turn(mtu: int) -> None:
    options = DtlsOptions(mtu=mtu)
    sent = pair_of(BOTH, BOTH, options).connect().sent
    for role in DtlsRole:
        for lost in range([sender for _, sender, _ in sent].count(role)):

            def lose(
                sender: DtlsRole, index: int, datagram: bytes, case: object = (role, lost)
            ) -> list[float]:
                return [] if (sender, index) == case else [LATENCY]

            pair = pair_of(BOTH, BOTH, options, lose).connect()
            assert pair.now < 0.5
            check_agreement(pair)
            # Everything is acknowledged at the end, so that nothing is retransmitted any more.
            pair.run()
            assert all(pair.of(each).next_timer() == float("inf") for each in DtlsRole)


def test_reordered_records_wait_for_the_keys_of_their_epochs() -> None:
    def delay(role: DtlsRole, index: int, datagram: bytes) -> list[float]:
        return [0.01 if index % 2 or pair.completed else 0.03]

    pair = pair_of(BOTH, BOTH, DtlsOptions(mtu=120, retransmission_initial=1.0), delay)
    pair.connect()
    check_agreement(pair)
    assert [pair.of(role).counters.wrong_epoch for role in DtlsRole] == [0, 0]


def test_a_connected_client_retransmits_its_final_flight_until_it_is_acknowledged() -> None:
    def lose(role: DtlsRole, index: int, datagram: bytes) -> list[float]:
        return [] if role is DtlsRole.CLIENT and 0 < index < 4 else [LATENCY]

    pair = pair_of([OTHER], [OTHER], treatment=lose)
    pair.start()
    pair.run(lambda: pair.client.state is RTCDtlsTransportState.CONNECTED)
    assert pair.server.state is RTCDtlsTransportState.CONNECTING
    assert pair.client.next_timer() < float("inf")
    pair.run(lambda: pair.completed)
    assert pair.client.counters.flights_retransmitted >= 3
    pair.run()
    check_agreement(pair)


def test_a_connection_whose_final_flight_is_never_acknowledged_fails() -> None:
    def lose(role: DtlsRole, index: int, datagram: bytes) -> list[float]:
        return [] if role is DtlsRole.CLIENT and index else [LATENCY]

    pair = pair_of([OTHER], [OTHER], DtlsOptions(handshake_timeout=5.0), lose)
    pair.start()
    pair.run(lambda: pair.client.state is RTCDtlsTransportState.CONNECTED)
    pair.run()
    assert sent_alert(pair, DtlsRole.CLIENT) == AlertDescription.USER_CANCELED
    assert pair.client.state is RTCDtlsTransportState.FAILED


def test_a_message_after_the_handshake_is_retransmitted_until_it_is_acknowledged() -> None:
    """The ticket of the server, of which the client's first acknowledgement is lost."""

    def lose(role: DtlsRole, index: int, datagram: bytes) -> list[float]:
        return [] if (role, index) == (DtlsRole.CLIENT, 2) else [LATENCY]

    pair = pair_of([OTHER], [OTHER], treatment=lose).connect()
    assert pair.server.next_timer() < float("inf")
    pair.run()
    assert pair.server.counters.flights_retransmitted == 1
    assert any(isinstance(event, FinalFlightRetransmitted) for event in pair.log[DtlsRole.CLIENT])
    assert pair.server.next_timer() == pair.client.next_timer() == float("inf")
    check_agreement(pair)


def test_our_client_hello_parses_to_itself() -> None:
    assert ClientHello.parse(HELLO.encode()) == HELLO
