"""Levels of decoded audio."""

from array import array

import av
import pytest

from trio_rtc import EncodedFrame
from trio_rtc.tracks.audio_levels import frame_level


def square_wave(format_name: str, layout: str, amplitude: float) -> av.AudioFrame:
    """Return a frame whose root mean square is its amplitude."""
    code, full_scale = {"s16": ("h", 32_768), "s32": ("i", 2**31), "flt": ("f", 1), "dbl": ("d", 1)}[
        format_name.removesuffix("p")
    ]
    frame = av.AudioFrame(format_name, layout, 480)
    frame.sample_rate = 48_000
    value = amplitude * full_scale
    samples = [value if index // 24 % 2 else -value for index in range(480)]
    for plane in frame.planes:
        per_plane = 1 if format_name.endswith("p") else len(frame.layout.channels)
        repeated = [each for each in samples for _ in range(per_plane)]
        plane.update(array(code, repeated if code in "fd" else map(int, repeated)).tobytes())
    return frame


@pytest.mark.parametrize("format_name", ["s16", "s16p", "s32", "s32p", "flt", "fltp", "dbl", "dblp"])
@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_the_level_is_the_root_mean_square(format_name: str, layout: str) -> None:
    for amplitude in (0.0, 0.25, 0.5):
        assert frame_level(square_wave(format_name, layout, amplitude)) == pytest.approx(amplitude)


def test_both_channels_of_stereo_count() -> None:
    frame = av.AudioFrame("s16", "stereo", 700)
    frame.planes[0].update(array("h", [0, 16_384] * 700).tobytes())
    assert frame_level(frame) == pytest.approx(0.5**1.5, rel=0.01)


def test_other_frames_have_no_level() -> None:
    assert frame_level(av.AudioFrame("u8", "mono", 480)) is None
    assert frame_level(EncodedFrame(b"x", 0, 48_000, "opus")) is None
    assert frame_level(object()) is None
