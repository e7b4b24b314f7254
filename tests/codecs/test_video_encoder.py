"""Video encoders on FFmpeg: bitrate, keyframes, size and timestamps."""

from fractions import Fraction

import pytest

from tests.strategies.video_frames import luma, moving_noise, timed_pattern
from trio_rtc.codecs import (
    create_video_decoder,
)
from trio_rtc.media import read_counter

CODECS = ["VP8", "VP9", "H264", "AV1"]


codecs = pytest.mark.parametrize("codec", CODECS)


rate_without_keyframe = pytest.mark.parametrize("codec", ["VP8", "VP9", "H264"])


def encode_all(encoder, images, **settings):
    return [frame for image in images for frame in encoder.encode(image, **settings)]


def kilobits_per_second(frames, seconds):
    return sum(len(frame.payload) for frame in frames) * 8 / seconds / 1000


@codecs
def test_properties_of_encoded_frames(codec, make_encoder):
    encoder = make_encoder(codec)
    frames = encode_all(encoder, [timed_pattern(counter) for counter in (5, 6)])
    assert [frame.timestamp for frame in frames] == [15_000, 18_000]
    assert [frame.keyframe for frame in frames] == [True, False]
    assert {(frame.codec, frame.clock_rate, frame.width, frame.height) for frame in frames} == {
        (codec, 90_000, 320, 180)
    }


@codecs
def test_keyframes_are_encoded_only_on_request(codec, make_encoder):
    encoder, decoder = make_encoder(codec), create_video_decoder(codec)
    keyframes = []
    for counter in range(60):
        frames = encoder.encode(timed_pattern(counter), force_keyframe=counter in (20, 40))
        keyframes += [counter for frame in frames if frame.keyframe]
        if counter < 40:
            continue
        assert [read_counter(each) for frame in frames for each in decoder.decode(frame)] == [counter]
    assert keyframes == [0, 20, 40]


@codecs
def test_bitrate_is_kept(codec, make_encoder):
    encoder = make_encoder(codec, bitrate=600_000)
    frames = encode_all(encoder, moving_noise(120))
    # Newer versions of SVT-AV1 use a third less than the target for these frames, older ones do not.
    least = 330 if codec == "AV1" else 420
    assert least < kilobits_per_second([frame for frame in frames if frame.timestamp >= 90_000], 3) < 750


@codecs
def test_bitrate_follows_the_target(codec, make_encoder):
    encoder = make_encoder(codec, bitrate=800_000)
    images = list(moving_noise(240))
    high = encode_all(encoder, images[:90], bitrate=800_000)
    low = encode_all(encoder, images[90:165], bitrate=300_000)
    again = encode_all(encoder, images[165:], bitrate=800_000)
    before, between, after = (
        kilobits_per_second(part[len(part) // 2 :], 1.25) for part in (high, low, again)
    )
    assert between < 0.65 * before
    assert after > 1.3 * between


@rate_without_keyframe
def test_bitrate_change_within_range_costs_no_keyframe(codec, make_encoder):
    encoder = make_encoder(codec, bitrate=600_000)
    frames = []
    for index, image in enumerate(moving_noise(60)):
        frames += encoder.encode(image, bitrate=600_000 + 100_000 * (index % 7 - 3))
    assert [frame.keyframe for frame in frames].count(True) == 1


def test_small_bitrate_changes_do_not_reopen_the_encoder(make_encoder):
    encoder = make_encoder("AV1", bitrate=600_000)
    frames = []
    for index, image in enumerate(moving_noise(60)):
        frames += encoder.encode(image, bitrate=600_000 + 20_000 * (index % 5 - 2))
    assert [frame.keyframe for frame in frames].count(True) == 1


@pytest.mark.parametrize("codec", ["VP8", "VP9"])
def test_keyframe_of_a_reopened_encoder_is_no_larger_than_later_frames(codec, make_encoder):
    encoder = make_encoder(codec, bitrate=200_000)
    images = list(moving_noise(120))
    encode_all(encoder, images[:15])
    first, *later = encode_all(encoder, images[15:], bitrate=1_600_000)
    assert first.keyframe
    assert len(first.payload) < max(len(frame.payload) for frame in later)


@codecs
def test_scaling_down(codec, make_encoder):
    encoder, decoder = make_encoder(codec), create_video_decoder(codec)
    frames = encoder.encode(timed_pattern(77, 640, 360), scale_down_by=2.5)
    (image,) = decoder.decode(frames[0])
    assert (image.width, image.height) == (256, 144) == (frames[0].width, frames[0].height)
    assert read_counter(image) == 77
    with pytest.raises(ValueError, match="scale_down_by"):
        encoder.encode(timed_pattern(78), scale_down_by=0.5)


def test_frame_rate_is_limited_evenly(make_encoder):
    encoder = make_encoder("VP8")
    frames = encode_all(encoder, [timed_pattern(counter) for counter in range(60)], framerate=10)
    assert [frame.timestamp // 3000 for frame in frames] == list(range(0, 60, 3))


def test_keyframe_request_for_a_dropped_frame_applies_to_the_next(make_encoder):
    encoder = make_encoder("VP8")
    keyframes = []
    for counter in range(30):
        frames = encoder.encode(timed_pattern(counter), framerate=10, force_keyframe=counter == 10)
        keyframes += [frame.timestamp // 3000 for frame in frames if frame.keyframe]
    assert keyframes == [0, 12]


@codecs
def test_source_frame_is_not_modified(codec, make_encoder):
    image = timed_pattern(3)
    before = luma(image)
    for encoder in (make_encoder(codec), make_encoder(codec)):
        encoder.encode(image, force_keyframe=True)
        encoder.encode(timed_pattern(4))
    assert (image.pts, image.time_base, image.pict_type) == (9000, Fraction(1, 90_000), 0)
    assert luma(image) == before


@codecs
def test_timestamps_continue_when_the_source_restarts(codec, make_encoder):
    encoder = make_encoder(codec)
    images = [timed_pattern(counter) for counter in (0, 1, 2, 0, 1, 2)]
    assert [frame.timestamp for frame in encode_all(encoder, images)] == [
        0,
        3000,
        6000,
        9000,
        12_000,
        15_000,
    ]


def test_every_h264_keyframe_has_its_parameter_sets(make_encoder):
    encoder = make_encoder("H264")
    frames = encode_all(encoder, [timed_pattern(counter) for counter in range(4)], force_keyframe=True)
    for frame in frames:
        units = [unit for unit in frame.payload.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit]
        types = [unit[0] & 31 for unit in units]
        assert types[:2] == [7, 8]
        assert 5 in types
        assert units[0][1] == 66  # baseline
        assert units[0][2] & 0x40  # constrained


def test_h264_slices_respect_max_slice_size(make_encoder):
    encoder = make_encoder("H264", max_slice_size=1000, bitrate=2_000_000)
    for frame in encode_all(encoder, moving_noise(5)):
        units = frame.payload.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
        assert max(len(unit) for unit in units) <= 1000
        assert len(units) > 3


def test_missing_preferred_hardware_falls_back_to_the_cpu(make_encoder):
    encoder = make_encoder("H264", hardware="prefer")
    assert encoder.encode(timed_pattern(0))[0].keyframe
    assert encoder.implementation is not None


def test_ffmpeg_options_are_passed_on(make_encoder):
    encoder = make_encoder("H264", extra={"profile": "high"})
    (frame,) = encoder.encode(timed_pattern(0))
    assert frame.payload[frame.payload.index(b"\0\0\1") + 4] == 100
