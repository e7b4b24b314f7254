"""HEARTBEAT on an idle path."""

import math
import random

import pytest

from tests.strategies.sctp_packets import init_of, make_pair, to_left
from tests.strategies.sctp_pair import HEARTBEAT, SctpPair, chunk_kinds
from trio_rtc.protocols.sctp import SctpOptions
from trio_rtc.protocols.sctp.heartbeat import PathMonitor
from trio_rtc.protocols.sctp.packet.chunks import Heartbeat, HeartbeatAck, parse_chunk

# The nonce of HEARTBEAT ACK (RFC 9260 section 8.3).


def answer_heartbeats(pair: SctpPair, answer: bytes | None, seconds: float) -> int:
    """Answer the left side's HEARTBEATs, with their nonce or another one; return how many there were.

    Nothing but these answers reaches the left side.
    """
    count = 0

    def intercept(sender: int, packet: bytes) -> bool:
        nonlocal count
        if sender == 0 and HEARTBEAT in chunk_kinds(packet):
            count += 1
            chunk, _ = parse_chunk(packet, 12)
            assert isinstance(chunk, Heartbeat)
            info = chunk.info if answer is None else answer
            pair.transmit(0, to_left(init_of(pair, 0).initiate_tag, HeartbeatAck(info).encode()))
        return True

    pair.lost = intercept
    pair.run(lambda: pair.left.association.closed, seconds)
    return count


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


def test_a_heartbeat_is_answered_by_its_own_nonce_only() -> None:
    minutes = 600
    pair = make_pair().connect()
    assert answer_heartbeats(pair, None, minutes) > 10
    assert not pair.left.association.closed
    for wrong in (b"", bytes(16), bytes(15)):
        pair = make_pair().connect()
        assert answer_heartbeats(pair, wrong, minutes) > 5
        assert pair.left.association.closed


def test_a_heartbeat_ack_without_a_heartbeat_is_ignored() -> None:
    """It must not restart the interval: the association would be kept alive by unsolicited acknowledgements."""
    pair = make_pair().connect()
    association = pair.left.association
    pair.run_for(1.0)
    before = association.next_timer()
    for info in (b"", bytes(16)):
        association.receive(
            [to_left(init_of(pair, 0).initiate_tag, HeartbeatAck(info).encode())], pair.now + 1
        )
    assert association.next_timer() == before


# Signs of life.


def test_a_heartbeat_has_a_nonce_of_its_own_each_time() -> None:
    monitor = PathMonitor(30.0)
    assert (monitor.deadline, monitor.errors) == (math.inf, 0)
    monitor.record_acknowledgement(1.0)
    chance = random.Random(1)
    assert monitor.handle_timer(30.9, 0.5, chance) is None
    nonces = []
    for now, errors in ((31.0, 0), (31.5, 1), (32.5, 2), (34.5, 3)):
        assert monitor.deadline == now
        heartbeat = monitor.handle_timer(now, 0.5, chance)
        assert heartbeat is not None
        assert monitor.errors == errors
        nonces.append(heartbeat.info)
    assert {len(nonce) for nonce in nonces} == {16}
    assert len(set(nonces)) == 4
    assert monitor.handle_ack(nonces[2], 35.0) is None
    assert monitor.handle_ack(nonces[3], 35.0) == 0.5
    assert (monitor.deadline, monitor.errors) == (65.0, 0)
    assert monitor.handle_ack(nonces[3], 36.0) is None


def test_no_heartbeat_is_sent_during_the_shutdown() -> None:
    monitor = PathMonitor(30.0)
    monitor.record_acknowledgement(1.0)
    monitor.stop()
    monitor.record_acknowledgement(2.0)
    assert monitor.deadline == math.inf
    assert monitor.handle_timer(1000.0, 0.5, random.Random(1)) is None
