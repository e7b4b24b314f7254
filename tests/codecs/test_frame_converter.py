"""Conversion of video frames to an encoder's size and pixel format."""

from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.video_frames import luma, timed_pattern
from trio_rtc.codecs.frame_converter import FrameConverter, scaled_size
from trio_rtc.media import read_counter


@pytest.mark.parametrize(
    ("size", "divisor", "expected"),
    [
        ((1280, 720), 1.0, (1280, 720)),
        ((1280, 720), 2.0, (640, 360)),
        ((1280, 720), 3.0, (426, 240)),
        ((641, 361), 1.0, (640, 360)),
        ((640, 360), 1e6, (16, 16)),
        ((1, 2000), 1.0, (16, 2000)),
    ],
)
def test_sizes_are_even_and_not_below_the_minimum(size, divisor, expected):
    assert scaled_size(*size, divisor) == expected


@given(st.integers(1, 8000), st.integers(1, 8000), st.floats(1.0, 1e6))
def test_no_size_is_enlarged_beyond_the_minimum(width, height, divisor):
    for scaled, size in zip(scaled_size(width, height, divisor), (width, height), strict=True):
        assert scaled % 2 == 0
        assert 16 <= scaled <= max(16, size / divisor)


def test_frame_of_the_right_size_is_another_reference_to_the_same_pixels():
    frame = timed_pattern(7)
    converted = FrameConverter().convert(frame, 320, 180, "yuv420p")
    assert converted is not frame
    assert [plane.buffer_ptr for plane in converted.planes] == [plane.buffer_ptr for plane in frame.planes]
    converted.pts, converted.time_base = 5, Fraction(1, 1000)
    assert (frame.pts, frame.time_base) == (21_000, Fraction(1, 90_000))


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12"])
@pytest.mark.parametrize("size", [(320, 180), (256, 144)])
def test_frames_are_converted_and_the_source_is_not_modified(size, pixel_format):
    frame = timed_pattern(9)
    before = luma(frame)
    converted = FrameConverter().convert(frame, *size, pixel_format)
    assert (converted.width, converted.height, converted.format.name) == (*size, pixel_format)
    assert read_counter(converted) == 9
    assert luma(frame) == before
    assert (frame.width, frame.height) == (320, 180)


def test_one_converter_follows_changes_of_the_source():
    converter = FrameConverter()
    for counter, size in enumerate([(320, 180), (640, 360), (320, 180), (320, 180)]):
        converted = converter.convert(timed_pattern(counter, *size), *size, "yuv420p")
        assert (converted.width, converted.height) == size
        assert read_counter(converted) == counter
    colored = av.VideoFrame(320, 180, "rgb24")
    assert converter.convert(colored, 320, 180, "rgb24").format.name == "rgb24"
