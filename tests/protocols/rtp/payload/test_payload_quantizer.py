"""The quantizer in the header of a received frame, against libvpx that was given one."""

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.pictures import moving_noise
from trio_rtc.codecs import create_video_encoder
from trio_rtc.protocols.rtp.payload import frame_quantizer
from trio_rtc.protocols.rtp.payload.vp9_bitstream import join_superframe

# From the scale of libvpx's settings, 0 to 63, to that of the bitstream (quantizer tables of libvpx).
VP8_INDEX = {4: 4, 20: 25, 40: 59, 63: 127}
VP9_INDEX = {4: 16, 20: 80, 40: 160, 63: 255}
ENCODERS = {"VP8": ("libvpx", VP8_INDEX), "VP9": ("libvpx-vp9", VP9_INDEX)}


def encode(codec: str, quantizer: int, **options: str) -> list[bytes]:
    """Return thirty frames of one quantizer."""
    context = av.CodecContext.create(ENCODERS[codec][0], "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 320, 180, "yuv420p"
    context.framerate = 30
    context.options = {
        "qmin": str(quantizer),
        "qmax": str(quantizer),
        "deadline": "realtime",
        "cpu-used": "8",
        "lag-in-frames": "0",
        "auto-alt-ref": "0",
        **options,
    }
    context.bit_rate = 500_000
    packets = [packet for picture in moving_noise(30) for packet in context.encode(picture)]
    return [bytes(packet) for packet in packets]


@pytest.mark.parametrize(
    ("codec", "given_quantizer", "written"),
    [(codec, *pair) for codec, (_, indexes) in ENCODERS.items() for pair in indexes.items()],
)
def test_the_quantizer_that_the_encoder_was_given_is_read(
    codec: str, given_quantizer: int, written: int
) -> None:
    frames = encode(codec, given_quantizer)
    assert len(frames) == 30
    assert {frame_quantizer(codec, frame) for frame in frames} == {written}
    assert {frame_quantizer(codec.lower(), frame) for frame in frames} == {written}


@pytest.mark.parametrize("codec", sorted(ENCODERS))
def test_headers_of_error_resilient_frames_are_read(codec: str) -> None:
    frames = encode(codec, 20, **{"error-resilient": "default"})
    assert {frame_quantizer(codec, frame) for frame in frames} == {ENCODERS[codec][1][20]}


@pytest.mark.parametrize("codec", sorted(ENCODERS))
@pytest.mark.parametrize("bitrate", [100_000, 400_000, 1_500_000])
def test_what_is_read_is_what_our_encoder_tells(codec: str, bitrate: int) -> None:
    encoder = create_video_encoder(codec)
    frames = [frame for picture in moving_noise(40) for frame in encoder.encode(picture, bitrate=bitrate)]
    encoder.close()
    for frame in frames:
        read = frame_quantizer(codec, frame.payload)
        assert read is not None
        assert frame.quantizer is not None
        # libvpx tells it on a scale of 64 steps, and rounds up.
        assert -8 <= read - frame.quantizer <= 2, (read, frame.quantizer)


def test_of_a_superframe_the_first_frame_counts() -> None:
    first, second = encode("VP9", 20)[:2]
    assert frame_quantizer("VP9", join_superframe([first, second])) == VP9_INDEX[20]


def test_a_vp9_frame_that_shows_another_again_has_no_quantizer() -> None:
    # frame_marker 2, profile 0, show_existing_frame, and which.
    assert frame_quantizer("VP9", bytes([0b10_00_1_000])) is None


@pytest.mark.parametrize("codec", ["H264", "H265", "AV1", "opus"])
def test_other_codecs_are_not_read(codec: str) -> None:
    assert frame_quantizer(codec, bytes(100)) is None


@given(codec=st.sampled_from(["VP8", "VP9"]), data=st.binary(max_size=80))
def test_arbitrary_bytes_give_a_quantizer_in_range_or_none(codec: str, data: bytes) -> None:
    quantizer = frame_quantizer(codec, data)
    assert quantizer is None or 0 <= quantizer <= (127 if codec == "VP8" else 255)


@pytest.mark.parametrize("codec", sorted(ENCODERS))
def test_frames_that_are_cut_in_their_header_have_none(codec: str) -> None:
    for frame in encode(codec, 20)[:2]:
        read = [frame_quantizer(codec, frame[:size]) for size in range(len(frame))]
        assert read[:8] == [None] * 8
        assert set(read) <= {None, ENCODERS[codec][1][20]}
