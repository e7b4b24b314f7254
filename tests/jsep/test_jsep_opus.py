"""Parameters of received Opus in offers and answers."""

import re
from typing import Any

import attrs
import pytest

from tests.strategies.transceivers import MediaSide, exchange, media_session
from trio_rtc.jsep import DEFAULT_CAPABILITIES, MediaPlan, OpusParameters
from trio_rtc.protocols.rtp.codec import parse_parameters
from trio_rtc.protocols.sdp import parse, rtp_attributes


def side_with_opus(generation: str, parameters: OpusParameters) -> MediaSide:
    side = MediaSide(generation)
    opus = attrs.evolve(DEFAULT_CAPABILITIES.audio.codecs[0], parameters=parameters.to_format_parameters())
    side.add(
        "audio",
        codecs=(opus, *DEFAULT_CAPABILITIES.audio.codecs[1:]),
        ptime=parameters.ptime,
        added_by_track=True,
    )
    return side


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        (OpusParameters(), "minptime=10;useinbandfec=1"),
        (OpusParameters(stereo=True), "minptime=10;useinbandfec=1;stereo=1"),
        (
            OpusParameters(
                stereo=True,
                max_average_bitrate=128_000,
                use_dtx=True,
                use_inband_fec=False,
                cbr=True,
                max_playback_rate=16_000,
                min_ptime=20,
            ),
            "minptime=20;stereo=1;usedtx=1;cbr=1;maxaveragebitrate=128000;maxplaybackrate=16000",
        ),
    ],
)
def test_each_side_states_its_parameters(parameters: OpusParameters, line: str) -> None:
    parameters = attrs.evolve(parameters, ptime=40)
    one, other = media_session(1), media_session(2)
    outcome = exchange(
        one, side_with_opus("off1", parameters), other, side_with_opus("ans1", OpusParameters())
    )
    assert one.current_local is not None
    assert other.current_local is not None
    offer, answer = one.current_local.sdp, other.current_local.sdp
    assert re.findall(r"a=fmtp:111 (.*)\r", offer) == [line]
    assert re.findall(r"a=fmtp:111 (.*)\r", answer) == ["minptime=10;useinbandfec=1"]
    assert "a=ptime:40\r\n" in offer
    assert "a=ptime" not in answer
    # The sent stream follows the receiver's parameters.
    sent, received = outcome.local_answer.media[0], outcome.remote_answer.media[0]
    assert sent.send_codecs[0].parameters == parse_parameters(line)
    assert (sent.ptime, sent.maxptime) == (40, None)
    assert received.receive_codecs[0].parameters == parse_parameters(line)
    assert received.send_codecs[0].parameters == {"minptime": "10", "useinbandfec": "1"}


def test_changed_parameters_keep_the_payload_type() -> None:
    one, other = media_session(1), media_session(2)
    offering, answering = side_with_opus("off1", OpusParameters()), side_with_opus("ans1", OpusParameters())
    exchange(one, offering, other, answering)
    wanting = side_with_opus("off1", OpusParameters(stereo=True, ptime=20)).transceivers[0]
    offering.change(0, codecs=wanting.codecs, ptime=wanting.ptime)
    plan: MediaPlan = exchange(one, offering, other, answering).local_answer.media[0]
    assert (plan.send_codecs[0].payload_type, plan.ptime) == (111, 20)
    assert plan.send_codecs[0].parameters["stereo"] == "1"


def test_sections_with_different_parameters_have_separate_payload_types() -> None:
    """Within a bundle, payload types are unambiguous (RFC 9143 section 9.1)."""
    side = side_with_opus("off1", OpusParameters(stereo=True))
    side.add("audio")
    offer = media_session().create_offer(side.media())
    lines = re.findall(r"a=fmtp:(\d+) (minptime.*)\r", offer)
    assert [parameters for _, parameters in lines] == [
        "minptime=10;useinbandfec=1;stereo=1",
        "minptime=10;useinbandfec=1",
    ]
    assert len({payload_type for payload_type, _ in lines}) == 2


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("a=ptime:20\r\na=maxptime:60\r\n", (20, 60)),
        ("a=ptime: 2.5 \r\n", (2.5, None)),
        ("a=ptime:0\r\na=maxptime:many\r\n", (None, None)),
        ("a=ptime\r\na=ptime:1e3\r\na=ptime:10\r\n", (10, None)),
    ],
)
def test_durations_of_packets(lines: str, expected: tuple[float | None, float | None]) -> None:
    head = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
    attributes = rtp_attributes(parse(head + lines), 0)
    assert (attributes.ptime, attributes.maxptime) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"stereo": 1},
        {"stereo": "1"},
        {"use_dtx": None},
        {"max_average_bitrate": 5_999},
        {"max_average_bitrate": 510_001},
        {"max_playback_rate": 44_100},
        {"ptime": 30},
        {"ptime": 0.02},
        {"min_ptime": 0},
    ],
)
def test_invalid_parameters(wrong: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        OpusParameters(**wrong)
