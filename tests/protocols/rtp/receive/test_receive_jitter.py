"""The target delay."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp.options import AudioPlayoutOptions, JitterOptions
from trio_rtc.protocols.rtp.receive.jitter import JitterEstimator


def test_even_network_needs_no_delay() -> None:
    jitter = JitterEstimator()
    assert jitter.base_delay is None
    for i in range(100):
        assert jitter.update(i * 0.02, 5.0 + i * 0.02) == pytest.approx(0, abs=1e-9)
    assert jitter.target_delay == pytest.approx(0, abs=1e-9)
    assert jitter.base_delay == pytest.approx(5.0)


def test_the_target_is_sufficient_for_the_percentile() -> None:
    rng = random.Random(1)
    jitter = JitterEstimator(JitterOptions(percentile=0.9, window=200))
    delays = [rng.uniform(0.05, 0.15) for _ in range(200)]
    for i, delay in enumerate(delays):
        jitter.update(i * 0.02, i * 0.02 + delay)
    in_time = sum(delay <= min(delays) + jitter.target_delay for delay in delays)
    assert 178 <= in_time <= 184


def test_target_follows_the_network_up_and_down() -> None:
    jitter = JitterEstimator(JitterOptions(window=100, percentile=0.95))
    targets = []
    for i in range(600):
        late = 0.08 if 200 <= i < 400 and i % 5 == 0 else 0.0
        jitter.update(i * 0.02, i * 0.02 + late)
        targets.append(jitter.target_delay)
    assert targets[199] == pytest.approx(0, abs=1e-9)
    assert targets[300] == pytest.approx(0.08)
    assert targets[599] == pytest.approx(0, abs=1e-9)


def test_a_drained_queue_is_forgotten_in_seconds() -> None:
    jitter = JitterEstimator(AudioPlayoutOptions().jitter)
    targets = []
    for i in range(500):
        # The rate of a link drops to a fraction: its queue is long for a second.
        late = 0.45 if 200 <= i < 250 else 0.0
        jitter.update(i * 0.02, i * 0.02 + late)
        targets.append(jitter.target_delay)
    assert targets[249] == pytest.approx(0.45)
    assert targets[345] == pytest.approx(0.45)
    assert targets[350] == pytest.approx(0.01)


def test_continuing_jitter_is_not_forgotten() -> None:
    rng = random.Random(2)
    jitter = JitterEstimator(AudioPlayoutOptions().jitter)
    late = 0
    for i in range(5000):
        delay = rng.expovariate(1 / 0.02)
        late += delay > jitter.target_delay
        jitter.update(i * 0.02, i * 0.02 + delay)
    assert late < 0.045 * 5000


def targets_with_bursts(bursts: list[tuple[float, float]], seconds: int) -> list[float]:
    """Return the target at the end of each second where each burst of half a second makes frames 60 ms late."""
    jitter = JitterEstimator(AudioPlayoutOptions().jitter)
    targets = []
    for i in range(50 * seconds):
        at = i * 0.02
        late = max((delay for begin, delay in bursts if begin <= at < begin + 0.5), default=0.0)
        jitter.update(at, at + late)
        if i % 50 == 49:
            targets.append(jitter.target_delay)
    return targets


def test_a_burst_that_does_not_recur_is_forgotten() -> None:
    """The queue of the first seconds of a call delayed audio, and video with it, for 20 seconds."""
    targets = targets_with_bursts([(0.5, 0.06), (1.0, 0.06)], 10)
    assert targets[1:6] == pytest.approx([0.073] * 5)
    assert targets[6:] == pytest.approx([0.01] * 4)


def test_recurring_bursts_are_kept_for_as_long_as_their_interval() -> None:
    bursts = [(begin + half, 0.06) for begin in (1, 8, 15) for half in (0.0, 0.5)]
    targets = targets_with_bursts(bursts, 30)
    # The first burst is forgotten, the second shows how rare they are.
    assert targets[7] == pytest.approx(0.01)
    assert targets[8:26] == pytest.approx([0.073] * 18)
    assert targets[28:] == pytest.approx([0.01] * 2)


def test_of_peaks_that_end_lower_ones_stay() -> None:
    bursts = [(float(second), 0.04) for second in range(15)] + [(2.0, 0.1), (3.0, 0.1)]
    targets = targets_with_bursts(bursts, 15)
    assert targets[3] == pytest.approx(0.115)
    assert targets[12:] == pytest.approx([0.052] * 3)


def test_a_clock_that_was_set_resets_the_estimate() -> None:
    jitter = JitterEstimator()
    jitter.update(0.0, 1.0)
    jitter.update(1000.0, 1.02)
    jitter.update(1000.02, 1.04)
    assert jitter.target_delay == pytest.approx(0, abs=1e-9)
    jitter.reset()
    assert jitter.base_delay is None


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e6))))
def test_target_keeps_its_bounds(frames: list[tuple[float, float]]) -> None:
    jitter = JitterEstimator(JitterOptions(min_delay=0.01, max_delay=0.5, window=10))
    for media_time, arrival in frames:
        assert jitter.update(media_time, arrival) >= 0
        assert 0.01 <= jitter.target_delay <= 0.5
