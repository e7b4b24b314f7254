"""Bitrate changes of open encoders, and reopening."""

import pytest

from tests.strategies.video_frames import moving_noise, noisy
from trio_rtc.codecs import VideoEncoderOptions, create_video_encoder
from trio_rtc.codecs.rate_control import DynamicRateControl, ReopeningRateControl, TimestampRateControl

SECOND = 90_000


def test_dynamic_rate_control_has_a_ceiling():
    rate = DynamicRateControl(headroom=4)
    assert rate.must_reopen(1, 0, keyframe=False)
    rate.opened(1_000_000, 0)
    assert rate.bitrate_to_open(1_000_000) == 4_000_000
    assert not rate.must_reopen(4_000_000, 0, keyframe=False)
    assert rate.must_reopen(4_000_001, 0, keyframe=False)
    assert rate.stretch(3000, 1) == 3000


def test_timestamp_rate_control_scales_intervals():
    rate = TimestampRateControl(range=4)
    rate.opened(1_000_000, 0)
    assert rate.stretch(3000, 500_000) == 1500
    assert rate.stretch(3000, 2_000_000) == 6000
    assert rate.stretch(1, 250_000) == 1
    assert not rate.must_reopen(250_000, 0, keyframe=False)
    assert rate.must_reopen(249_999, 0, keyframe=False)
    assert rate.must_reopen(4_000_001, 0, keyframe=False)


def test_timestamp_rate_control_reopens_with_a_keyframe():
    rate = TimestampRateControl()
    rate.opened(1_000_000, 0)
    assert rate.must_reopen(700_000, 0, keyframe=True)
    assert not rate.must_reopen(900_000, 0, keyframe=True)


def test_reopening_is_limited_to_large_changes_and_rare():
    rate = ReopeningRateControl()
    rate.opened(1_000_000, 0)
    assert not rate.must_reopen(900_000, 10 * SECOND, keyframe=False)
    assert not rate.must_reopen(1_200_000, 10 * SECOND, keyframe=False)
    assert not rate.must_reopen(500_000, SECOND // 2, keyframe=False)
    assert rate.must_reopen(500_000, SECOND, keyframe=False)
    assert not rate.must_reopen(2_000_000, SECOND, keyframe=False)
    assert rate.must_reopen(2_000_000, 4 * SECOND, keyframe=False)
    assert rate.must_reopen(900_000, 0, keyframe=True)
    assert not rate.must_reopen(1_000_000, 0, keyframe=True)


@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264"])
@pytest.mark.parametrize("framerate", [10, 15, 30])
def test_bitrate_does_not_depend_on_the_frame_rate(codec: str, framerate: int) -> None:
    """x264 assumes evenly spaced frames, and spent half the bits at half the frame rate."""
    encoder, size, seconds = create_video_encoder(codec), 0, 6
    for index, image in enumerate(moving_noise(framerate * seconds)):
        image.pts = index * 90_000 // framerate
        frames = encoder.encode(image, bitrate=400_000)
        if index >= framerate * 2:
            size += sum(len(frame.payload) for frame in frames)
    encoder.close()
    assert size * 8 / (seconds - 2) == pytest.approx(400_000, rel=0.2)


def quantizer_for_a_still_camera(options: VideoEncoderOptions) -> float:
    """Return VP8's mean quantizer for a textured wall with camera noise, after the first frames."""
    walls = (wall for _ in range(40) for wall in moving_noise(1))
    encoder = create_video_encoder("VP8", options)
    quantizers = []
    for index, image in enumerate(noisy(walls)):
        image.pts = index * 3000
        quantizers += [frame.quantizer for frame in encoder.encode(image) if index >= 20]
    encoder.close()
    return sum(quantizers) / len(quantizers)


def test_camera_noise_costs_few_bits() -> None:
    """libwebrtc denoises camera video, too."""
    usual = VideoEncoderOptions(bitrate=300_000, framerate=30)
    raw = VideoEncoderOptions(bitrate=300_000, framerate=30, extra={"noise-sensitivity": "0"})
    assert quantizer_for_a_still_camera(usual) < 0.6 * quantizer_for_a_still_camera(raw)
