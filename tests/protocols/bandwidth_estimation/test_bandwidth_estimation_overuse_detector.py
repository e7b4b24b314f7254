"""Overuse detection and the queueing delay."""

import random

import pytest

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
    OveruseState,
)
from trio_rtc.protocols.bandwidth_estimation.overuse_detector import OveruseDetector, QueueDelayEstimator

OPTIONS = BandwidthEstimationOptions()


def detect(trends: list[float], queue: float = 0.1) -> list[OveruseState]:
    detector = OveruseDetector(OPTIONS)
    return [detector.update(trend, 60, 0.01, queue, 0.01 * n) for n, trend in enumerate(trends)]


def test_a_trend_over_the_threshold_for_long_enough_is_overuse() -> None:
    assert detect([0.0, 0.1, 0.1, 0.1])[-1] is OveruseState.OVERUSING
    assert detect([0.0, 0.1])[-1] is OveruseState.NORMAL


def test_a_falling_trend_is_not_overuse() -> None:
    assert OveruseState.OVERUSING not in detect([0.0, 0.4, 0.3, 0.2, 0.1])


def test_a_negative_trend_is_underuse() -> None:
    assert detect([0.0, -0.1])[-1] is OveruseState.UNDERUSING


def test_without_a_queue_a_trend_is_jitter() -> None:
    assert OveruseState.OVERUSING not in detect([0.1] * 20, queue=0.0)


def test_the_threshold_adapts_within_its_bounds() -> None:
    detector = OveruseDetector(OPTIONS)
    for number in range(2000):
        detector.update(0.0, 60, 0.01, 0.0, 0.01 * number)
    assert detector.threshold == OPTIONS.threshold_min
    trend = 0.0
    for number in range(2000, 9000):
        trend = (detector.threshold + 10) / 240
        detector.update(trend, 60, 0.01, 0.0, 0.01 * number)
    assert 100 < detector.threshold <= OPTIONS.threshold_max


def test_an_outlier_does_not_move_the_threshold() -> None:
    detector = OveruseDetector(OPTIONS)
    detector.update(0.0, 60, 0.01, 0.0, 0.0)
    before = detector.threshold
    detector.update(10.0, 60, 0.01, 0.0, 0.01)
    assert detector.threshold == before


def test_queue_delay_is_the_least_of_the_recent_over_the_least_of_the_past() -> None:
    queue = QueueDelayEstimator(OPTIONS)
    rng = random.Random(1)
    calm = grown = -1.0
    for number in range(200):
        calm = queue.add(5.0 + rng.random() * 0.03, 0.01 * number)
    assert calm < 0.015
    for number in range(200, 240):
        grown = queue.add(5.2 + rng.random() * 0.03, 0.01 * number)
    assert grown == pytest.approx(0.2, abs=0.015)
    # A path that stays longer becomes the new least one, which also is why skew does not add up.
    for number in range(240, 2500):
        grown = queue.add(5.2, 0.01 * number)
    assert grown == 0


def test_a_delay_beyond_any_jitter_is_a_queue_after_a_few_groups() -> None:
    queue = QueueDelayEstimator(OPTIONS)
    for number in range(50):
        assert queue.add(0.03, number / 100) == 0.0
    for number in range(OPTIONS.queue_jump_groups - 1):
        assert queue.add(0.53, 0.5 + number / 100) == 0.0
    assert queue.add(0.53, 0.6) == pytest.approx(0.5 - OPTIONS.queue_jump_least)
    # One group without delay shows that the delay of the others was jitter, which may occur again.
    assert queue.add(0.03, 0.61) == 0.0
    assert queue.add(0.53, 0.62) == 0.0
    assert queue.add(0.53, 0.63) == pytest.approx(0.5 - OPTIONS.queue_jump)


def test_jitter_is_no_queue_and_a_queue_beyond_it_is_one() -> None:
    queue = QueueDelayEstimator(OPTIONS)
    rng = random.Random(3)
    for number in range(300):
        assert queue.add(rng.uniform(0.0, 0.03), number / 100) < 0.02
    assert [queue.add(rng.uniform(0.2, 0.23), 3 + number / 100) > 0.05 for number in range(2)] == [
        False,
        True,
    ]
