"""The statistics of streams follow the definitions of W3C and RFC 3550."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp.stats import (
    AudioLevelMeter,
    FrameRate,
    FreezeDetector,
    QualityLimitation,
    QualityLimitationReason,
    ReceptionStatistics,
    ReportBlockValues,
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
    assert loudness.level == 0
    loudness.record(None, 0.02)
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


CLOCK = 90_000


def receive(statistics: ReceptionStatistics, numbers: list[int], start: float = 0.0) -> None:
    for i, number in enumerate(numbers):
        statistics.record(number, i * 3000, start + i / 30, CLOCK, 100)


def test_loss_since_the_last_report_and_since_the_beginning() -> None:
    statistics = ReceptionStatistics()
    receive(statistics, [65_530, 65_531, 65_533, 65_537])
    assert statistics.take_report() == ReportBlockValues(128, 4, 65_537, 0)
    receive(statistics, [65_538, 65_539, 65_540])
    assert statistics.take_report() == ReportBlockValues(0, 4, 65_540, 0)
    assert (statistics.packets, statistics.bytes, statistics.expected, statistics.lost) == (7, 700, 11, 4)


def test_before_the_first_packet_the_report_is_zero() -> None:
    assert ReceptionStatistics().take_report() == ReportBlockValues(0, 0, 0, 0)


def test_duplicates_make_the_loss_negative() -> None:
    statistics = ReceptionStatistics()
    receive(statistics, [1, 2, 2, 2])
    assert statistics.take_report().cumulative_lost == -2


def test_cumulative_loss_stays_within_24_bits() -> None:
    statistics = ReceptionStatistics()
    receive(statistics, [2999 * i for i in range(3000)])
    report = statistics.take_report()
    assert report.cumulative_lost == (1 << 23) - 1
    assert report.fraction_lost == 255


def test_restart_of_the_source_is_not_loss() -> None:
    statistics = ReceptionStatistics()
    receive(statistics, [1, 2, 3, 60_000, 60_001])
    assert statistics.take_report() == ReportBlockValues(0, 0, 60_001, 0)


def test_jitter_is_that_of_the_appendix() -> None:
    statistics = ReceptionStatistics()
    statistics.record(1, 0, 0.0, CLOCK)
    statistics.record(2, 3000, 1 / 30 + 0.016, CLOCK)
    assert statistics.jitter == pytest.approx(0.016 * CLOCK / 16)
    statistics.record(3, 6000, 2 / 30, CLOCK)
    assert statistics.jitter == pytest.approx(90 + (1440 - 90) / 16)
    assert statistics.jitter_seconds == pytest.approx(statistics.jitter / CLOCK)
    assert statistics.take_report().jitter == 174


def test_packets_of_one_frame_and_pauses_and_other_clocks_are_no_jitter() -> None:
    statistics = ReceptionStatistics()
    statistics.record(1, 0xFFFFFFFF, 0.0, CLOCK)
    statistics.record(2, 0xFFFFFFFF, 0.5, CLOCK)
    statistics.record(3, 3000 - 1, 60.0, CLOCK)
    statistics.record(4, 160, 60.1, 8000)
    assert statistics.jitter == 0


@given(st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 2**32 - 1), st.floats(0, 1e6)), max_size=50))
def test_values_fit_their_fields(packets: list[tuple[int, int, float]]) -> None:
    statistics = ReceptionStatistics()
    for number, timestamp, arrival in packets:
        statistics.record(number, timestamp, arrival, CLOCK)
    report = statistics.take_report()
    assert 0 <= report.fraction_lost <= 255
    assert -(1 << 23) <= report.cumulative_lost < 1 << 23
    assert 0 <= report.highest_sequence_number < 1 << 32
    assert 0 <= report.jitter < 1 << 32
