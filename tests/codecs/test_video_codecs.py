"""What goes into a video encoder comes out of the decoder, on the conditions that a call sets."""

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
def encoder_of():
    made = []

    def make(codec, **options):
        made.append(create_video_encoder(codec, VideoEncoderOptions(**options)))
        return made[-1]

    yield make
    for encoder in made:
        encoder.close()


def encode_all(encoder, pictures, **settings):
    return [frame for picture in pictures for frame in encoder.encode(picture, **settings)]


def kilobits_per_second(frames, seconds):
    return sum(len(frame.payload) for frame in frames) * 8 / seconds / 1000


def test_the_registry_knows_what_can_be_done():
    assert encodable_codecs("video") == CODECS
    assert sorted(decodable_codecs("video")) == sorted([*CODECS, "H265"])
    assert encodable_codecs("audio") == decodable_codecs("audio") == ["opus", "PCMU", "PCMA", "G722"]


@codecs
def test_names_count_in_any_case(codec):
    assert create_video_decoder(codec.lower()).codec == codec
    assert create_video_encoder(codec.lower()).codec == codec


def test_an_unknown_codec_is_told():
    with pytest.raises(CodecError, match="unknown codec 'theora'"):
        create_video_encoder("theora")
    with pytest.raises(CodecError, match="unknown codec"):
        create_video_decoder("theora")


@codecs
def test_the_counter_survives_at_500_kilobits(codec, encoder_of):
    encoder, decoder = encoder_of(codec, bitrate=500_000), create_video_decoder(codec)
    size = 0
    for counter in range(45):
        encoded = encoder.encode(timed_pattern(counter, 640, 360))
        size += sum(len(frame.payload) for frame in encoded)
        pictures = [picture for frame in encoded for picture in decoder.decode(frame)]
        assert [read_counter(picture) for picture in pictures] == [counter]
        assert pictures[0].pts == counter * 3000
        assert pictures[0].time_base == Fraction(1, 90_000)
    assert size * 8 / 1.5 < 800_000


@codecs
def test_pictures_come_back_as_they_were(codec, encoder_of):
    encoder, decoder = encoder_of(codec, bitrate=2_000_000), create_video_decoder(codec)
    for picture in moving_noise(15):
        decoded = [each for frame in encoder.encode(picture) for each in decoder.decode(frame)]
    assert psnr(picture, decoded[-1]) > 32


@codecs
def test_frames_tell_what_they_are(codec, encoder_of):
    encoder = encoder_of(codec)
    frames = encode_all(encoder, [timed_pattern(counter) for counter in (5, 6)])
    assert [frame.timestamp for frame in frames] == [15_000, 18_000]
    assert [frame.keyframe for frame in frames] == [True, False]
    assert {(frame.codec, frame.clock_rate, frame.width, frame.height) for frame in frames} == {
        (codec, 90_000, 320, 180)
    }


@codecs
def test_a_keyframe_comes_when_asked_for_and_else_never(codec, encoder_of):
    encoder, decoder = encoder_of(codec), create_video_decoder(codec)
    keyframes = []
    for counter in range(60):
        frames = encoder.encode(timed_pattern(counter), force_keyframe=counter in (20, 40))
        keyframes += [counter for frame in frames if frame.keyframe]
        if counter < 40:
            continue
        assert [read_counter(each) for frame in frames for each in decoder.decode(frame)] == [counter]
    assert keyframes == [0, 20, 40]


@codecs
def test_the_bitrate_is_kept(codec, encoder_of):
    encoder = encoder_of(codec, bitrate=600_000)
    frames = encode_all(encoder, moving_noise(120))
    # Newer versions of SVT-AV1 take a third less than they may for these pictures, older ones do not.
    least = 330 if codec == "AV1" else 420
    assert least < kilobits_per_second([frame for frame in frames if frame.timestamp >= 90_000], 3) < 750


@codecs
def test_the_bitrate_follows(codec, encoder_of):
    encoder = encoder_of(codec, bitrate=800_000)
    pictures = list(moving_noise(240))
    high = encode_all(encoder, pictures[:90], bitrate=800_000)
    low = encode_all(encoder, pictures[90:165], bitrate=300_000)
    again = encode_all(encoder, pictures[165:], bitrate=800_000)
    before, between, after = (
        kilobits_per_second(part[len(part) // 2 :], 1.25) for part in (high, low, again)
    )
    assert between < 0.65 * before
    assert after > 1.3 * between


@rate_without_keyframe
def test_a_change_of_bitrate_within_reach_costs_no_keyframe(codec, encoder_of):
    encoder = encoder_of(codec, bitrate=600_000)
    frames = []
    for index, picture in enumerate(moving_noise(60)):
        frames += encoder.encode(picture, bitrate=600_000 + 100_000 * (index % 7 - 3))
    assert [frame.keyframe for frame in frames].count(True) == 1


def test_an_encoder_that_must_be_reopened_is_not_for_every_small_change(encoder_of):
    encoder = encoder_of("AV1", bitrate=600_000)
    frames = []
    for index, picture in enumerate(moving_noise(60)):
        frames += encoder.encode(picture, bitrate=600_000 + 20_000 * (index % 5 - 2))
    assert [frame.keyframe for frame in frames].count(True) == 1


@codecs
def test_the_size_may_change_at_any_time(codec, encoder_of):
    encoder, decoder = encoder_of(codec), create_video_decoder(codec)
    sizes = [(320, 180), (640, 360), (160, 120)]
    for counter in range(30):
        size = sizes[counter // 10]
        frames = encoder.encode(timed_pattern(counter, *size))
        pictures = [picture for frame in frames for picture in decoder.decode(frame)]
        assert [read_counter(picture) for picture in pictures] == [counter]
        assert (pictures[0].width, pictures[0].height) == size
        assert frames[0].keyframe == (counter % 10 == 0)


@codecs
def test_scaling_down(codec, encoder_of):
    encoder, decoder = encoder_of(codec), create_video_decoder(codec)
    frames = encoder.encode(timed_pattern(77, 640, 360), scale_down_by=2.5)
    (picture,) = decoder.decode(frames[0])
    assert (picture.width, picture.height) == (256, 144) == (frames[0].width, frames[0].height)
    assert read_counter(picture) == 77
    with pytest.raises(ValueError, match="scale_down_by"):
        encoder.encode(timed_pattern(78), scale_down_by=0.5)


def test_the_frame_rate_is_limited_evenly(encoder_of):
    encoder = encoder_of("VP8")
    frames = encode_all(encoder, [timed_pattern(counter) for counter in range(60)], framerate=10)
    assert [frame.timestamp // 3000 for frame in frames] == list(range(0, 60, 3))


def test_a_keyframe_that_is_asked_for_with_a_picture_left_out_comes_with_the_next(encoder_of):
    encoder = encoder_of("VP8")
    keyframes = []
    for counter in range(30):
        frames = encoder.encode(timed_pattern(counter), framerate=10, force_keyframe=counter == 10)
        keyframes += [frame.timestamp // 3000 for frame in frames if frame.keyframe]
    assert keyframes == [0, 12]


@codecs
def test_pictures_in_other_formats_are_converted(codec, encoder_of):
    encoder, decoder = encoder_of(codec), create_video_decoder(codec)
    frames = encoder.encode(timed_pattern(9).reformat(format="rgb24"))
    assert [read_counter(each) for frame in frames for each in decoder.decode(frame)] == [9]


@codecs
def test_the_source_is_not_touched(codec, encoder_of):
    picture = timed_pattern(3)
    before = luma(picture)
    for encoder in (encoder_of(codec), encoder_of(codec)):
        encoder.encode(picture, force_keyframe=True)
        encoder.encode(timed_pattern(4))
    assert (picture.pts, picture.time_base, picture.pict_type) == (9000, Fraction(1, 90_000), 0)
    assert luma(picture) == before


@codecs
def test_a_source_that_begins_anew_goes_on(codec, encoder_of):
    encoder = encoder_of(codec)
    pictures = [timed_pattern(counter) for counter in (0, 1, 2, 0, 1, 2)]
    assert [frame.timestamp for frame in encode_all(encoder, pictures)] == [
        0,
        3000,
        6000,
        9000,
        12_000,
        15_000,
    ]


def test_every_h264_keyframe_brings_its_parameter_sets(encoder_of):
    encoder = encoder_of("H264")
    frames = encode_all(encoder, [timed_pattern(counter) for counter in range(4)], force_keyframe=True)
    for frame in frames:
        units = [unit for unit in frame.payload.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit]
        types = [unit[0] & 31 for unit in units]
        assert types[:2] == [7, 8]
        assert 5 in types
        assert units[0][1] == 66  # baseline
        assert units[0][2] & 0x40  # constrained


def test_h264_slices_fit_into_packets_when_asked_to(encoder_of):
    encoder = encoder_of("H264", max_slice_size=1000, bitrate=2_000_000)
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
def test_nothing_is_decoded_before_a_keyframe(codec, encoder_of):
    decoder = create_video_decoder(codec)
    frames = encode_all(encoder_of(codec), [timed_pattern(counter) for counter in range(3)])
    assert decoder.needs_keyframe
    assert decoder.decode(frames[1]) == []
    assert decoder.needs_keyframe
    assert decoder.decode(frames[0])
    assert not decoder.needs_keyframe
    assert decoder.decode(frames[1])


@codecs
def test_a_broken_keyframe_costs_itself_and_asks_for_another(codec, encoder_of):
    encoder, decoder = encoder_of(codec), create_video_decoder(codec)
    (first,) = encoder.encode(timed_pattern(0))
    broken = EncodedFrame(b"\xff" * 40, 0, 90_000, codec)
    with pytest.raises(CodecError):
        decoder.decode(broken)
    assert decoder.needs_keyframe
    (delta,) = encoder.encode(timed_pattern(1))
    assert decoder.decode(delta) == []
    (again,) = encoder.encode(timed_pattern(2), force_keyframe=True)
    assert [read_counter(picture) for picture in decoder.decode(again)] == [2]
    assert first.keyframe


@pytest.mark.parametrize("codec", [*CODECS, "H265"])
@given(data=st.binary(max_size=200), keyframe=st.booleans())
def test_arbitrary_bytes_raise_nothing_but_codec_errors(codec, data, keyframe):
    decoder = create_video_decoder(codec)
    try:
        assert isinstance(decoder.decode(EncodedFrame(data, 0, 90_000, codec, keyframe=keyframe)), list)
    except CodecError:
        assert decoder.needs_keyframe


@codecs
def test_damaged_frames_raise_nothing_but_codec_errors(codec, encoder_of):
    rng = random.Random(7)
    encoder, decoder = encoder_of(codec), create_video_decoder(codec)
    counters = []
    for counter in range(90):
        for frame in encoder.encode(timed_pattern(counter), force_keyframe=counter % 10 == 0):
            payload = bytearray(frame.payload)
            if counter % 3 == 2:
                for _ in range(5):
                    payload[rng.randrange(len(payload))] ^= 1 << rng.randrange(8)
                del payload[rng.randrange(len(payload)) :]
            try:
                pictures = decoder.decode(
                    EncodedFrame(bytes(payload), 0, 90_000, codec, keyframe=frame.keyframe)
                )
            except CodecError:
                continue
            counters += [read_counter(picture) for picture in pictures]
    decoder = create_video_decoder(codec)
    (whole,) = encoder.encode(timed_pattern(99), force_keyframe=True)
    assert [read_counter(picture) for picture in decoder.decode(whole)] == [99]
    assert 0 in counters


@codecs
def test_the_peer_cannot_make_pictures_too_large(codec, encoder_of):
    (frame,) = encoder_of(codec).encode(timed_pattern(0, 320, 180))
    decoder = create_video_decoder(codec, VideoDecoderOptions(max_pixels=320 * 100))
    with pytest.raises(CodecError):
        decoder.decode(frame)


def test_hardware_that_is_preferred_and_not_there_does_no_harm(encoder_of):
    encoder = encoder_of("H264", hardware="prefer")
    assert encoder.encode(timed_pattern(0))[0].keyframe
    assert encoder.implementation is not None


def test_hardware_that_is_required_and_not_there_is_told():
    with pytest.raises(CodecError, match="no hardware encoder for VP8"):
        create_video_encoder("VP8", VideoEncoderOptions(hardware="require"))


def test_options_of_ffmpeg_are_passed_on(encoder_of):
    encoder = encoder_of("H264", extra={"profile": "high"})
    (frame,) = encoder.encode(timed_pattern(0))
    assert frame.payload[frame.payload.index(b"\0\0\1") + 4] == 100


@codecs
def test_a_closed_codec_is_told(codec, encoder_of):
    encoder, decoder = encoder_of(codec), create_video_decoder(codec)
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
def test_options_are_checked(options):
    with pytest.raises(ValueError, match="must be"):
        VideoEncoderOptions(**options)
