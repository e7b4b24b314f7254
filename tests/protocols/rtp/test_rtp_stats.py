"""The statistics of streams follow W3C's definitions."""

import pytest

from trio_rtc.protocols.rtp.stats import (
    AudioLevelMeter,
    FrameRate,
    FreezeDetector,
    QualityLimitation,
    QualityLimitationReason,
    RoundTripStats,
)


def test_the_rate_counts_the_last_second() -> None:
    rate = FrameRate()
    for index in range(50):
        rate.record(index / 25)
    assert rate.in_last_second(49 / 25) == 25
    assert rate.in_last_second(49 / 25 + 0.5) == 13
    assert rate.in_last_second(10) == 0


def test_the_rate_is_bounded() -> None:
    rate = FrameRate()
    for index in range(10_000):
        rate.record(index / 10_000)
    assert rate.in_last_second(1.0) == 512


def intervals_of(*durations: float) -> FreezeDetector:
    intervals = FreezeDetector()
    now = 100.0
    intervals.record(now)
    for duration in durations:
        now += duration
        intervals.record(now)
    return intervals


@pytest.mark.parametrize(
    ("usual", "long", "freezes"),
    [
        (0.04, 0.18, 0),
        (0.04, 0.20, 1),
        # For slow videos the factor decides.
        (0.2, 0.5, 0),
        (0.2, 0.7, 1),
    ],
)
def test_a_freeze_is_three_times_the_average_and_150_ms_more(usual: float, long: float, freezes: int) -> None:
    intervals = intervals_of(*[usual] * 30, long)
    assert intervals.freezes == freezes
    assert intervals.frozen == pytest.approx(long * freezes)
    assert intervals.total == pytest.approx(30 * usual + long)
    assert intervals.total_squared == pytest.approx(30 * usual**2 + long**2)


def test_no_interval_is_a_freeze_before_there_is_an_average() -> None:
    assert intervals_of(0.04, 3.0).freezes == 0


def test_a_pause_is_no_freeze_and_not_averaged() -> None:
    intervals = intervals_of(*[0.04] * 10, 6.0, *[0.04] * 10, 0.3)
    assert (intervals.pauses, intervals.freezes) == (1, 1)
    assert intervals.paused == pytest.approx(6.0)
    assert intervals.frozen == pytest.approx(0.3)


def test_audio_level_accumulates_the_energy_of_frames_with_a_level() -> None:
    loudness = AudioLevelMeter()
    assert loudness.level is None
    loudness.record(0, 0.02)
    loudness.record(None, 0.02)
    loudness.record(20, 0.02)
    assert loudness.level == pytest.approx(0.1)
    assert loudness.energy == pytest.approx(0.02 + 0.02 * 0.01)
    assert loudness.duration == pytest.approx(0.04)
    loudness.record(127, 0.02)
    assert loudness.level == 0


def test_round_trips_add_up() -> None:
    round_trips = RoundTripStats()
    round_trips.record(0.1)
    round_trips.record(0.2)
    assert (round_trips.last, round_trips.measurements) == (0.2, 2)
    assert round_trips.total == pytest.approx(0.3)


def test_a_limitation_lasts_until_another_is_set() -> None:
    limitation = QualityLimitation()
    assert limitation.durations(5.0) == {"none": 0.0, "bandwidth": 0.0}
    limitation.set_reason(QualityLimitationReason.BANDWIDTH, 6.0)
    limitation.set_reason(QualityLimitationReason.BANDWIDTH, 7.0)
    limitation.set_reason(QualityLimitationReason.NONE, 8.0)
    assert limitation.durations(10.0) == {"none": 3.0, "bandwidth": 2.0}
    assert limitation.reason is QualityLimitationReason.NONE
