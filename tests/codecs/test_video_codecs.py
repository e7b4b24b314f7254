"""Video is preserved by encoding and decoding, within the limits that a call sets."""

import random
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.video_frames import luma, moving_noise, psnr, timed_pattern
from trio_rtc.codecs import (
    CodecError,
    VideoDecoderOptions,
    VideoEncoderOptions,
    create_video_decoder,
    create_video_encoder,
    decodable_codecs,
    encodable_codecs,
)
from trio_rtc.media import read_counter
from trio_rtc.protocols.rtp.packet.frame import EncodedFrame

CODECS = ["VP8", "VP9", "H264", "AV1"]
codecs = pytest.mark.parametrize("codec", CODECS)
rate_without_keyframe = pytest.mark.parametrize("codec", ["VP8", "VP9", "H264"])


@pytest.fixture
def make_encoder():
    made = []

    def make(codec, **options):
        made.append(create_video_encoder(codec, VideoEncoderOptions(**options)))
        return made[-1]

    yield make
    for encoder in made:
        encoder.close()


def encode_all(encoder, images, **settings):
    return [frame for image in images for frame in encoder.encode(image, **settings)]


def kilobits_per_second(frames, seconds):
    return sum(len(frame.payload) for frame in frames) * 8 / seconds / 1000


def test_encodable_and_decodable_codecs():
    assert encodable_codecs("video") == CODECS
    assert sorted(decodable_codecs("video")) == sorted([*CODECS, "H265"])
    assert encodable_codecs("audio") == decodable_codecs("audio") == ["opus", "PCMU", "PCMA", "G722"]


@codecs
def test_codec_names_are_case_insensitive(codec):
    assert create_video_decoder(codec.lower()).codec == codec
    assert create_video_encoder(codec.lower()).codec == codec


def test_unknown_codec_raises():
    with pytest.raises(CodecError, match=r"codec must be one of .*, not 'theora'"):
        create_video_encoder("theora")
    with pytest.raises(CodecError, match="codec must be one of"):
        create_video_decoder("theora")


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
def test_other_pixel_formats_are_converted(codec, make_encoder):
    encoder, decoder = make_encoder(codec), create_video_decoder(codec)
    frames = encoder.encode(timed_pattern(9).reformat(format="rgb24"))
    assert [read_counter(each) for frame in frames for each in decoder.decode(frame)] == [9]


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


def test_missing_preferred_hardware_falls_back_to_the_cpu(make_encoder):
    encoder = make_encoder("H264", hardware="prefer")
    assert encoder.encode(timed_pattern(0))[0].keyframe
    assert encoder.implementation is not None


def test_missing_required_hardware_raises():
    with pytest.raises(CodecError, match="has no hardware encoder for VP8"):
        create_video_encoder("VP8", VideoEncoderOptions(hardware="require"))


def test_ffmpeg_options_are_passed_on(make_encoder):
    encoder = make_encoder("H264", extra={"profile": "high"})
    (frame,) = encoder.encode(timed_pattern(0))
    assert frame.payload[frame.payload.index(b"\0\0\1") + 4] == 100


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


@pytest.mark.parametrize(
    "options",
    [{"bitrate": 0}, {"framerate": 0.0}, {"hardware": "maybe"}, {"threads": 0}, {"max_slice_size": 5}],
)
def test_options_are_validated(options):
    with pytest.raises(ValueError, match="must be"):
        VideoEncoderOptions(**options)
