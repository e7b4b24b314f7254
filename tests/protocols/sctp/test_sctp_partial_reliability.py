"""Partial reliability: abandoned messages and FORWARD-TSN."""

import random

from tests.strategies.sctp_pair import DATA, FORWARD_TSN, LoseNth, SctpPair, chunk_kinds, lose_share
from trio_rtc.protocols.sctp import SctpOptions


def test_a_message_without_retransmits_is_skipped_when_lost() -> None:
    pair = SctpPair().connect()
    pair.lost = LoseNth(0, DATA, 0)
    pair.left.association.send(1, 53, b"lost" * 250, pair.now, max_retransmits=0)
    pair.flush()
    for number in range(5):
        pair.left.association.send(1, 53, bytes([number]) * 1000, pair.now)
    assert pair.run(lambda: len(pair.right.messages) == 5, 1)
    assert pair.left.association.statistics().messages_abandoned == 1
    assert pair.left.association.statistics().chunks_retransmitted == 0
    assert pair.kinds_sent(0)[FORWARD_TSN] >= 1
    pair.run_for(5)
    assert pair.left.association.statistics().flight_size == 0


def test_one_retransmission_is_allowed_and_used() -> None:
    pair = SctpPair().connect()
    pair.lost = LoseNth(0, DATA, 0)
    pair.left.association.send(1, 53, b"try", pair.now, max_retransmits=1)
    assert pair.run(lambda: bool(pair.right.messages), 3)
    pair.lost = LoseNth(0, DATA, 0, 1)
    pair.left.association.send(1, 53, b"give up", pair.now, max_retransmits=1)
    pair.run_for(5)
    assert pair.right.on_stream(1) == [b"try"]
    assert pair.left.association.statistics().messages_abandoned == 1


def test_a_lifetime_ends_unsent_messages_and_partly_sent_ones() -> None:
    pair = SctpPair(SctpOptions(initial_window_packets=2)).connect()
    pair.lost = lambda sender, packet: True
    pair.left.association.send(1, 53, b"a" * 9000, pair.now, lifetime=0.1)
    pair.left.association.send(1, 53, b"never begun", pair.now, lifetime=0.1)
    pair.run_for(0.2)
    pair.lost = lambda sender, packet: False
    pair.left.association.send(1, 53, b"after", pair.now)
    assert pair.run(lambda: bool(pair.right.messages), 5)
    assert pair.right.on_stream(1) == [b"after"]
    assert pair.left.association.total_buffered == 0
    assert pair.left.association.statistics().messages_abandoned >= 2


def test_a_message_that_expires_while_packets_are_made_is_skipped_by_the_next_timer() -> None:
    pair = SctpPair(SctpOptions(initial_window_packets=2)).connect()
    left, right = (end.association for end in pair.ends)
    left.send(1, 53, bytes(90_000), pair.now, lifetime=0.15)
    packets = left.datagrams_to_send(pair.now)
    assert packets
    right.receive(packets, pair.now)
    later = pair.now + 0.16
    left.receive(right.datagrams_to_send(pair.now), later)
    left.datagrams_to_send(later)
    due = left.next_timer()
    assert later < due <= later + 0.001
    left.handle_timer(due)
    assert [chunk_kinds(packet) for packet in left.datagrams_to_send(due)] == [[FORWARD_TSN]]
    # It leaves once.
    left.handle_timer(due + 0.001)
    assert left.datagrams_to_send(due + 0.001) == []


def test_skipping_does_not_affect_complete_messages() -> None:
    """Of three ordered messages the first and part of the third are lost: the second is delivered."""
    pair = SctpPair().connect()
    pair.lost = LoseNth(0, DATA, 0, 3)
    pair.left.association.send(1, 53, b"1" * 1000, pair.now, max_retransmits=0)
    pair.left.association.send(1, 53, b"2" * 1000, pair.now)
    pair.left.association.send(1, 53, b"3" * 2000, pair.now, max_retransmits=0)
    pair.left.association.send(1, 53, b"4" * 1000, pair.now)
    pair.left.association.send(2, 53, b"5" * 1000, pair.now, ordered=False)
    pair.run_for(5)
    assert pair.right.on_stream(1) == [b"2" * 1000, b"4" * 1000]


def test_forward_tsn_is_repeated_when_lost() -> None:
    pair = SctpPair().connect()

    def lose(sender: int, packet: bytes) -> bool:
        kinds = chunk_kinds(packet)
        return sender == 0 and (
            len(packet) > 1000 or (FORWARD_TSN in kinds and pair.kinds_sent(0)[FORWARD_TSN] <= 2)
        )

    pair.lost = lose
    pair.left.association.send(1, 53, bytes(1100), pair.now, max_retransmits=0)
    pair.flush()
    pair.left.association.send(1, 53, b"small", pair.now)
    assert pair.run(lambda: bool(pair.right.messages), 10)
    assert pair.kinds_sent(0)[FORWARD_TSN] >= 3


def test_a_partly_sent_message_is_skipped_although_all_its_sent_fragments_are_acknowledged() -> None:
    """Its acknowledged fragments would otherwise occupy the peer's buffer indefinitely."""
    options = SctpOptions(receive_buffer_size=40_000, max_message_size=20_000, initial_window_packets=4)
    pair = SctpPair(options).connect()
    begun = pair.now
    pair.left.association.send(1, 53, bytes(20_000), pair.now, lifetime=0.01)
    pair.run(lambda: pair.now > begun + 0.02, 1)
    pair.left.association.send(1, 53, b"next", pair.now)
    assert pair.run(lambda: bool(pair.right.messages), 5)
    assert pair.right.on_stream(1) == [b"next"]
    pair.run_for(1)
    assert pair.right.association.statistics().receive_window == 40_000


def test_shutdown_waits_for_messages_after_a_reset() -> None:
    pair = SctpPair().connect()
    pair.left.association.reset_streams([1], pair.now)
    pair.left.association.send(1, 53, b"behind it", pair.now)
    pair.left.association.shutdown(pair.now)
    assert pair.run(lambda: pair.is_closed, 10)
    assert pair.right.on_stream(1) == [b"behind it"]


def test_unreliable_floods_under_heavy_loss_leave_no_state() -> None:
    pair = SctpPair(seed=8, lost=lose_share(0.3, 8), jitter=0.02).connect()
    chance = random.Random(8)
    for number in range(300):
        limits = chance.choice([{"max_retransmits": 0}, {"max_retransmits": 1}, {"lifetime": 0.05}])
        size = chance.choice([10, 500, 3000])
        pair.left.association.send(
            number % 3,
            53,
            bytes(size),
            pair.now,
            ordered=number % 2 == 0,
            **limits,  # type: ignore[arg-type]
        )
        pair.run_for(0.005)
    pair.lost = lambda sender, packet: False
    pair.left.association.send(5, 53, b"the end", pair.now)
    assert pair.run(lambda: pair.right.on_stream(5) == [b"the end"], 60)
    pair.run_for(5)
    statistics = pair.left.association.statistics()
    assert statistics.flight_size == 0
    assert pair.right.association.statistics().receive_window == SctpOptions().receive_buffer_size
