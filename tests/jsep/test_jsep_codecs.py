"""Codecs of a section: equality, their form in an answer, and their parameters."""

import pytest

from trio_rtc.jsep import Codec, format_parameters, is_same_codec, parse_parameters
from trio_rtc.jsep.codecs import answered_codec


def h264(parameters: str) -> Codec:
    return Codec("H264", 90000, parameters=parse_parameters(parameters))


SAME = [
    (Codec("opus", 48000, 2), Codec("OPUS", 48000, 2, {"stereo": "1"})),
    (Codec("VP8", 90000), Codec("vp8", 90000, parameters={"max-fs": "12288"})),
    (Codec("VP9", 90000), Codec("VP9", 90000, parameters={"profile-id": "0"})),
    (Codec("AV1", 90000), Codec("AV1", 90000, parameters={"profile": "0", "level-idx": "9", "tier": "1"})),
    (Codec("H265", 90000), Codec("H265", 90000, parameters={"profile-id": "1", "level-id": "180"})),
    (h264("profile-level-id=42e01f"), h264("")),
    (h264("profile-level-id=42e01f"), h264("packetization-mode=0;profile-level-id=42C034")),
    # Three forms of constrained baseline, RFC 6184 section 8.1.
    (h264("profile-level-id=42e01f"), h264("profile-level-id=4d801f")),
    (h264("profile-level-id=42e01f"), h264("profile-level-id=58c01f")),
    (h264("profile-level-id=42001f"), h264("profile-level-id=58801f")),
    (h264("profile-level-id=640c1f"), h264("profile-level-id=640c34")),
]
DIFFERENT = [
    (Codec("opus", 48000, 2), Codec("opus", 48000)),
    (Codec("telephone-event", 8000), Codec("telephone-event", 48000)),
    (Codec("PCMU", 8000), Codec("PCMA", 8000)),
    (Codec("VP9", 90000), Codec("VP9", 90000, parameters={"profile-id": "2"})),
    (Codec("AV1", 90000), Codec("AV1", 90000, parameters={"profile": "1"})),
    (Codec("H265", 90000), Codec("H265", 90000, parameters={"profile-id": "2"})),
    (Codec("H265", 90000), Codec("H265", 90000, parameters={"tier-flag": "1"})),
    (Codec("H265", 90000), Codec("H265", 90000, parameters={"tx-mode": "MRST"})),
    (h264("profile-level-id=42e01f"), h264("profile-level-id=42001f")),
    (h264("profile-level-id=42e01f"), h264("profile-level-id=42e01f;packetization-mode=1")),
    (h264("profile-level-id=4d001f"), h264("profile-level-id=64001f")),
    (h264("profile-level-id=64001f"), h264("profile-level-id=640c1f")),
    (h264("profile-level-id=58001f"), h264("profile-level-id=42001f")),
    (h264("profile-level-id=f4001f"), h264("profile-level-id=7a001f")),
    (h264("profile-level-id=42e01f"), h264("profile-level-id=nonsense")),
    (h264("profile-level-id=nonsense"), h264("profile-level-id=nonsense")),
    (h264("profile-level-id=42e01f"), h264("profile-level-id=42e0")),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal_codecs(one: Codec, other: Codec) -> None:
    assert is_same_codec(one, other)
    assert is_same_codec(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_codecs(one: Codec, other: Codec) -> None:
    assert not is_same_codec(one, other)
    assert not is_same_codec(other, one)


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
    ours = Codec("H265", 90000, parameters={"level-id": "93"})
    theirs = Codec("H265", 90000, parameters={"level-id": offered})
    assert answered_codec(ours, theirs).parameters == {"level-id": answered}


def test_feedback_is_the_intersection() -> None:
    ours = Codec("VP8", 90000, rtcp_feedback=("nack", "nack pli", "goog-remb"))
    theirs = Codec("VP8", 90000, rtcp_feedback=("ccm fir", "goog-remb", "nack"))
    assert answered_codec(ours, theirs).rtcp_feedback == ("goog-remb", "nack")


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("minptime=10;useinbandfec=1", {"minptime": "10", "useinbandfec": "1"}),
        (" Minptime = 10 ; stereo=1;;flag", {"minptime": "10", "stereo": "1", "flag": ""}),
        ("apt=96;apt=97", {"apt": "96"}),
        ("0-15", {"": "0-15"}),
        ("111/111", {"": "111/111"}),
        ("", {}),
        (" ", {}),
        ("sprop=a=b", {"sprop": "a=b"}),
    ],
)
def test_parameters_are_parsed(text: str, parameters: dict[str, str]) -> None:
    assert parse_parameters(text) == parameters


@pytest.mark.parametrize("text", ["minptime=10;useinbandfec=1", "0-15", "111/111", "apt=96"])
def test_parameters_are_serialized_unchanged(text: str) -> None:
    assert format_parameters(parse_parameters(text)) == text


def test_a_codec_copies_its_arguments() -> None:
    parameters = {"stereo": "1"}
    codec = Codec("opus", 48000, 2, parameters)
    parameters["stereo"] = "0"
    assert codec.parameters == {"stereo": "1"}
    assert hash(codec) == hash(Codec("opus", 48000, 2))


def test_formats_that_are_not_media() -> None:
    names = ("rtx", "red", "ulpfec", "flexfec-03", "telephone-event", "CN")
    assert not any(Codec(name, 90000).is_media for name in names)
    assert Codec("VP8", 90000).is_media
