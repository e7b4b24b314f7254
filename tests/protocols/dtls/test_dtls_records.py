"""Records once the keys are there: replayed, forged, malformed, of another epoch; alerts true and false."""

import itertools
import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.dtls_pair import Pair, check_agreement, make_connection, make_pair, seal_record
from trio_rtc.enums import RTCDtlsTransportState, RTCErrorDetailType
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls import (
    CIPHER_SUITES,
    AlertDescription,
    ApplicationDataReceived,
    CipherSuite,
    DtlsClosed,
    DtlsOptions,
    DtlsRole,
)
from trio_rtc.protocols.dtls.alert import Alert
from trio_rtc.protocols.dtls.counters import DtlsCounters
from trio_rtc.protocols.dtls.messages import HandshakeMessage, HandshakeType
from trio_rtc.protocols.dtls.record.codec import (
    HEADER,
    MAX_FRAGMENT,
    VERSION_1_2,
    ContentType,
    Record,
    parse_records,
)
from trio_rtc.protocols.dtls.record.protection import EpochWriter, NullProtection
from trio_rtc.protocols.dtls.record.replay import ReplayWindow
from trio_rtc.protocols.dtls.tls12.protection import AeadProtection

SUITES = pytest.mark.parametrize("suite", CIPHER_SUITES[::2], ids=lambda suite: suite.name)


def connected(suite: CipherSuite = CIPHER_SUITES[0], **options: Any) -> Pair:
    return make_pair(DtlsOptions(cipher_suites=(suite,)), DtlsOptions(**options)).connect()


def seal(pair: Pair, *items: bytes) -> list[bytes]:
    pair.client.send(items, pair.now)
    return pair.client.datagrams_to_send(pair.now)


def received(pair: Pair, datagrams: list[bytes]) -> list[bytes]:
    pair.server.receive(datagrams, pair.now)
    match pair.server.events():
        case []:
            return []
        case [ApplicationDataReceived(batch)]:
            return list(batch)
        case others:
            raise AssertionError(others)


@SUITES
def test_a_batch_is_one_event(suite: CipherSuite) -> None:
    pair = connected(suite)
    items = [bytes([index]) * index * 30 for index in range(32)]
    assert received(pair, seal(pair, *items)) == items
    assert pair.server.events() == []


@SUITES
def test_records_in_one_datagram_and_in_several_are_the_same(suite: CipherSuite) -> None:
    pair = connected(suite)
    first, second, third, fourth = seal(pair, b"1", b"2", b"3", b"4")
    before = pair.server.counters.records_received
    assert received(pair, [first, second + third, fourth]) == [b"1", b"2", b"3", b"4"]
    assert pair.server.counters.records_received == before + 4


@SUITES
def test_a_replayed_record_is_dropped(suite: CipherSuite) -> None:
    pair = connected(suite)
    datagrams = seal(pair, b"1", b"2", b"3")
    assert received(pair, [datagrams[0], datagrams[2], datagrams[0], datagrams[2]]) == [b"1", b"3"]
    assert pair.server.counters.replayed == 2
    # The general path, with several records in a datagram, has the same window.
    assert received(pair, [b"".join(datagrams)]) == [b"2"]
    assert pair.server.counters.replayed == 4


@pytest.mark.parametrize("window", [32, 64, 1000])
def test_how_late_a_record_may_come(window: int) -> None:
    pair = connected(replay_window=window)
    datagrams = seal(pair, *(str(index).encode() for index in range(window + 1)))
    assert received(pair, datagrams[-1:]) == [str(window).encode()]
    assert received(pair, datagrams[:1]) == []
    assert received(pair, datagrams[1:2]) == [b"1"]
    assert pair.server.counters.replayed == 1


@SUITES
@given(position=st.integers(0, 200), bit=st.integers(0, 7))
@example(position=12, bit=2)
def test_a_changed_bit_anywhere_drops_the_record_and_nothing_else(
    suite: CipherSuite, position: int, bit: int
) -> None:
    pair = connected(suite)
    first, second, third = seal(pair, b"1", b"2" * 20, b"3")
    changed = bytearray(second)
    changed[position % len(changed)] ^= 1 << bit
    assert received(pair, [first, bytes(changed), third]) == [b"1", b"3"]
    counters = pair.server.counters
    # A smaller length cuts the record in two, the forged beginning and a rest that is none.
    dropped = counters.forged + counters.malformed + counters.wrong_epoch + counters.replayed
    assert dropped == 2 if position % len(changed) in (11, 12) and counters.forged else dropped == 1
    # The genuine one is not shut out by its forgery.
    assert received(pair, [second]) == [b"2" * 20]


def test_a_forged_record_does_not_move_the_window() -> None:
    pair = connected()
    datagrams = seal(pair, b"1", b"2")
    content_type, version, _, length = HEADER.unpack_from(datagrams[1])
    future = HEADER.pack(content_type, version, 1 << 48 | 1 << 40, length) + datagrams[1][HEADER.size :]
    assert received(pair, [future, *datagrams]) == [b"1", b"2"]
    assert pair.server.counters.forged == 1


@pytest.mark.parametrize("length", [0, 1, 12, 13, 20, 36])
def test_records_too_short_to_be_protected(length: int) -> None:
    pair = connected()
    (datagram,) = seal(pair, b"")
    fragment = max(0, length - HEADER.size)
    cut = (datagram[:11] + fragment.to_bytes(2, "big") + datagram[13:])[:length]
    assert received(pair, [cut, datagram]) == [b""]
    assert pair.server.counters.malformed == (1 if length else 0)


def test_records_of_other_epochs_are_dropped() -> None:
    pair = connected()
    (datagram,) = seal(pair, b"1")
    for epoch in (0, 2, 65535):
        assert received(pair, [datagram[:3] + epoch.to_bytes(2, "big") + datagram[5:]]) == []
    assert pair.server.counters.wrong_epoch == 3
    assert received(pair, [datagram]) == [b"1"]


def test_plaintext_of_as_many_bytes_as_a_record_may_have() -> None:
    """RFC 6347 section 4.1: at most 2 ** 14 bytes, wherever the record lies in its datagram."""
    datagram = bytes(20) + bytes(range(256)) * 65
    protection = NullProtection()
    assert protection.open(ContentType.HANDSHAKE, 0, datagram, 20, 20 + 16_384) == datagram[20 : 20 + 16_384]
    with pytest.raises(ProtocolError, match="plaintext of 16385 bytes"):
        protection.open(ContentType.HANDSHAKE, 0, datagram, 20, 20 + 16_385)


@SUITES
def test_plaintext_of_as_many_bytes_as_a_protected_record_may_have(suite: CipherSuite) -> None:
    aead = suite.aead
    protection = AeadProtection(aead, bytes(aead.key_length), bytes(aead.fixed_iv_length))
    for size in (0, 16_384):
        (sealed,) = protection.seal_batch(ContentType.HANDSHAKE, 7, [bytes(size)])
        assert protection.open(ContentType.HANDSHAKE, 7, sealed, HEADER.size, len(sealed)) == bytes(size)
    (sealed,) = protection.seal_batch(ContentType.HANDSHAKE, 7, [bytes(16_385)])
    for end in (len(sealed), protection.overhead - 1):
        with pytest.raises(ProtocolError, match="protected fragment of"):
            protection.open(ContentType.HANDSHAKE, 7, sealed, HEADER.size, end)


def test_every_record_of_a_batch_is_numbered_and_counted() -> None:
    counters = DtlsCounters()
    writer = EpochWriter(1, NullProtection(), counters)
    batches = [writer.seal_batch(ContentType.APPLICATION_DATA, [b"a", b"b"]), [writer.seal(22, b"c")]]
    sequences = [record.sequence for batch in batches for (record,) in map(parse_records, batch)]
    assert sequences == [0, 1, 2]
    assert counters.records_sent == 3


def test_records_behind_the_thirty_second_of_a_datagram_are_not_read() -> None:
    record = HEADER.pack(ContentType.HANDSHAKE, VERSION_1_2, 0, 1) + b"x"
    assert len(list(parse_records(32 * record))) == 32
    records = parse_records(33 * record)
    assert len(list(itertools.islice(records, 32))) == 32
    with pytest.raises(ProtocolError, match="more than 32 records"):
        next(records)


def test_data_in_the_clear_is_never_delivered() -> None:
    record = bytes((23, 0xFE, 0xFD)) + bytes(8) + b"\0\4evil"
    fresh = make_connection(DtlsRole.SERVER)
    fresh.start(0.0)
    fresh.receive([record], 0.0)
    assert fresh.events() == []
    assert fresh.counters.unexpected == 1
    pair = connected()
    assert received(pair, [record]) == []


def test_early_records_are_bounded() -> None:
    server = make_connection(DtlsRole.SERVER, DtlsOptions(max_early_records=4))
    server.start(0.0)
    record = bytes((23, 0xFE, 0xFD)) + b"\0\1" + bytes(6) + b"\0\x20" + bytes(32)
    server.receive([record] * 10, 0.0)
    assert server.counters.wrong_epoch == 6


def test_forged_early_records_do_not_spoil_the_handshake() -> None:
    pair = make_pair()
    numbers = b"\0\1" + (999).to_bytes(6, "big")
    garbage = [bytes((kind, 0xFE, 0xFD)) + numbers + b"\0\3xyz" for kind in (20, 21, 22, 23)]
    pair.client.start(0.0)
    pair.client.receive(garbage, 0.0)
    pair.server.start(0.0)
    pair.server.receive(garbage, 0.0)
    pair.flush()
    pair.run(lambda: pair.completed)
    check_agreement(pair)
    assert pair.server.counters.malformed == pair.client.counters.malformed == len(garbage)


# Alerts


def plain_alert(level: int, description: int) -> bytes:
    return bytes((21, 0xFE, 0xFD)) + bytes(8) + b"\0\2" + bytes((level, description))


FORGERIES = [plain_alert(2, 40), plain_alert(1, 0), plain_alert(2, 255), plain_alert(1, 90)]


def test_forged_alerts_do_not_stop_a_handshake() -> None:
    pair = make_pair()
    pair.start()
    while not pair.completed:
        for connection in (pair.client, pair.server):
            connection.receive(FORGERIES, pair.now)
        pair.step()
    check_agreement(pair)


@pytest.mark.parametrize(
    ("round_trip_time", "believed_at"), [(0.01, 0.8), (0.2, 0.8), (0.3, 1.0), (1.2, 3.7), (None, 3.1)]
)
def test_an_alert_in_the_clear_is_believed_when_the_peer_falls_silent(
    round_trip_time: float | None, believed_at: float
) -> None:
    """After three round trips, or the longest retransmission interval, but not before the least time."""
    client = make_connection(DtlsRole.CLIENT, DtlsOptions(unauthenticated_alert_grace=0.7))
    client.start(0.0, round_trip_time=round_trip_time)
    client.receive([plain_alert(2, 40)], 0.1)
    client.receive([plain_alert(2, 47)], 0.5)
    # Meanwhile the hello is sent again at its time.
    assert client.next_timer() == 0.05
    now = 0.5
    while not client.closed:
        now = client.next_timer()
        client.handle_timer(now)
    assert now == pytest.approx(believed_at)
    (closed,) = client.events()
    assert isinstance(closed, DtlsClosed)
    assert closed.error is not None
    assert closed.error.received_alert == AlertDescription.HANDSHAKE_FAILURE
    assert closed.error.detail is RTCErrorDetailType.DTLS_FAILURE


@pytest.mark.parametrize("victim", DtlsRole)
@pytest.mark.parametrize("latency", [0.6, 1.4])
def test_forged_alerts_do_not_stop_a_handshake_over_a_long_path(victim: DtlsRole, latency: float) -> None:
    """Half of a round trip is ``latency``; ICE has not measured it."""
    pair = make_pair(treatment=lambda role, index, datagram: (latency,))
    pair.start()
    while not pair.completed:
        pair.of(victim).receive(FORGERIES, pair.now)
        assert pair.step()
    check_agreement(pair)


@pytest.mark.parametrize("role", DtlsRole)
def test_the_round_trip_of_a_handshake_counts_as_well(role: DtlsRole) -> None:
    """A path that has become slower than ICE has measured: the handshake's own time is what counts."""
    latency = 2.0
    pair = make_pair(
        DtlsOptions(require_cookie=True), DtlsOptions(require_cookie=True), lambda *_: (latency,)
    )
    pair.client.start(0.0, round_trip_time=0.02)
    pair.server.start(0.0, round_trip_time=0.02)
    pair.flush()
    # The client's second hello is answered, the server's flight after it as well.
    pair.run(lambda: pair.now >= (2 if role is DtlsRole.CLIENT else 4) * latency)
    silent = pair.of(role)
    forged_at = pair.now
    silent.receive(FORGERIES[:1], forged_at)
    now = forged_at
    while not silent.closed:
        now = silent.next_timer()
        silent.handle_timer(now)
    assert now == pytest.approx(forged_at + 3 * 2 * latency)


@pytest.mark.parametrize(("measured", "doubt"), [(None, 3 * 0.25), (0.125, 3 * 0.25), (0.5, 3 * 0.5)])
def test_the_first_answer_to_a_flight_tells_the_round_trip(measured: float | None, doubt: float) -> None:
    """The rest of the answer may have been lost and sent again."""
    options = DtlsOptions(unauthenticated_alert_grace=0.1, retransmission_initial=8, retransmission_maximum=8)
    client = make_connection(DtlsRole.CLIENT, options)
    server = make_connection(DtlsRole.SERVER, DtlsOptions(mtu=120))
    client.start(0.0, round_trip_time=measured)
    server.start(0.0)
    server.receive(client.datagrams_to_send(0.0), 0.0)
    flight = server.datagrams_to_send(0.0)
    client.receive(flight[:2], 0.25)
    client.receive(flight[2:-1], 2.0)
    client.receive(FORGERIES[:1], 3.0)
    assert client.next_timer() == 3.0 + doubt


def test_an_alert_to_a_server_that_was_not_spoken_to_is_ignored() -> None:
    server = make_connection(DtlsRole.SERVER)
    server.start(0.0)
    server.receive(FORGERIES, 0.0)
    assert server.next_timer() == float("inf")
    # One of them is a warning, which ends nothing.
    assert server.counters == DtlsCounters(records_received=4, unexpected=3)


def test_alerts_in_the_clear_mean_nothing_once_connected() -> None:
    pair = connected()
    pair.server.receive(FORGERIES, pair.now)
    assert pair.server.state is RTCDtlsTransportState.CONNECTED
    assert pair.server.next_timer() == float("inf")
    check_agreement(pair)


def test_an_unknown_alert_has_a_name() -> None:
    assert Alert(2, 255).name == "alert 255"
    assert Alert(2, 40).name == "handshake_failure"


def test_an_alert_has_a_level_and_a_description() -> None:
    assert Alert.parse(b"\1\x5a") == Alert(1, 90)
    assert Alert(1, 90).encode() == b"\1\x5a"
    for wrong in (b"", b"\1", b"\1\0\1"):
        with pytest.raises(ProtocolError, match=f"alert of {len(wrong)} bytes"):
            Alert.parse(wrong)


# Authentic records that are not awaited


def handshake_record(pair: Pair, sender: DtlsRole, kind: HandshakeType) -> bytes:
    fragment = HandshakeMessage(kind, 7, b"").encode()
    return seal_record(pair.of(sender), ContentType.HANDSHAKE, fragment)


@pytest.mark.parametrize("role", DtlsRole)
@pytest.mark.parametrize("kind", [HandshakeType.HELLO_REQUEST, HandshakeType.CLIENT_HELLO])
def test_renegotiation_is_declined(role: DtlsRole, kind: HandshakeType) -> None:
    """With a warning (RFC 5246 section 7.2.2), behind which the connection goes on."""
    pair = connected()
    pair.of(role).receive([handshake_record(pair, role.other, kind)], pair.now)
    (answer,) = pair.of(role).datagrams_to_send(pair.now)
    assert answer[0] == ContentType.ALERT
    assert pair.of(role).counters.unexpected == 0
    before = pair.of(role.other).counters.records_received
    pair.of(role.other).receive([answer], pair.now)
    assert pair.of(role.other).counters.records_received == before + 1
    check_agreement(pair)


def test_other_messages_of_a_handshake_that_is_over_are_counted() -> None:
    pair = connected()
    for index, kind in enumerate([HandshakeType.CERTIFICATE, HandshakeType.SERVER_HELLO], start=1):
        pair.server.receive([handshake_record(pair, DtlsRole.CLIENT, kind)], pair.now)
        assert pair.server.counters.unexpected == index
    # The server's Finished has ended the handshake, so the client has no flight to send again.
    pair.client.receive([handshake_record(pair, DtlsRole.SERVER, HandshakeType.FINISHED)], pair.now + 1)
    assert pair.client.counters.unexpected == 1
    assert pair.client.datagrams_to_send(pair.now) == pair.server.datagrams_to_send(pair.now) == []
    check_agreement(pair)


@pytest.mark.parametrize(("level", "description"), [(1, 0), (2, 0), (2, 90), (2, 255), (0, 80)])
def test_an_authentic_alert_ends_the_connection_at_once(level: int, description: int) -> None:
    pair = connected()
    pair.server.receive([seal_record(pair.client, ContentType.ALERT, bytes((level, description)))], pair.now)
    (closed,) = pair.server.events()
    assert isinstance(closed, DtlsClosed)
    assert (closed.error and closed.error.received_alert) == (description or None)
    # Only close_notify is answered, by the same.
    assert len(pair.server.datagrams_to_send(pair.now)) == (not description)


def test_authentic_warnings_are_ignored() -> None:
    pair = connected()
    for description in (90, 100, 255):
        pair.server.receive([seal_record(pair.client, ContentType.ALERT, bytes((1, description)))], pair.now)
    assert pair.server.datagrams_to_send(pair.now) == []
    check_agreement(pair)


@pytest.mark.parametrize("plaintext", [b"\1", b"", b"\2", b"\1\1"])
def test_change_cipher_spec_is_one_byte(plaintext: bytes) -> None:
    pair = connected()
    changes = seal_record(pair.client, ContentType.CHANGE_CIPHER_SPEC, plaintext)
    pair.server.receive([changes], pair.now)
    assert pair.server.counters.malformed == (plaintext != b"\1")
    check_agreement(pair)


# The window and the codec by themselves


@given(size=st.integers(32, 100), sequences=st.lists(st.integers(0, 300), max_size=200))
def test_the_window_agrees_with_a_set(size: int, sequences: list[int]) -> None:
    window = ReplayWindow(size)
    seen: set[int] = set()
    for sequence in sequences:
        too_old = bool(seen) and sequence <= max(seen) - size
        assert window.is_fresh(sequence) is (sequence not in seen and not too_old)
        if window.is_fresh(sequence):
            window.mark(sequence)
            seen.add(sequence)


@pytest.mark.parametrize("size", [32, 33, 100])
def test_what_the_window_remembers_after_every_record(size: int) -> None:
    rng = random.Random(size)
    window = ReplayWindow(size)
    seen: set[int] = set()
    highest = -1
    steps = [1, 2, size - 1, size, size + 1, 3 * size]
    for _ in range(150):
        ahead = rng.choice(steps) if rng.random() < 0.3 else -rng.randrange(size)
        sequence = max(0, highest + ahead)
        if window.is_fresh(sequence):
            window.mark(sequence)
            seen.add(sequence)
            highest = max(highest, sequence)
        around = range(max(0, highest - size - 2), highest + 3)
        fresh = [number for number in around if window.is_fresh(number)]
        assert fresh == [number for number in around if number > highest - size and number not in seen]


def test_a_long_time_of_the_window_costs_no_memory() -> None:
    window = ReplayWindow(64)
    window.mark(0)
    tracemalloc.start()
    try:
        for sequence in range(1, 100_000, 50):
            window.mark(sequence)
        remembered, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert remembered < 1000


def test_a_jump_of_the_window_costs_no_memory() -> None:
    window = ReplayWindow(64)
    window.mark(0)
    window.mark((1 << 48) - 1)
    assert not window.is_fresh((1 << 48) - 1)
    assert not window.is_fresh(0)
    assert window.is_fresh((1 << 48) - 2)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_records_or_a_protocol_error(datagram: bytes) -> None:
    try:
        records = list(parse_records(datagram))
    except ProtocolError:
        return
    assert sum(HEADER.size + record.end - record.start for record in records) == len(datagram)


@pytest.mark.parametrize(
    "header",
    [
        HEADER.pack(19, 0xFEFD, 0, 1),
        HEADER.pack(24, 0xFEFD, 0, 1),
        HEADER.pack(22, 0xFEFC, 0, 1),
        HEADER.pack(22, 0x0303, 0, 1),
        HEADER.pack(22, 0xFEFF, 1 << 48, 1),
        HEADER.pack(22, 0xFEFD, 0, MAX_FRAGMENT + 1),
        HEADER.pack(22, 0xFEFD, 0, 60000),
    ],
)
def test_headers_that_are_none(header: bytes) -> None:
    with pytest.raises(ProtocolError):
        next(parse_records(header + bytes(MAX_FRAGMENT + 1)))


@pytest.mark.parametrize(
    ("version", "epoch", "length"),
    [(0xFEFD, 0, 0), (0xFEFD, 0, 1), (0xFEFD, 1, 1), (0xFEFD, 65535, 2048 + 16384), (0xFEFF, 0, 1)],
)
def test_headers_of_every_kind(version: int, epoch: int, length: int) -> None:
    """A first hello has the version of DTLS 1.0."""
    datagram = HEADER.pack(22, version, epoch << 48 | 5, length) + bytes(length)
    assert list(parse_records(datagram)) == [Record(22, epoch, 5, datagram, 13, 13 + length)]
    if length:
        with pytest.raises(ProtocolError, match="are left"):
            next(parse_records(datagram[:-1]))


@given(st.binary(max_size=100), st.integers(0, 2**32))
def test_garbage_at_any_time_never_raises(garbage: bytes, seed: int) -> None:
    rng = random.Random(seed)
    pair = make_pair()
    pair.start()
    for _ in range(rng.randrange(5)):
        pair.step()
    for connection in (pair.client, pair.server):
        connection.receive([garbage, b"\x16\xfe\xfd\x00\x01" + garbage], pair.now)
        # A record in the clear could truly fail the handshake; all others are dropped.
        assert not connection.closed
    pair.run(lambda: pair.completed)
    check_agreement(pair)
