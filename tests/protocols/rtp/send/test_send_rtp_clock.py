"""Sender reports state the RTP clock by frames that are not late."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp.send.rtp_clock import RtpClock, TimestampPoint

RATE = 48_000


def recorded(points: list[tuple[int, float]], rate: int = RATE) -> RtpClock:
    clock = RtpClock()
    for timestamp, at in points:
        clock.record(TimestampPoint(timestamp & 0xFFFFFFFF, at, rate))
    return clock


def test_without_a_frame_there_is_no_clock() -> None:
    assert RtpClock().extrapolate(1.0) is None
    assert not RtpClock().is_running


def test_the_clock_runs_on_between_frames() -> None:
    clock = recorded([(1000, 10.0)])
    assert clock.is_running
    assert clock.extrapolate(10.5) == 1000 + RATE // 2
    assert clock.extrapolate(9.5) == (1000 - RATE // 2) & 0xFFFFFFFF


def test_a_late_frame_does_not_change_the_clock() -> None:
    clock = recorded([(0, 10.0), (960, 10.32)])
    assert clock.extrapolate(11.0) == RATE
    assert clock.last == TimestampPoint(960, 10.32, RATE)


def test_an_earlier_frame_changes_the_clock_at_once() -> None:
    clock = recorded([(0, 10.5), (RATE, 11.2)])
    assert clock.extrapolate(11.2) == RATE


@given(st.lists(st.floats(0, 0.9), min_size=100, max_size=300), st.integers(0, 2**32 - 1))
def test_the_clock_is_that_of_the_least_delayed_frames(lateness: list[float], first: int) -> None:
    # One frame of ten is in time.
    delays = [0.0 if index % 10 == 0 else late for index, late in enumerate(lateness)]
    clock = recorded([(first + 960 * index, 0.02 * index + late) for index, late in enumerate(delays)])
    at = 0.02 * len(delays)
    assert clock.extrapolate(at) == (first + 960 * len(delays)) & 0xFFFFFFFF


def test_a_slower_clock_of_the_source_is_followed() -> None:
    # It loses 1 ms a second, 20 ms altogether.
    points = [(960 * index, 0.02 * index * 1.001) for index in range(1000)]
    clock = recorded(points)
    timestamp, at = points[-1]
    stated = clock.extrapolate(at)
    assert stated is not None
    assert 0 <= stated - timestamp <= 0.002 * RATE


def test_a_clock_that_has_stood_still_is_followed_after_two_seconds() -> None:
    before = [(960 * index, 0.02 * index) for index in range(100)]
    after = [(960 * index, 0.02 * index + 0.5) for index in range(100, 201)]
    assert recorded(before + after).extrapolate(after[-1][1]) == after[-1][0]


@pytest.mark.parametrize("stood", [1.1, 60.0, 40_000.0])
def test_a_long_pause_is_followed_at_once(stood: float) -> None:
    clock = recorded([(0, 10.0), (960, 10.02 + stood)])
    assert clock.extrapolate(10.02 + stood) == 960


def test_another_clock_rate_begins_another_clock() -> None:
    clock = recorded([(0, 10.0)])
    clock.record(TimestampPoint(160, 10.5, 8000))
    assert clock.extrapolate(11.5) == 8160
