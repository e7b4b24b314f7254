"""Video is preserved by encoding and decoding, within the limits that a call sets."""

from fractions import Fraction

import pytest

from tests.strategies.video_frames import moving_noise, psnr, timed_pattern
from trio_rtc.codecs import (
    CodecError,
    create_video_decoder,
)
from trio_rtc.media import read_counter

CODECS = ["VP8", "VP9", "H264", "AV1"]
codecs = pytest.mark.parametrize("codec", CODECS)


def encode_all(encoder, images, **settings):
    return [frame for image in images for frame in encoder.encode(image, **settings)]


@codecs
def test_counter_is_readable_at_500_kbit_s(codec, make_encoder):
    encoder, decoder = make_encoder(codec, bitrate=500_000), create_video_decoder(codec)
    size = 0
    for counter in range(45):
        encoded = encoder.encode(timed_pattern(counter, 640, 360))
        size += sum(len(frame.payload) for frame in encoded)
        images = [image for frame in encoded for image in decoder.decode(frame)]
        assert [read_counter(image) for image in images] == [counter]
        assert images[0].pts == counter * 3000
        assert images[0].time_base == Fraction(1, 90_000)
    assert size * 8 / 1.5 < 800_000


@codecs
def test_images_are_preserved(codec, make_encoder):
    encoder, decoder = make_encoder(codec, bitrate=2_000_000), create_video_decoder(codec)
    for image in moving_noise(15):
        decoded = [each for frame in encoder.encode(image) for each in decoder.decode(frame)]
    assert psnr(image, decoded[-1]) > 32


@codecs
def test_frame_size_may_change_at_any_time(codec, make_encoder):
    encoder, decoder = make_encoder(codec), create_video_decoder(codec)
    sizes = [(320, 180), (640, 360), (160, 120)]
    for counter in range(30):
        size = sizes[counter // 10]
        frames = encoder.encode(timed_pattern(counter, *size))
        images = [image for frame in frames for image in decoder.decode(frame)]
        assert [read_counter(image) for image in images] == [counter]
        assert (images[0].width, images[0].height) == size
        assert frames[0].keyframe == (counter % 10 == 0)


@codecs
def test_other_pixel_formats_are_converted(codec, make_encoder):
    encoder, decoder = make_encoder(codec), create_video_decoder(codec)
    frames = encoder.encode(timed_pattern(9).reformat(format="rgb24"))
    assert [read_counter(each) for frame in frames for each in decoder.decode(frame)] == [9]


@codecs
def test_closed_codec_raises(codec, make_encoder):
    encoder, decoder = make_encoder(codec), create_video_decoder(codec)
    (frame,) = encoder.encode(timed_pattern(0))
    encoder.close()
    encoder.close()
    decoder.close()
    with pytest.raises(CodecError, match="closed"):
        encoder.encode(timed_pattern(1))
    with pytest.raises(CodecError, match="closed"):
        decoder.decode(frame)
