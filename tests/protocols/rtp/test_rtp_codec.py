"""Codecs: which are the same (RFC 3264 section 6.1 and each payload format), and their parameters."""

import pytest

from trio_rtc.protocols.rtp.codec import Codec, format_parameters, is_same_codec, parse_parameters


def h264(parameters: str) -> Codec:
    return Codec(96, "H264", 90000, parameters=parse_parameters(parameters))


SAME = [
    (Codec(96, "opus", 48000, 2), Codec(96, "OPUS", 48000, 2, {"stereo": "1"})),
    (Codec(96, "VP8", 90000), Codec(96, "vp8", 90000, parameters={"max-fs": "12288"})),
    (Codec(96, "VP9", 90000), Codec(96, "VP9", 90000, parameters={"profile-id": "0"})),
    (
        Codec(96, "AV1", 90000),
        Codec(96, "AV1", 90000, parameters={"profile": "0", "level-idx": "9", "tier": "1"}),
    ),
    (
        Codec(96, "H265", 90000),
        Codec(96, "H265", 90000, parameters={"profile-id": "1", "level-id": "180"}),
    ),
    (h264("profile-level-id=42e01f"), h264("")),
    (h264("profile-level-id=42e01f"), h264("packetization-mode=0;profile-level-id=42C034")),
    # Three forms of constrained baseline, RFC 6184 section 8.1.
    (h264("profile-level-id=42e01f"), h264("profile-level-id=4d801f")),
    (h264("profile-level-id=42e01f"), h264("profile-level-id=58c01f")),
    (h264("profile-level-id=42001f"), h264("profile-level-id=58801f")),
    (h264("profile-level-id=640c1f"), h264("profile-level-id=640c34")),
]
DIFFERENT = [
    (Codec(96, "opus", 48000, 2), Codec(96, "opus", 48000)),
    (Codec(96, "telephone-event", 8000), Codec(96, "telephone-event", 48000)),
    (Codec(96, "PCMU", 8000), Codec(96, "PCMA", 8000)),
    (Codec(96, "VP9", 90000), Codec(96, "VP9", 90000, parameters={"profile-id": "2"})),
    (Codec(96, "AV1", 90000), Codec(96, "AV1", 90000, parameters={"profile": "1"})),
    (Codec(96, "H265", 90000), Codec(96, "H265", 90000, parameters={"profile-id": "2"})),
    (Codec(96, "H265", 90000), Codec(96, "H265", 90000, parameters={"tier-flag": "1"})),
    (Codec(96, "H265", 90000), Codec(96, "H265", 90000, parameters={"tx-mode": "MRST"})),
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
    codec = Codec(96, "opus", 48000, 2, parameters)
    parameters["stereo"] = "0"
    assert codec.parameters == {"stereo": "1"}
    assert hash(codec) == hash(Codec(96, "opus", 48000, 2))


def test_formats_that_are_not_media() -> None:
    names = ("rtx", "red", "ulpfec", "flexfec-03", "telephone-event", "CN")
    assert not any(Codec(96, name, 90000).is_media for name in names)
    assert Codec(96, "VP8", 90000).is_media
