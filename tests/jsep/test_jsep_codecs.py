"""Codecs in offers and answers: the parameters of an answer."""

import pytest

from trio_rtc.jsep.codecs import answered_codec
from trio_rtc.protocols.rtp.codec import Codec, format_parameters, parse_parameters


def h264(parameters: str) -> Codec:
    return Codec(96, "H264", 90000, parameters=parse_parameters(parameters))


@pytest.mark.parametrize(
    ("ours", "offered", "answered"),
    [
        ("profile-level-id=42e01f", "profile-level-id=42e034", "profile-level-id=42e01f"),
        ("profile-level-id=42e01f", "profile-level-id=42e00d", "profile-level-id=42e00d"),
        # Level 1b, encoded as 1.1 with a flag, is between 1 and 1.1.
        ("profile-level-id=42e00b", "profile-level-id=42f00b", "profile-level-id=42f00b"),
        ("profile-level-id=42f00b", "profile-level-id=42e00b", "profile-level-id=42f00b"),
        (
            "level-asymmetry-allowed=1;profile-level-id=42e01f",
            "level-asymmetry-allowed=1;profile-level-id=42e00d",
            "level-asymmetry-allowed=1;profile-level-id=42e01f",
        ),
        (
            "level-asymmetry-allowed=1;profile-level-id=42e01f",
            "profile-level-id=42e00d",
            "profile-level-id=42e00d",
        ),
    ],
)
def test_level_of_h264_is_lowered_unless_levels_may_differ(ours: str, offered: str, answered: str) -> None:
    assert format_parameters(answered_codec(h264(ours), h264(offered)).parameters) == answered


@pytest.mark.parametrize(("offered", "answered"), [("60", "60"), ("180", "93"), ("many", "93")])
def test_level_of_h265_is_lowered(offered: str, answered: str) -> None:
    ours = Codec(96, "H265", 90000, parameters={"level-id": "93"})
    theirs = Codec(96, "H265", 90000, parameters={"level-id": offered})
    assert answered_codec(ours, theirs).parameters == {"level-id": answered}


def test_feedback_is_the_intersection() -> None:
    ours = Codec(96, "VP8", 90000, feedback=("nack", "nack pli", "goog-remb"))
    theirs = Codec(96, "VP8", 90000, feedback=("ccm fir", "goog-remb", "nack"))
    assert answered_codec(ours, theirs).feedback == ("goog-remb", "nack")
