import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions, FeedbackGenerator


def test_every_number_in_between_has_an_entry() -> None:
    generator = FeedbackGenerator()
    assert generator.next_timer() == math.inf
    for number in (10, 11, 14):
        generator.record_arrival(number, 5.0 + number / 100, 1200, 1.0)
    assert generator.next_timer() == pytest.approx(1.05)
    assert generator.feedback_to_send(1.04) == []
    (message,) = generator.feedback_to_send(1.05)
    assert message.arrivals == [(10, 5.1), (11, 5.11), (12, None), (13, None), (14, 5.14)]
    assert message.feedback_count == 0
    assert generator.next_timer() == math.inf
    assert generator.feedback_to_send(9.0) == []


def test_the_next_one_goes_on_where_the_last_one_ended() -> None:
    generator = FeedbackGenerator()
    generator.record_arrival(0, 0.0, 1200, 0.0)
    generator.feedback_to_send(0.1)
    generator.record_arrival(3, 0.2, 1200, 0.2)
    (message,) = generator.feedback_to_send(0.4)
    assert message.arrivals == [(1, None), (2, None), (3, 0.2)]
    assert message.feedback_count == 1


def test_a_late_packet_is_reported_with_all_later_ones() -> None:
    generator = FeedbackGenerator()
    for number in (0, 2, 3):
        generator.record_arrival(number, number / 100, 1200, 0.0)
    generator.feedback_to_send(0.1)
    generator.record_arrival(1, 0.11, 1200, 0.11)
    generator.record_arrival(4, 0.12, 1200, 0.12)
    (message,) = generator.feedback_to_send(0.3)
    assert message.arrivals == [(1, 0.11), (2, 0.02), (3, 0.03), (4, 0.12)]


def test_a_duplicate_is_ignored() -> None:
    generator = FeedbackGenerator()
    generator.record_arrival(0, 0.0, 1200, 0.0)
    generator.record_arrival(0, 0.9, 1200, 0.0)
    assert generator.feedback_to_send(1.0)[0].arrivals == [(0, 0.0)]


def intervals(bitrate: float) -> list[float]:
    generator = FeedbackGenerator()
    times: list[float] = []
    now, number = 0.0, 0
    while now < 5.0:
        generator.record_arrival(number, now, 125, now)
        if generator.next_timer() <= now:
            assert generator.feedback_to_send(now)
            times.append(now)
        now += 1000 / bitrate
        number += 1
    return [later - earlier for earlier, later in itertools.pairwise(times)]


@pytest.mark.parametrize(("bitrate", "expected"), [(2e6, 0.05), (150_000, 0.0725), (30_000, 0.1)])
def test_the_interval_depends_on_the_bandwidth(bitrate: float, expected: float) -> None:
    measured = intervals(bitrate)
    assert sum(measured) / len(measured) == pytest.approx(expected, abs=0.5 * 1000 / bitrate + 0.004)


def feedback_rate(packets_a_second: int, seconds: int = 5) -> float:
    """Return how many times a second feedback is due for packets of 1200 bytes."""
    generator = FeedbackGenerator()
    messages = 0
    for number in range(packets_a_second * seconds):
        now = number / packets_a_second
        while (due := generator.next_timer()) <= now:
            messages += len(generator.feedback_to_send(due))
        generator.record_arrival(number, now, 1200, now)
    return messages / seconds


def test_few_packets_are_reported_together() -> None:
    # Video frames of one packet, as in small streams: the largest interval.
    assert 7 <= feedback_rate(30) <= 11
    # A call with audio: the least interval.
    assert 14 <= feedback_rate(90) <= 20


def test_many_packets_become_several_messages() -> None:
    generator = FeedbackGenerator(BandwidthEstimationOptions(feedback_max_packets=10))
    for number in range(25):
        generator.record_arrival(number, 0.0, 100, 0.0)
    assert [len(message.arrivals) for message in generator.feedback_to_send(1.0)] == [10, 10, 5]


def test_more_than_may_wait_is_forgotten() -> None:
    generator = FeedbackGenerator(BandwidthEstimationOptions(feedback_pending=10))
    for number in range(25):
        generator.record_arrival(number, 0.0, 100, 0.0)
    arrivals = [entry for message in generator.feedback_to_send(1.0) for entry in message.arrivals]
    assert len(arrivals) <= 11
    assert [number for number, arrival in arrivals if arrival is not None] == list(range(15, 25))
    assert generator.forgotten == 15


def test_a_jump_of_sequence_numbers_resets_the_generator() -> None:
    generator = FeedbackGenerator(BandwidthEstimationOptions(feedback_pending=10))
    generator.record_arrival(5, 0.0, 100, 0.0)
    generator.record_arrival(30_000, 0.0, 100, 0.0)
    assert generator.feedback_to_send(1.0)[0].arrivals == [(30_000, 0.0)]
    assert generator.jumps == 1


@given(
    st.lists(
        st.tuples(st.integers(-100, 40_000), st.floats(0, 0.2)),
        max_size=120,
        unique_by=lambda arrival: arrival[0],
    )
)
def test_every_arrival_is_reported_once_or_discarded_and_memory_is_bounded(
    arrivals: list[tuple[int, float]],
) -> None:
    generator = FeedbackGenerator(BandwidthEstimationOptions(feedback_pending=50, feedback_max_packets=7))
    now = 0.0
    for number, step in arrivals:
        now += step
        generator.record_arrival(number, now, 100, now)
        assert generator.next_timer() < math.inf
        messages = generator.feedback_to_send(now)
        told = [entry for message in messages for entry in message.arrivals]
        assert len(told) <= 60
        assert all(len(message.arrivals) <= 7 for message in messages)
        if messages:
            assert number in [told_number for told_number, arrival in told if arrival is not None]
            assert generator.next_timer() > now
