"""Losses that feedback about the path shows: packets without any copy that arrived, and the loss at the beginning."""

import random
from collections import Counter
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.rtp_pair import (
    FLEXFEC,
    VIDEO,
    VP8,
    VP8_RTX,
    Pair,
    is_rtcp,
    random_loss,
    video_section,
)
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame
from trio_rtc.protocols.rtp.send.path_losses import InitialLoss, PacketKey, TransmissionLog

FIRST, SECOND = (1000, 7), (1000, 8)


def feedback(*arrived: int, lost: Collection[int] = ()) -> list[tuple[int, float | None]]:
    return sorted([*((number, 1.0) for number in arrived), *((number, None) for number in lost)])


def log_of(*keys: PacketKey) -> TransmissionLog:
    """Return a log of transmissions numbered from 0 on."""
    log = TransmissionLog()
    confirm_losses(log)
    for number, key in enumerate(keys):
        log.record(number, key)
    return log


def confirm_losses(log: TransmissionLog) -> None:
    """Lose three packets, so that others are held to be lost at once."""
    for number in (-3, -2, -1):
        log.record(number, (1, -number))
    assert log.handle_feedback(feedback(lost=[-3, -2, -1]), 0.9) == []
    assert log.handle_feedback([], 0.9) == [(1, 3), (1, 2), (1, 1)]


def test_a_packet_that_was_sent_once_is_lost_with_its_transmission() -> None:
    log = log_of(FIRST, SECOND)
    assert log.handle_feedback(feedback(0, lost=[1]), 1.0) == [SECOND]
    assert log.handle_feedback(feedback(0, lost=[1]), 1.0) == []


def test_the_first_losses_count_when_the_next_feedback_has_not_corrected_them() -> None:
    log = TransmissionLog()
    for number, key in enumerate((FIRST, SECOND)):
        log.record(number, key)
    assert log.handle_feedback(feedback(lost=[0]), 1.0) == []
    assert log.handle_feedback(feedback(lost=[1]), 1.1) == [FIRST]
    assert log.handle_feedback([], 1.2) == [SECOND]


def test_first_losses_that_are_corrected_are_none() -> None:
    log = TransmissionLog()
    log.record(0, FIRST)
    assert log.handle_feedback(feedback(lost=[0]), 1.0) == []
    assert log.handle_feedback(feedback(0), 1.1) == []
    assert log.handle_feedback([], 1.2) == []


def test_a_packet_is_lost_with_the_last_of_its_transmissions() -> None:
    log = log_of(FIRST, FIRST, FIRST)
    assert log.handle_feedback(feedback(lost=[0]), 1.0) == []
    assert log.handle_feedback(feedback(lost=[1, 2]), 1.0) == [FIRST]


def test_a_packet_of_which_one_transmission_arrived_is_not_lost() -> None:
    log = log_of(FIRST, FIRST, FIRST)
    assert log.handle_feedback(feedback(1, lost=[0]), 1.0) == []
    assert log.handle_feedback(feedback(lost=[2]), 1.0) == []


def test_a_packet_that_is_sent_again_can_be_lost_again() -> None:
    log = log_of(FIRST)
    assert log.handle_feedback(feedback(lost=[0]), 1.0) == [FIRST]
    log.record(1, FIRST)
    assert log.handle_feedback(feedback(lost=[1]), 1.0) == [FIRST]


def test_a_packet_is_sent_again_without_a_request_three_times() -> None:
    log = TransmissionLog()
    confirm_losses(log)
    lost: list[list[PacketKey]] = []
    for number in range(6):
        log.record(number, FIRST)
        lost.append(log.handle_feedback(feedback(lost=[number]), 1.0))
    assert lost == [[FIRST]] * 3 + [[]] * 3


def test_after_an_outage_the_peer_decides_what_it_needs() -> None:
    keys = [(1000, number) for number in range(129)]
    log = log_of(*keys)
    assert log.handle_feedback(feedback(lost=range(64)), 1.0) == keys[:64]
    assert log.handle_feedback(feedback(lost=range(64, 129)), 1.0) == []


def test_unknown_numbers_are_ignored() -> None:
    assert log_of(FIRST).handle_feedback(feedback(5, lost=[6, 7]), 1.0) == []


def test_the_oldest_transmissions_are_forgotten() -> None:
    log = log_of(*((1000, number) for number in range(1100)))
    assert log.handle_feedback(feedback(lost=range(76)), 1.0) == []
    assert log.handle_feedback(feedback(lost=[76]), 1.0) == [(1000, 76)]
    # A packet is lost by feedback, not because its transmission is so old.
    log = log_of(FIRST, FIRST, *((1000, 100 + number) for number in range(1023)))
    assert log.handle_feedback(feedback(lost=[1]), 1.0) == [FIRST]


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["send", "arrived", "lost"])), max_size=80))
def test_each_packet_is_lost_only_when_all_its_transmissions_are(operations: list[tuple[int, str]]) -> None:
    log = TransmissionLog()
    confirm_losses(log)
    in_flight: dict[int, PacketKey] = {}
    losses: Counter[PacketKey] = Counter()
    for number, (which, operation) in enumerate(operations):
        if operation == "send":
            key = (1000, which)
            if key not in in_flight.values():
                in_flight[number] = key
                log.record(number, key)
            continue
        if not in_flight:
            continue
        reported = list(in_flight)[which % len(in_flight)]
        key = in_flight.pop(reported)
        lost = log.handle_feedback([(reported, None if operation == "lost" else 1.0)], 1.0)
        losses[key] += operation == "lost"
        assert lost == ([key] if operation == "lost" and losses[key] <= 3 else [])


def test_where_packets_overtake_each_other_missing_packets_are_not_lost() -> None:
    log = log_of(FIRST, SECOND, (1000, 9), (1000, 10))
    assert log.handle_feedback(feedback(lost=[0]), 1.0) == [FIRST]
    assert log.handle_feedback(feedback(0, 1), 1.1) == []
    assert log.handle_feedback(feedback(lost=[2]), 11.0) == []
    assert log.handle_feedback(feedback(lost=[3]), 11.2) == [(1000, 10)]


def test_the_initial_loss_is_measured_over_enough_packets_now_and_then() -> None:
    loss = InitialLoss()
    loss.record(feedback(*range(27), lost=[27, 28]))
    loss.record([])
    assert loss.take_fraction(1.0) is None
    loss.record(feedback(lost=[29]))
    loss.record([])
    assert loss.take_fraction(1.0) == pytest.approx(0.1)
    assert loss.take_fraction(1.05) is None
    loss.record(feedback(*range(30, 60)))
    loss.record([])
    assert loss.take_fraction(1.11) == pytest.approx(0.05)


def test_late_packets_do_not_count_as_initial_loss() -> None:
    loss = InitialLoss()
    loss.record(feedback(*range(40), lost=[40, 41]))
    loss.record(feedback(40, *range(42, 50)))
    assert loss.take_fraction(1.0) == pytest.approx(1 / 42)


def test_the_initial_loss_is_measured_over_no_more_than_the_bound() -> None:
    loss = InitialLoss()
    loss.record(feedback(*range(1000)))
    loss.record(feedback(lost=range(1000, 1100)))
    loss.record([])
    assert loss.take_fraction(1.0) == 0.0


# In a session


def lossy_pair(loss: float) -> Pair:
    """Return a pair whose sender receives feedback about the path, but none of the requests."""
    pair = Pair()
    pair.alice.session.sender.handle_nack = lambda *_: None  # type: ignore[method-assign]
    pair.drop = random_loss(3, loss)
    pair.negotiate(video_section(VP8, VP8_RTX))
    return pair


def late_frames(pair: Pair) -> list[float]:
    """Return how much later than the path's delay the frames came that were more than 0.15 seconds late."""
    delays = [
        at - pair.sent_at[frame.payload] - pair.delay
        for at, mid, frame in pair.bob.played
        if mid == VIDEO and isinstance(frame, EncodedFrame)
    ]
    return [delay for delay in delays if delay > 0.15]


def test_packets_are_retransmitted_when_all_requests_are_lost() -> None:
    pair = lossy_pair(0.1)
    pair.run(10, video=30)
    counters = pair.alice.session.counters()["rtp"]
    assert counters["outgoing_nacks_received"] == 0
    assert counters["outgoing_retransmitted_packets_sent"] > 50
    # No frame waits for a keyframe: feedback is sent every 50 to 100 ms, and a keyframe is requested later.
    assert pair.video_frames - len(pair.bob.frames(VIDEO)) <= 6
    assert len(late_frames(pair)) <= 6
    assert pair.keyframe_requests <= 3


def test_few_losses_are_left_to_the_requests_of_the_peer() -> None:
    pair = lossy_pair(0.0)
    pair.run(3, video=30)
    lost: list[bytes] = []

    def drop(datagram: bytes) -> bool:
        if is_rtcp(datagram) or lost:
            return False
        lost.append(datagram)
        return True

    pair.drop = drop
    pair.run(0.3, video=30)
    assert len(lost) == 1
    assert pair.alice.session.counters()["rtp"]["outgoing_retransmitted_packets_sent"] == 0


def test_fec_packets_are_not_sent_again() -> None:
    pair = Pair()
    pair.drop = random_loss(5, 0.15)
    pair.negotiate(video_section(VP8, VP8_RTX, FLEXFEC, fec=True))
    pair.run(6, video=30)
    counters = pair.alice.session.counters()["rtp"]
    assert counters["outgoing_fec_packets_sent"] > 50
    assert counters["history_unknown"] == 0


def test_video_is_protected_before_the_first_report_arrives() -> None:
    pair = Pair()
    # Chromium sends its first report after a second.
    pair.alice.session.sender.handle_report = lambda *_: None  # type: ignore[method-assign]
    pair.drop = random_loss(3, 0.1)
    pair.negotiate(video_section(VP8, VP8_RTX, FLEXFEC, fec=True))
    pair.run(0.7, video=30)
    counters = pair.alice.session.counters()["rtp"]
    ((stream, _),) = pair.alice.session.sender.streams
    assert counters["outgoing_fec_packets_sent"] > 5
    assert stream.copies == 2


def test_without_loss_there_is_no_protection_at_the_beginning() -> None:
    pair = Pair()
    pair.negotiate(video_section(VP8, VP8_RTX, FLEXFEC, fec=True))
    pair.run(3, video=30)
    assert pair.alice.session.counters()["rtp"]["outgoing_fec_packets_sent"] == 0
    assert pair.alice.session.sender.streams[0][0].copies == 1


def test_reordered_packets_are_neither_protected_nor_sent_again() -> None:
    pair = Pair()
    pair.negotiate(video_section(VP8, VP8_RTX, FLEXFEC, fec=True))
    rng = random.Random(1)
    for _ in range(200):
        pair.delay = 0.02 + 0.03 * rng.random()
        pair.run(0.01, video=30)
    counters = pair.alice.session.counters()["rtp"]
    assert counters["outgoing_fec_packets_sent"] == 0
    assert counters["outgoing_retransmitted_packets_sent"] < 10
