"""Forged datagrams from an attacker without keys cost a bounded amount of work and do not stop a handshake."""

import tracemalloc

import pytest

from tests.strategies.dtls_pair import Pair, certificate, check_agreement, make_connection, make_pair
from tests.strategies.line_count import count_lines
from trio_rtc.protocols.dtls import DtlsOptions, DtlsRole, Fingerprint
from trio_rtc.protocols.dtls.counters import DtlsCounters
from trio_rtc.protocols.dtls.crypto import certificate as certificates
from trio_rtc.protocols.dtls.messages import HandshakeType
from trio_rtc.protocols.dtls.record.codec import HEADER, MAX_RECORDS, ContentType


def fragment(kind: int, sequence: int, length: int, data: bytes = b"") -> bytes:
    """Return the first handshake fragment of a message, without a record."""
    return b"".join(
        (
            bytes((kind,)),
            length.to_bytes(3, "big"),
            sequence.to_bytes(2, "big"),
            bytes(3),
            len(data).to_bytes(3, "big"),
            data,
        )
    )


def record(payload: bytes, number: int = 99) -> bytes:
    return HEADER.pack(ContentType.HANDSHAKE, 0xFEFD, number, len(payload)) + payload


def run_against(pair: Pair, forgery: bytes) -> None:
    """Deliver a forged datagram to both sides before every step of a handshake, which must complete in time."""
    pair.start()
    while not pair.completed:
        for role in DtlsRole:
            pair.of(role).receive([forgery], pair.now)
        pair.flush()
        assert pair.step()
        assert pair.now < 1.0, "the forgery delays the handshake"
    pair.run(lambda: pair.is_idle)
    check_agreement(pair)


@pytest.mark.parametrize("size", [16384, 9000])
def test_fragments_of_later_messages_do_not_keep_out_the_next_one(size: int) -> None:
    """Together they would use all the memory for reassembly."""
    later = [fragment(HandshakeType.CERTIFICATE, sequence, size, b"x") for sequence in range(6, 15)]
    run_against(make_pair(), record(b"".join(later)))


def test_fragments_of_later_messages_leave_room_for_the_largest_next_one() -> None:
    options = DtlsOptions(max_message_size=2048, max_reassembly_size=2048)
    later = [fragment(HandshakeType.FINISHED, sequence, 1024, b"x") for sequence in range(7, 12)]
    run_against(make_pair(options, options), record(b"".join(later)))


def memory_of_a_connected_pair(forgery: bytes) -> int:
    pair = make_pair()
    tracemalloc.start()
    try:
        run_against(pair, forgery)
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_incomplete_messages_are_dropped_when_the_handshake_is_complete() -> None:
    later = [fragment(HandshakeType.CERTIFICATE, sequence, 9000, b"x") for sequence in range(6, 12)]
    without = memory_of_a_connected_pair(record(b"x"))
    assert memory_of_a_connected_pair(record(b"".join(later))) < without + 9000


def test_hello_requests_do_not_use_up_message_numbers() -> None:
    requests = [fragment(HandshakeType.HELLO_REQUEST, sequence, 0) for sequence in range(16)]
    pair = make_pair()
    run_against(pair, record(b"".join(requests)))
    assert pair.client.counters.unexpected


def test_dropped_fragments_are_counted() -> None:
    options = DtlsOptions(max_message_size=2000)
    client = make_connection(DtlsRole.CLIENT, options)
    client.start(0.0)
    requests = record(3 * fragment(HandshakeType.HELLO_REQUEST, 0, 0))
    client.receive([requests], 0.0)
    assert client.counters == DtlsCounters(records_sent=1, records_received=1, unexpected=3)
    fits, too_long = (fragment(HandshakeType.CERTIFICATE, 1, length, b"x") for length in (2000, 2001))
    client.receive([record(fits + too_long), record(too_long)], 0.0)
    assert client.counters == DtlsCounters(records_sent=1, records_received=3, unexpected=3, overflowed=2)


def test_a_repetition_before_a_message_that_fails_the_handshake_triggers_no_retransmission() -> None:
    pair = unanswered_server()
    _, _, hello = pair.sent[0]
    wrong = fragment(HandshakeType.CLIENT_KEY_EXCHANGE, 1, 1, b"x")
    pair.server.receive([record(hello[HEADER.size :] + wrong)], pair.now + 1)
    (alert,) = pair.server.datagrams_to_send(pair.now + 1)
    assert alert[0] == ContentType.ALERT


def test_a_hello_request_with_a_body_is_ignored() -> None:
    run_against(make_pair(), record(fragment(HandshakeType.HELLO_REQUEST, 0, 9, b"x")))


def test_early_records_of_forgers_are_bounded() -> None:
    """Of records whose keys do not exist yet some are kept, and the others are counted."""
    connection = make_connection(DtlsRole.SERVER, DtlsOptions(max_early_records=4))
    connection.start(0.0)
    early = HEADER.pack(ContentType.APPLICATION_DATA, 0xFEFD, 1 << 48, 30) + bytes(30)
    connection.receive([early] * 50, 0.0)
    assert connection.counters.wrong_epoch == 46


def test_answers_to_repetitions_become_rare() -> None:
    """Replaying one datagram of the client must not trigger the server's whole flight each time."""
    pair = make_pair()
    pair.start()
    (hello,) = [datagram for _, role, datagram in pair.sent if role is DtlsRole.CLIENT]
    pair.server.receive([hello], 0.0)
    flight = sum(map(len, pair.server.datagrams_to_send(0.0)))
    sent = 0
    for step in range(1, 10_000):
        pair.server.receive([hello], step / 1000)
        sent += sum(map(len, pair.server.datagrams_to_send(step / 1000)))
    assert sent <= 10 * flight


def test_repetitions_are_answered_after_a_pause_that_doubles() -> None:
    """The pause starts at half of the retransmission timeout: a duplicated datagram must not count as a loss."""
    options = DtlsOptions(retransmission_initial=0.5, retransmission_maximum=10)
    pair = make_pair(server_options=options)
    pair.start()
    _, _, hello = pair.sent[0]
    answered = []
    for now in [ticks / 16 for ticks in range(32)]:
        pair.server.receive([hello], now)
        if pair.server.datagrams_to_send(now):
            answered.append((now, pair.server.next_timer() - now))
    # Each answer restarts the timer, with twice the next pause.
    assert answered == [(0.0, 0.5), (0.25, 1.0), (0.75, 2.0), (1.75, 4.0)]
    assert pair.server.counters.flights_retransmitted == 3


def test_many_fingerprints_cost_one_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session description can list thousands of them."""
    der = certificate(DtlsRole.CLIENT).der
    hashed = []

    class CountingFingerprint(Fingerprint):
        @classmethod
        def of(cls, data: bytes, algorithm: str) -> Fingerprint:
            hashed.append(algorithm)
            return Fingerprint.of(data, algorithm)

    wrong = [Fingerprint("sha-256", "00"), Fingerprint("sha-512", "00"), Fingerprint("md5", "00")] * 1000
    right = certificate(DtlsRole.CLIENT).fingerprint()
    monkeypatch.setattr(certificates, "Fingerprint", CountingFingerprint)
    assert not certificates.matches_fingerprint(der, wrong)
    assert certificates.matches_fingerprint(der, [*wrong, right])
    assert sorted(hashed) == ["sha-256", "sha-256", "sha-512", "sha-512"]


def unanswered_server() -> Pair:
    """Return a pair whose server waits for the client's second flight."""
    pair = make_pair()
    pair.start()
    pair.step()
    pair.step()
    return pair


def test_fragments_parsed_of_a_datagram_are_bounded() -> None:
    """An attacker who forges the peer's address can send them, and 5,000 fit a datagram."""
    pieces = [fragment(11, 3, 16_000, b"x") for _ in range(8)]
    many = b"".join(record(b"".join(pieces), number) for number in range(40))

    def work(pair: Pair, datagram: bytes) -> int:
        return count_lines(lambda: pair.server.receive([datagram], pair.now))

    pair = unanswered_server()
    assert work(pair, many) == work(unanswered_server(), many[: 8 * (13 + 8 * len(pieces[0]))])
    assert pair.server.counters.malformed == 1
    pair.run(lambda: pair.completed)
    check_agreement(pair)


def test_records_parsed_of_a_datagram_are_bounded() -> None:
    pair = make_pair().connect()
    before = pair.server.counters.wrong_epoch
    pair.server.receive([record(b"x") * 100], pair.now)
    assert pair.server.counters.wrong_epoch - before == MAX_RECORDS
    assert pair.server.counters.malformed == 1
    check_agreement(pair)
