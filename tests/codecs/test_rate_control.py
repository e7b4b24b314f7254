"""When a running encoder is told another bitrate, and when it has to be opened anew."""

import pytest

from tests.strategies.video_frames import moving_noise, noisy, timed_pattern
from trio_rtc.codecs import VideoEncoderOptions, create_video_encoder
from trio_rtc.codecs.picture_clock import PictureClock, PictureSelector
from trio_rtc.codecs.rate_control import ClockRate, LiveRate, ReopeningRate

SECOND = 90_000


def test_a_live_rate_is_reached_up_to_the_ceiling():
    rate = LiveRate(headroom=4)
    assert rate.must_reopen(1, 0, keyframe=False)
    rate.opened(1_000_000, 0)
    assert rate.bitrate_to_open(1_000_000) == 4_000_000
    assert not rate.must_reopen(4_000_000, 0, keyframe=False)
    assert rate.must_reopen(4_000_001, 0, keyframe=False)
    assert rate.stretch(3000, 1) == 3000


def test_a_clock_runs_in_proportion():
    rate = ClockRate(range=4)
    rate.opened(1_000_000, 0)
    assert rate.stretch(3000, 500_000) == 1500
    assert rate.stretch(3000, 2_000_000) == 6000
    assert rate.stretch(1, 250_000) == 1
    assert not rate.must_reopen(250_000, 0, keyframe=False)
    assert rate.must_reopen(249_999, 0, keyframe=False)
    assert rate.must_reopen(4_000_001, 0, keyframe=False)


def test_with_a_keyframe_the_clock_is_set_right():
    rate = ClockRate()
    rate.opened(1_000_000, 0)
    assert rate.must_reopen(700_000, 0, keyframe=True)
    assert not rate.must_reopen(900_000, 0, keyframe=True)


def test_reopening_is_for_large_changes_and_rare():
    rate = ReopeningRate()
    rate.opened(1_000_000, 0)
    assert not rate.must_reopen(900_000, 10 * SECOND, keyframe=False)
    assert not rate.must_reopen(1_200_000, 10 * SECOND, keyframe=False)
    assert not rate.must_reopen(500_000, SECOND // 2, keyframe=False)
    assert rate.must_reopen(500_000, SECOND, keyframe=False)
    assert not rate.must_reopen(2_000_000, SECOND, keyframe=False)
    assert rate.must_reopen(2_000_000, 4 * SECOND, keyframe=False)
    assert rate.must_reopen(900_000, 0, keyframe=True)
    assert not rate.must_reopen(1_000_000, 0, keyframe=True)


def test_pictures_without_time_are_an_interval_apart():
    clock = PictureClock(3000)
    picture = timed_pattern(5)
    assert clock.timestamp(picture) == 15_000
    picture.pts = None
    assert [clock.timestamp(picture) for _ in range(2)] == [18_000, 21_000]


def test_pictures_without_time_were_taken_when_they_were_captured():
    clock = PictureClock(3000)
    picture = timed_pattern(5)
    picture.pts = None
    assert [clock.timestamp(picture, captured) for captured in (100.0, 100.1, 100.2)] == [
        9_000_000,
        9_009_000,
        9_018_000,
    ]
    assert clock.timestamp(picture, 100.2) == 9_021_000  # two at once


def test_a_repeated_picture_is_as_much_later_as_it_is_repeated():
    clock = PictureClock(3000)
    picture = timed_pattern(5)
    assert clock.timestamp(picture) == 15_000
    assert clock.timestamp(picture, repeated_after=2.0) == 15_000 + 180_000
    picture.pts += 270_000  # three seconds later: its own time is not changed by the repetition
    assert clock.timestamp(picture) == 15_000 + 270_000


def test_a_rate_of_none_selects_all_and_of_nought_none():
    selector = PictureSelector()
    assert all(selector.select(3000 * index, None) for index in range(5))
    assert not any(selector.select(3000 * index, 0) for index in range(5))


def test_selection_is_even_and_follows_a_late_source():
    selector = PictureSelector()
    selected = [index for index in range(60) if selector.select(3000 * index, 20)]
    assert len(selected) == 40
    selector = PictureSelector()
    assert [selector.select(timestamp, 10) for timestamp in (0, 9000, 90_000, 93_000, 99_000)] == [
        True,
        True,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264"])
@pytest.mark.parametrize("framerate", [10, 15, 30])
def test_the_bitrate_does_not_depend_on_the_frame_rate(codec: str, framerate: int) -> None:
    """x264 takes pictures for evenly spaced, and spent half the bits at half the frame rate."""
    encoder, size, seconds = create_video_encoder(codec), 0, 6
    for index, picture in enumerate(moving_noise(framerate * seconds)):
        picture.pts = index * 90_000 // framerate
        frames = encoder.encode(picture, bitrate=400_000)
        if index >= framerate * 2:
            size += sum(len(frame.payload) for frame in frames)
    encoder.close()
    assert size * 8 / (seconds - 2) == pytest.approx(400_000, rel=0.2)


def quantizer_for_a_still_camera(options: VideoEncoderOptions) -> float:
    """Return the mean quantizer of VP8 for a textured wall before a camera with noise, after the first pictures."""
    walls = (wall for _ in range(40) for wall in moving_noise(1))
    encoder = create_video_encoder("VP8", options)
    quantizers = []
    for index, picture in enumerate(noisy(walls)):
        picture.pts = index * 3000
        quantizers += [frame.quantizer for frame in encoder.encode(picture) if index >= 20]
    encoder.close()
    return sum(quantizers) / len(quantizers)


def test_the_noise_of_a_camera_costs_few_bits() -> None:
    """libwebrtc denoises what a camera gives."""
    usual = VideoEncoderOptions(bitrate=300_000, framerate=30)
    raw = VideoEncoderOptions(bitrate=300_000, framerate=30, extra={"noise-sensitivity": "0"})
    assert quantizer_for_a_still_camera(usual) < 0.6 * quantizer_for_a_still_camera(raw)
