"""Slow readers, lost window updates, messages that are too large."""

import pytest

from tests.strategies.sctp_pair import SctpPair
from trio_rtc.protocols.sctp import SctpOptions


def test_a_slow_reader_stops_the_sender_and_starts_it_again() -> None:
    pair = SctpPair(
        SctpOptions(), SctpOptions(receive_buffer_size=100_000, max_message_size=20_000)
    ).connect()
    pair.right.reading = False
    for number in range(40):
        pair.left.association.send(1, 53, bytes([number]) * 10_000, pair.now)
    pair.run_for(5)
    held = 400_000 - pair.left.association.total_buffered
    assert 90_000 <= held <= 110_000
    assert pair.right.association.statistics().receive_window == 0
    sent = pair.left.sent
    pair.run_for(20)
    assert pair.left.sent - sent < 20, "the closed window is probed seldom"
    pair.right.reading = True
    pair.right.pull(1)
    assert pair.right.association.acknowledgement_due
    begun = pair.now
    assert pair.run(lambda: len(pair.right.messages) == 40, 5)
    assert pair.now - begun < 0.5, "the window update came at once"
    assert pair.right.association.statistics().dropped["receive buffer full"] < 20, "only probes were refused"


def test_a_lost_window_update_is_probed_for() -> None:
    pair = SctpPair(SctpOptions(), SctpOptions(receive_buffer_size=20_000, max_message_size=10_000)).connect()
    pair.right.reading = False
    pair.left.association.send(1, 53, bytes(10_000), pair.now)
    pair.left.association.send(1, 53, bytes(10_000), pair.now)
    pair.left.association.send(1, 53, bytes(10_000), pair.now)
    pair.run_for(2)
    pair.lost = lambda sender, packet: sender == 1
    pair.right.reading = True
    pair.right.pull(1)
    pair.flush()
    pair.lost = lambda sender, packet: False
    assert pair.run(lambda: len(pair.right.messages) == 3, 15)


@pytest.mark.parametrize("closed", [1, 8, 27, 50])
def test_the_last_message_arrives_a_round_trip_after_the_window_has_opened(closed: int) -> None:
    """The peer has dropped its last fragment, and T3-rtx has backed off to ten seconds."""
    pair = SctpPair(SctpOptions(), SctpOptions(receive_buffer_size=20_000, max_message_size=10_000)).connect()
    pair.right.reading = False
    for _ in range(2):
        pair.left.association.send(1, 53, bytes(10_000), pair.now)
    pair.run_for(closed)
    assert pair.left.association.total_buffered == 0
    pair.right.reading = True
    assert pair.right.pull(1) == 1
    opened = pair.now
    assert pair.run(lambda: len(pair.right.messages) == 2, 15)
    assert pair.now - opened <= 2 * pair.delay + 1e-9
    assert pair.left.association.statistics().chunks_retransmitted < 12


def test_no_timer_runs_while_the_peers_window_leaves_less_than_a_packet() -> None:
    pair = SctpPair(
        SctpOptions(), SctpOptions(receive_buffer_size=20_000, max_message_size=10_000), delay=0.05
    ).connect()
    pair.right.reading = False
    for _ in range(3):
        pair.left.association.send(1, 53, bytes(10_000), pair.now)
    sends: list[float] = []
    while pair.step(pair.now + 0.15):
        statistics = pair.left.association.statistics()
        if 0 < statistics.peer_window - statistics.flight_size < 1148 and statistics.flight_size:
            sends.append(pair.now)
            assert pair.left.association.next_timer() >= pair.now + 0.1
    assert sends


def test_many_tiny_messages_are_charged_with_overhead() -> None:
    pair = SctpPair(SctpOptions(), SctpOptions(receive_buffer_size=20_000, max_message_size=10_000)).connect()
    pair.right.reading = False
    for _ in range(5000):
        pair.left.association.send(1, 53, b"x", pair.now)
    pair.run_for(5)
    assert pair.right.pull(1) < 500
    pair.right.reading = True
    assert pair.run(lambda: len(pair.right.messages) == 5000, 100)


def test_a_message_over_the_limit_aborts() -> None:
    pair = SctpPair(SctpOptions(), SctpOptions(max_message_size=10_000)).connect()
    pair.left.association.send(1, 53, bytes(10_001), pair.now)
    pair.run_for(1)
    assert pair.is_closed
    error = pair.left.closed_event().error
    assert error is not None
    assert error.cause_code == 13
    assert "message of over 10000 bytes" in error.reason
