"""Video decoders on FFmpeg: corrupt frames and bounds."""

import random
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.video_frames import timed_pattern
from trio_rtc.codecs import (
    CodecError,
    VideoDecoderOptions,
    create_video_decoder,
)
from trio_rtc.media import read_counter
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

CODECS = ["VP8", "VP9", "H264", "AV1"]


codecs = pytest.mark.parametrize("codec", CODECS)


def encode_all(encoder, images, **settings):
    return [frame for image in images for frame in encoder.encode(image, **settings)]


def test_h265_is_decoded():
    context = av.CodecContext.create("libx265", "w")
    context.width, context.height, context.pix_fmt = 320, 180, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 90_000), Fraction(30)
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "log-level=none:pools=1"}
    decoder = create_video_decoder("H265")
    for counter in range(5):
        for packet in context.encode(timed_pattern(counter)):
            frame = EncodedFrame(bytes(packet), packet.pts, 90_000, "H265", keyframe=packet.is_keyframe)
            assert [read_counter(each) for each in decoder.decode(frame)] == [counter]


@codecs
def test_nothing_is_decoded_before_a_keyframe(codec, make_encoder):
    decoder = create_video_decoder(codec)
    frames = encode_all(make_encoder(codec), [timed_pattern(counter) for counter in range(3)])
    assert decoder.needs_keyframe
    assert decoder.decode(frames[1]) == []
    assert decoder.needs_keyframe
    assert decoder.decode(frames[0])
    assert not decoder.needs_keyframe
    assert decoder.decode(frames[1])


@codecs
def test_corrupt_keyframe_costs_itself_and_requests_another(codec, make_encoder):
    encoder, decoder = make_encoder(codec), create_video_decoder(codec)
    (first,) = encoder.encode(timed_pattern(0))
    broken = EncodedFrame(b"\xff" * 40, 0, 90_000, codec)
    with pytest.raises(CodecError):
        decoder.decode(broken)
    assert decoder.needs_keyframe
    (delta,) = encoder.encode(timed_pattern(1))
    assert decoder.decode(delta) == []
    (again,) = encoder.encode(timed_pattern(2), force_keyframe=True)
    assert [read_counter(image) for image in decoder.decode(again)] == [2]
    assert first.keyframe


@pytest.mark.parametrize("codec", [*CODECS, "H265"])
@given(data=st.binary(max_size=200), keyframe=st.booleans())
def test_arbitrary_bytes_raise_only_codec_errors(codec, data, keyframe):
    decoder = create_video_decoder(codec)
    try:
        assert isinstance(decoder.decode(EncodedFrame(data, 0, 90_000, codec, keyframe=keyframe)), list)
    except CodecError:
        assert decoder.needs_keyframe


@codecs
def test_damaged_frames_raise_only_codec_errors(codec, make_encoder):
    rng = random.Random(7)
    encoder, decoder = make_encoder(codec), create_video_decoder(codec)
    counters = []
    for counter in range(90):
        for frame in encoder.encode(timed_pattern(counter), force_keyframe=counter % 10 == 0):
            payload = bytearray(frame.payload)
            if counter % 3 == 2:
                for _ in range(5):
                    payload[rng.randrange(len(payload))] ^= 1 << rng.randrange(8)
                del payload[rng.randrange(len(payload)) :]
            try:
                images = decoder.decode(
                    EncodedFrame(bytes(payload), 0, 90_000, codec, keyframe=frame.keyframe)
                )
            except CodecError:
                continue
            counters += [read_counter(image) for image in images]
    decoder = create_video_decoder(codec)
    (whole,) = encoder.encode(timed_pattern(99), force_keyframe=True)
    assert [read_counter(image) for image in decoder.decode(whole)] == [99]
    assert 0 in counters


@codecs
def test_frame_size_of_the_peer_is_bounded(codec, make_encoder):
    (frame,) = make_encoder(codec).encode(timed_pattern(0, 320, 180))
    decoder = create_video_decoder(codec, VideoDecoderOptions(max_pixels=320 * 100))
    with pytest.raises(CodecError):
        decoder.decode(frame)
