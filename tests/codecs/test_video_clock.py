"""RTP timestamps of video frames, and dropping of frames above a frame rate."""

from tests.strategies.video_frames import timed_pattern
from trio_rtc.codecs.video_clock import FramerateLimiter, VideoClock


def test_frames_without_pts_are_one_interval_apart():
    clock = VideoClock(3000)
    image = timed_pattern(5)
    assert clock.timestamp(image) == 15_000
    image.pts = None
    assert [clock.timestamp(image) for _ in range(2)] == [18_000, 21_000]


def test_frames_without_pts_use_the_capture_time():
    clock = VideoClock(3000)
    image = timed_pattern(5)
    image.pts = None
    assert [clock.timestamp(image, captured) for captured in (100.0, 100.1, 100.2)] == [
        9_000_000,
        9_009_000,
        9_018_000,
    ]
    assert clock.timestamp(image, 100.2) == 9_021_000  # two at once


def test_repeated_frame_is_delayed_by_repeated_after():
    clock = VideoClock(3000)
    image = timed_pattern(5)
    assert clock.timestamp(image) == 15_000
    assert clock.timestamp(image, repeated_after=2.0) == 15_000 + 180_000
    image.pts += 270_000  # three seconds later; a repetition does not change the frame's own time
    assert clock.timestamp(image) == 15_000 + 270_000


def test_framerate_limiter_with_none_and_zero():
    limiter = FramerateLimiter()
    assert all(limiter.admit(3000 * index, None) for index in range(5))
    assert not any(limiter.admit(3000 * index, 0) for index in range(5))


def test_framerate_limiter_drops_evenly_and_follows_a_late_source():
    limiter = FramerateLimiter()
    selected = [index for index in range(60) if limiter.admit(3000 * index, 20)]
    assert len(selected) == 40
    limiter = FramerateLimiter()
    assert [limiter.admit(timestamp, 10) for timestamp in (0, 9000, 90_000, 93_000, 99_000)] == [
        True,
        True,
        True,
        False,
        True,
    ]
