"""The quantizer in a received frame's header, compared with the encoder's setting."""

import contextlib

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.video_frames import moving_noise
from trio_rtc.codecs import create_video_encoder
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload import QuantizerReader, quantizer_reader
from trio_rtc.protocols.rtp.payload.vp9_bitstream import join_superframe

# From the scale of libvpx's settings, 0 to 63, to that of the bitstream (quantizer tables of libvpx).
VP8_INDEX = {4: 4, 20: 25, 40: 59, 63: 127}
VP9_INDEX = {4: 16, 20: 80, 40: 160, 63: 255}
# x264 uses the bitstream's scale.
H264_INDEX = {number: number for number in (10, 26, 44)}
ENCODERS = {"VP8": ("libvpx", VP8_INDEX), "VP9": ("libvpx-vp9", VP9_INDEX), "H264": ("libx264", H264_INDEX)}
MOST = {"VP8": 127, "VP9": 255, "H264": 51}
LIBVPX = ["VP8", "VP9"]


def reader_of(codec: str) -> QuantizerReader:
    reader = quantizer_reader(codec)
    assert reader is not None
    return reader


def frame_quantizer(codec: str, frame: bytes) -> int | None:
    """Return the quantizer of a frame without earlier frames, ``None`` if the frame is malformed."""
    try:
        return reader_of(codec)(frame)
    except ProtocolError:
        return None


def quantizers(codec: str, frames: list[bytes]) -> list[int | None]:
    read = reader_of(codec)
    return [read(frame) for frame in frames]


def encode(codec: str, quantizer: int, **options: str) -> list[bytes]:
    """Return thirty frames with one quantizer."""
    context = av.CodecContext.create(ENCODERS[codec][0], "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 320, 180, "yuv420p"
    context.framerate = 30
    context.options = (
        {
            "qp": str(quantizer),
            "preset": "medium",
            "x264-params": "ipratio=1:pbratio=1:annexb=1",
            **options,
        }
        if codec == "H264"
        else {
            "qmin": str(quantizer),
            "qmax": str(quantizer),
            "deadline": "realtime",
            "cpu-used": "8",
            "lag-in-frames": "0",
            "auto-alt-ref": "0",
            **options,
        }
    )
    context.bit_rate = 500_000
    packets = [packet for image in moving_noise(30) for packet in context.encode(image)]
    packets += context.encode(None)
    return [bytes(packet) for packet in packets]


@pytest.mark.parametrize(
    ("codec", "given_quantizer", "written"),
    [(codec, *pair) for codec, (_, indexes) in ENCODERS.items() for pair in indexes.items()],
)
def test_quantizer_equals_the_setting_of_the_encoder(codec: str, given_quantizer: int, written: int) -> None:
    frames = encode(codec, given_quantizer)
    assert len(frames) == 30
    assert set(quantizers(codec, frames)) == {written}
    assert set(quantizers(codec.lower(), frames)) == {written}


@pytest.mark.parametrize("codec", LIBVPX)
def test_headers_of_error_resilient_frames_are_parsed(codec: str) -> None:
    frames = encode(codec, 20, **{"error-resilient": "default"})
    assert {frame_quantizer(codec, frame) for frame in frames} == {ENCODERS[codec][1][20]}


@pytest.mark.parametrize("codec", LIBVPX)
@pytest.mark.parametrize("bitrate", [100_000, 400_000, 1_500_000])
def test_quantizer_equals_the_report_of_the_encoder(codec: str, bitrate: int) -> None:
    encoder = create_video_encoder(codec)
    frames = [frame for image in moving_noise(40) for frame in encoder.encode(image, bitrate=bitrate)]
    encoder.close()
    for frame in frames:
        read = frame_quantizer(codec, frame.payload)
        assert read is not None
        assert frame.quantizer is not None
        # libvpx reports it on a scale of 64 steps, rounded up.
        assert -8 <= read - frame.quantizer <= 2, (read, frame.quantizer)


def test_first_frame_of_a_superframe_counts() -> None:
    first, second = encode("VP9", 20)[:2]
    assert frame_quantizer("VP9", join_superframe([first, second])) == VP9_INDEX[20]


def test_vp9_show_existing_frame_has_no_quantizer() -> None:
    # frame_marker 2, profile 0, show_existing_frame, and its index.
    assert frame_quantizer("VP9", bytes([0b10_00_1_000])) is None


@pytest.mark.parametrize("codec", ["H265", "AV1", "opus"])
def test_other_codecs_are_not_supported(codec: str) -> None:
    assert quantizer_reader(codec) is None


@given(codec=st.sampled_from(sorted(ENCODERS)), data=st.binary(max_size=80))
def test_arbitrary_bytes_give_a_quantizer_in_range_or_none(codec: str, data: bytes) -> None:
    quantizer = frame_quantizer(codec, data)
    assert quantizer is None or 0 <= quantizer <= MOST[codec]


@pytest.mark.parametrize("codec", LIBVPX)
def test_truncated_headers_have_no_quantizer(codec: str) -> None:
    for frame in encode(codec, 20)[:2]:
        read = [frame_quantizer(codec, frame[:size]) for size in range(len(frame))]
        assert read[:8] == [None] * 8
        assert set(read) <= {None, ENCODERS[codec][1][20]}


@pytest.mark.parametrize(
    "options",
    [
        {"profile": "baseline"},
        {"profile": "main", "bf": "2", "refs": "4"},
        {"profile": "high", "bf": "3", "refs": "5", "x264-params": "ipratio=1:pbratio=1:weightp=2:weightb=1"},
        {"profile": "high", "x264-params": "ipratio=1:pbratio=1:slices=4:cabac=0"},
    ],
    ids=["baseline", "main", "weights", "slices"],
)
def test_all_slice_headers_are_parsed(options: dict[str, str]) -> None:
    frames = encode("H264", 30, **options)
    assert quantizers("H264", frames) == [30] * len(frames)


def test_h264_without_parameter_sets_has_no_quantizer() -> None:
    frames = encode("H264", 26)
    assert quantizers("H264", frames[1:]) == [None] * (len(frames) - 1)


H264_SAMPLE = encode("H264", 26)[:3]


@given(data=st.binary(max_size=60), position=st.integers(0, 40))
def test_mutated_h264_gives_a_quantizer_in_range_or_none(data: bytes, position: int) -> None:
    read = reader_of("H264")
    for frame in H264_SAMPLE:
        with contextlib.suppress(ProtocolError):
            quantizer = read(frame[: 4 + position] + data + frame[4 + position + len(data) :])
            assert quantizer is None or 0 <= quantizer <= 51
