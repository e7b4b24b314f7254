"""Heartbeats, a vanished peer, shutdown, abort."""

import math

import pytest

from tests.strategies.sctp_pair import (
    ABORT,
    COOKIE_ECHO,
    ERROR,
    HEARTBEAT,
    SHUTDOWN,
    SHUTDOWN_ACK,
    SHUTDOWN_COMPLETE,
    LoseNth,
    SctpPair,
    chunk_kinds,
)
from trio_rtc.errors import InvalidStateError
from trio_rtc.protocols.sctp import AssociationClosed, SctpOptions


def test_heartbeats_are_repeated_and_measure() -> None:
    pair = SctpPair(delay=0.03).connect()
    pair.run_for(100)
    assert pair.kinds_sent(0)[HEARTBEAT] == 3
    assert pair.left.association.statistics().smoothed_round_trip == pytest.approx(0.06, abs=0.01)
    assert pair.is_connected


def test_no_heartbeat_is_sent_to_a_peer_that_acknowledges_data() -> None:
    """RFC 9260 section 8.3: HEARTBEATs are for an idle path."""
    pair = SctpPair(SctpOptions(heartbeat_interval=30.0)).connect()
    for _ in range(12):
        pair.left.association.send(1, 53, b"here", pair.now)
        pair.run_for(10)
    assert pair.kinds_sent(0)[HEARTBEAT] == 0
    pair.run_for(30)
    assert pair.kinds_sent(0)[HEARTBEAT] == 1


def test_an_outage_that_consent_survives_ends_nothing() -> None:
    pair = SctpPair().connect()
    pair.run_for(29)
    intact, pair.lost = pair.lost, lambda sender, packet: True
    pair.run_for(29)
    pair.lost = intact
    pair.run_for(60)
    assert pair.is_connected


@pytest.mark.parametrize("busy", [True, False])
def test_a_vanished_peer_is_noticed(busy: bool) -> None:
    pair = SctpPair(SctpOptions(max_retransmissions=4)).connect()
    pair.lost = lambda sender, packet: True
    if busy:
        pair.left.association.send(1, 53, b"anyone?", pair.now)
    assert pair.run(lambda: pair.left.association.closed, 100)
    error = pair.left.closed_event().error
    assert error is not None
    assert error.reason == "the peer does not answer"


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize(
    ("sender", "kind"), [(0, SHUTDOWN), (1, SHUTDOWN_ACK), (0, SHUTDOWN_COMPLETE), (1, SHUTDOWN), (0, ABORT)]
)
def test_shutdown_delivers_everything_first_whatever_is_lost(both: bool, sender: int, kind: int) -> None:
    pair = SctpPair().connect()
    pair.lost = LoseNth(sender, kind, 0)
    for end in pair.ends:
        end.association.send(1, 53, bytes(50_000), pair.now)
    pair.left.association.shutdown(pair.now)
    if both:
        pair.right.association.shutdown(pair.now)
    with pytest.raises(InvalidStateError):
        pair.left.association.send(1, 53, b"late", pair.now)
    assert pair.run(lambda: pair.is_closed, 100)
    assert [end.closed_event() for end in pair.ends] == [AssociationClosed(None), AssociationClosed(None)]
    assert [end.on_stream(1) for end in pair.ends] == [[bytes(50_000)]] * 2


def test_data_is_accepted_in_shutdown_sent() -> None:
    """RFC 9260 section 9.2: each DATA chunk is acknowledged until the peer's SHUTDOWN ACK."""
    pair = SctpPair().connect()
    pair.right.association.send(1, 53, bytes(50_000), pair.now)
    pair.left.association.shutdown(pair.now)
    pair.run(lambda: SHUTDOWN in pair.kinds_sent(0), 0.001)
    assert pair.run(lambda: pair.is_closed, 10)
    assert pair.left.on_stream(1) == [bytes(50_000)]
    assert [end.closed_event() for end in pair.ends] == [AssociationClosed(None), AssociationClosed(None)]


def test_shutdown_during_the_handshake() -> None:
    pair = SctpPair()
    pair.left.association.connect(pair.now)
    pair.run(lambda: COOKIE_ECHO in pair.kinds_sent(0), 1)
    pair.left.association.shutdown(pair.now)
    assert pair.run(lambda: pair.is_closed, 10)
    assert pair.left.closed_event() == pair.right.closed_event() == AssociationClosed(None)


def test_close_aborts_with_its_reason_and_keeps_received_messages() -> None:
    pair = SctpPair().connect()
    pair.right.reading = False
    pair.left.association.send(1, 53, b"last words", pair.now)
    pair.run_for(1)
    pair.left.association.close(pair.now)
    pair.left.association.close(pair.now)
    pair.run_for(1)
    assert pair.left.closed_event() == AssociationClosed(None)
    error = pair.right.closed_event().error
    assert error is not None
    assert error.cause_code == 12
    assert pair.right.pull(1) == 1
    for end in pair.ends:
        assert end.association.next_timer() == math.inf
        assert end.association.statistics().flight_size == 0


def test_lower_closed_ends_without_sending() -> None:
    pair = SctpPair().connect()
    pair.left.association.send(1, 53, b"x", pair.now)
    pair.left.association.lower_closed(pair.now)
    assert pair.left.association.datagrams_to_send(pair.now) == []
    pair.left.collect_events()
    assert pair.left.closed_event().error is not None


def test_unknown_chunks_are_handled_by_their_high_bits() -> None:
    pair = SctpPair().connect()
    pair.run_for(1)
    tag = pair.wire[-1][1][4:8] if pair.wire[-1][0] == 0 else None
    if tag is None:
        tag = next(packet[4:8] for sender, packet in reversed(pair.wire) if sender == 0)
    heartbeat = b"\x04\x00\x00\x0c\x00\x01\x00\x08\x01\x02\x03\x04"
    for kind, reported, goes_on in (
        (0x3F, False, False),
        (0x7F, True, False),
        (0xBF, False, True),
        (0xFF, True, True),
    ):
        packet = b"\x13\x88\x13\x88" + tag + bytes(4) + bytes([kind, 0, 0, 8]) + b"what" + heartbeat
        pair.right.association.receive([packet], pair.now)
        kinds = [
            found
            for answer in pair.right.association.datagrams_to_send(pair.now)
            for found in chunk_kinds(answer)
        ]
        assert kinds == [ERROR] * reported + [5] * goes_on
