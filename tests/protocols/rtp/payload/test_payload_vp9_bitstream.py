"""Superframes and frame headers of VP9."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp.payload.vp9_bitstream import join_superframe, read_frame_size, split_superframe

# Frame marker 2, profile 0, a shown keyframe, sync code, color space 1, studio range, 320 x 180.
KEYFRAME = bytes.fromhex("82 498342 2013f0 0b30 99")
INTERFRAME = bytes.fromhex("86 00 40 92 99")


@given(st.lists(st.binary(min_size=1, max_size=400), min_size=2, max_size=8))
def test_superframes_round_trip(frames: list[bytes]) -> None:
    assert split_superframe(join_superframe(frames)) == frames


@pytest.mark.parametrize("data", ["", "c1", "01c1", "99 c1 01 01 c1", "9999 c1 0200 c1", "99 c0 00 c0"])
def test_frames_that_resemble_a_superframe(data: str) -> None:
    assert split_superframe(bytes.fromhex(data)) == [bytes.fromhex(data)]


@pytest.mark.parametrize(
    ("frame", "size"),
    [
        (KEYFRAME, (320, 180)),
        (INTERFRAME, None),
        (KEYFRAME[:6], None),
        (b"", None),
        (b"\x42" + KEYFRAME[1:], None),
        (b"\x82\x49\x83\x43" + KEYFRAME[4:], None),
        (b"\x88", None),
    ],
)
def test_sizes_of_frames(frame: bytes, size: tuple[int, int] | None) -> None:
    assert read_frame_size(frame) == size
