"""Delays of the streams of one sender, from its sender reports."""

import random
from collections.abc import Hashable, Mapping

import pytest

from trio_rtc.protocols.rtp.options import AvSyncOptions
from trio_rtc.protocols.rtp.receive.sync_group import ClockMap, StreamTiming, SyncGroup

TOLERANCE = 0.03
NTP = 3.9e9


def test_one_report_is_enough() -> None:
    clock = ClockMap(48_000)
    assert clock.ntp_time(0) is None
    clock.handle_sender_report(96_000, NTP)
    assert clock.ntp_time(96_000) == pytest.approx(NTP)
    assert clock.ntp_time(48_000) == pytest.approx(NTP - 1)


def test_line_follows_a_clock_that_is_off_and_reports_that_jitter() -> None:
    rng = random.Random(3)
    clock = ClockMap(90_000)
    for second in range(20):
        clock.handle_sender_report(round(second * 90_000 * 1.0002), NTP + second + rng.uniform(-0.002, 0.002))
    assert clock.ntp_time(round(60 * 90_000 * 1.0002)) == pytest.approx(NTP + 60, abs=0.02)


def test_outlier_is_ignored_and_a_clock_that_was_set_is_followed() -> None:
    clock = ClockMap(1000)
    for second in range(10):
        clock.handle_sender_report(second * 1000, NTP + second)
    clock.handle_sender_report(10_000, NTP + 500)
    assert clock.ntp_time(20_000) == pytest.approx(NTP + 20)
    for second in range(11, 14):
        clock.handle_sender_report(second * 1000, NTP + 3600 + second)
    assert clock.ntp_time(20_000) == pytest.approx(NTP + 3620)


def test_old_report_is_ignored() -> None:
    clock = ClockMap(1000)
    clock.handle_sender_report(5000, NTP)
    clock.handle_sender_report(5000, NTP + 0.1)
    clock.handle_sender_report(4000, NTP - 1.1)
    assert clock.ntp_time(5000) == pytest.approx(NTP)


def settled(sync: SyncGroup, timings: Mapping[Hashable, StreamTiming]) -> dict[Hashable, float]:
    for _ in range(50):
        sync.extra_delays(timings)
    return sync.extra_delays(timings)


@pytest.fixture
def sync() -> SyncGroup:
    sync = SyncGroup()
    sync.add_stream("audio", 48_000)
    sync.add_stream("video", 90_000)
    sync.handle_sender_report("audio", 480_000, NTP)
    sync.handle_sender_report("video", 0, NTP)
    return sync


def test_the_quicker_stream_waits(sync: SyncGroup) -> None:
    # Both were captured one second after the reports; the video is played 150 ms later.
    timings: dict[Hashable, StreamTiming] = {
        "audio": StreamTiming(528_000, 20.0),
        "video": StreamTiming(90_000, 20.15),
    }
    first = sync.extra_delays(timings)
    assert first == pytest.approx({"audio": AvSyncOptions().step, "video": 0.0})
    assert settled(sync, timings) == pytest.approx({"audio": 0.15, "video": 0.0})
    timings["audio"] = StreamTiming(528_000, 20.25)
    assert settled(sync, timings) == pytest.approx({"audio": 0.0, "video": 0.1})


def test_an_imperceptible_difference_delays_no_frame(sync: SyncGroup) -> None:
    """libwebrtc corrects differences of 30 ms and more."""
    sync.handle_sender_report("audio", 480_000, 1000.0)
    sync.handle_sender_report("video", 90_000, 1001.0)
    timings: dict[Hashable, StreamTiming] = {
        "audio": StreamTiming(528_000, 20.02),
        "video": StreamTiming(90_000, 20.0),
    }
    assert settled(sync, timings) == {"audio": 0.0, "video": 0.0}
    timings["audio"] = StreamTiming(528_000, 20.04)
    assert settled(sync, timings) == pytest.approx({"audio": 0.0, "video": 0.04})
    # Around the tolerance it does not change all the time.
    timings["audio"] = StreamTiming(528_000, 20.02)
    assert settled(sync, timings) == pytest.approx({"audio": 0.0, "video": 0.02})
    timings["audio"] = StreamTiming(528_000, 20.01)
    assert settled(sync, timings) == {"audio": 0.0, "video": 0.0}


def test_video_that_may_lead_waits_for_no_more_than_is_beyond_the_tolerance() -> None:
    """Video waited for all of a difference of 30 ms, and was later by as much as viewers do not notice."""
    sync = SyncGroup[Hashable]()
    sync.add_stream("audio", 48_000)
    sync.add_stream("video", 90_000, may_lead=True)
    sync.handle_sender_report("audio", 480_000, 1000.0)
    sync.handle_sender_report("video", 90_000, 1001.0)
    timings: dict[Hashable, StreamTiming] = {
        "audio": StreamTiming(528_000, 20.1),
        "video": StreamTiming(90_000, 20.0),
    }
    assert settled(sync, timings) == pytest.approx({"audio": 0.0, "video": 0.07})
    timings["audio"] = StreamTiming(528_000, 20.031)
    assert settled(sync, timings) == pytest.approx({"audio": 0.0, "video": 0.001})
    timings["audio"] = StreamTiming(528_000, 20.0299)
    assert settled(sync, timings) == {"audio": 0.0, "video": 0.0}
    # The audio waits for the video as before: early audio is noticed sooner.
    timings["audio"] = StreamTiming(528_000, 19.9)
    assert settled(sync, timings) == pytest.approx({"audio": 0.1, "video": 0.0})
    # The kind of a section may change.
    sync.add_stream("video", 90_000)
    sync.handle_sender_report("video", 90_000, 1001.0)
    timings["audio"] = StreamTiming(528_000, 20.1)
    assert settled(sync, timings) == pytest.approx({"audio": 0.0, "video": 0.1})


def test_a_stream_without_reports_does_not_wait(sync: SyncGroup) -> None:
    sync.add_stream("screen", 90_000)
    timings: dict[Hashable, StreamTiming] = {
        "audio": StreamTiming(528_000, 20.0),
        "video": StreamTiming(90_000, 20.1),
        "screen": StreamTiming(5, 21.0),
        "unknown": StreamTiming(5, 21.0),
    }
    assert settled(sync, timings) == pytest.approx({"audio": 0.1, "video": 0, "screen": 0, "unknown": 0})


def test_streams_of_different_clocks_do_not_wait(sync: SyncGroup) -> None:
    timings: dict[Hashable, StreamTiming] = {
        "audio": StreamTiming(528_000, 20.0),
        "video": StreamTiming(90_000, 20.1),
    }
    settled(sync, timings)
    timings["video"] = StreamTiming(90_000, 30.0)
    assert settled(sync, timings) == {"audio": 0.0, "video": 0.0}


def test_stream_that_left(sync: SyncGroup) -> None:
    sync.remove_stream("video")
    sync.remove_stream("video")
    sync.handle_sender_report("video", 0, NTP)
    assert sync.ntp_time("video", 0) is None
    timings: dict[Hashable, StreamTiming] = {
        "audio": StreamTiming(528_000, 20.0),
        "video": StreamTiming(90_000, 20.1),
    }
    assert settled(sync, timings) == {"audio": 0.0, "video": 0.0}


# Clocks that stand still in a pause.


def reports(clock: ClockMap, first: int, last: int, late: float = 0.0) -> None:
    for second in range(first, last):
        clock.handle_sender_report(second * 1000, NTP + second + late)


@pytest.mark.parametrize("pause", [0.1, 1.0, 5.0])
def test_a_clock_that_stood_still_is_mapped_again_by_the_next_report(pause: float) -> None:
    clock = ClockMap(1000)
    reports(clock, 0, 10)
    clock.expect_shift(pause)
    assert clock.is_doubtful
    reports(clock, 10, 11, pause)
    assert not clock.is_doubtful
    assert clock.ntp_time(10_000) == pytest.approx(NTP + 10 + pause)


@pytest.mark.parametrize("pause", [0.1, 1.0, 5.0])
def test_frames_that_only_arrive_later_leave_the_map_as_it_is(pause: float) -> None:
    clock = ClockMap(1000)
    reports(clock, 0, 10)
    clock.expect_shift(pause)
    reports(clock, 10, 12)
    assert not clock.is_doubtful
    assert clock.ntp_time(20_000) == pytest.approx(NTP + 20)


def test_before_the_first_report_no_map_is_doubtful() -> None:
    clock = ClockMap(1000)
    clock.expect_shift(1.0)
    assert not clock.is_doubtful


def test_delays_are_constant_while_a_clock_is_doubtful(sync: SyncGroup) -> None:
    timings: dict[Hashable, StreamTiming] = {
        "audio": StreamTiming(528_000, 20.0),
        "video": StreamTiming(90_000, 20.15),
    }
    before = settled(sync, timings)
    sync.expect_shift("audio", 1.0)
    sync.expect_shift("nobody", 1.0)
    timings["audio"] = StreamTiming(528_000, 21.0)
    assert settled(sync, timings) == before
    sync.handle_sender_report("audio", 528_000, NTP + 2)
    assert settled(sync, timings) == pytest.approx(before)
