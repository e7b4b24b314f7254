"""Descriptions of real agents that violate the grammar are accepted, and required lines are parsed."""

import pathlib
import random
import re
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.jsep_sessions import visible
from tests.strategies.transceivers import MediaSide, media_session
from trio_rtc.enums import RTCRtpTransceiverDirection as Direction
from trio_rtc.errors import RTCError
from trio_rtc.jsep import DEFAULT_CAPABILITIES, ApplyResult, JsepSession
from trio_rtc.protocols.rtp.codec import parse_parameters
from trio_rtc.protocols.sdp import (
    Fingerprint,
    Fmtp,
    SessionDescription,
    TransportAttributes,
    application_attributes,
    groups,
    media_mid,
    parse,
    rtp_attributes,
    transport_attributes,
)

DATA = pathlib.Path(__file__).parents[1] / "data" / "sdp_field"
FIELD = {path.stem: path.read_bytes().decode() for path in sorted(DATA.glob("*.sdp"))}
DIGEST = "0B:30:55:7A:9F:C4:E9:0E:33:58:7D:A2:C7:EC:11:36:5B:80:A5:CA:EF:14:39:5E:83:A8:CD:F2:17:3C:61:86"
# Beginnings of ignored lines. All other lines of these descriptions are parsed.
IGNORED = {
    "q_fingerprint_truncated_second": ["a=fingerprint:sha-1"],
    "q_foreign_line_in_section": ["a=rtpmap:96"],
    "q_mid_empty": ["a=mid:"],
    "q_rid_odd": ["a=rid:a"],
    "q_rtcp_empty": ["a=rtcp:"],
    "q_simulcast_old_ff": ["a=simulcast:"],
    "q_unknown_line_type": ["x=private"],
    "gstreamer_h264_clockrate_minus1": ["a=rtpmap:96"],
}
PLAIN = [name for name in FIELD if name.startswith("q_")]


def answer_to(text: str) -> tuple[JsepSession, ApplyResult, str]:
    """Apply an offer and answer it with a transceiver for each of its sections."""
    session, side = media_session(), MediaSide("ans1", data_channels=True, transports=2)
    applied = session.apply_remote("offer", text)
    side.update_transceivers(applied)
    answer = session.create_answer(side.media())
    return session, session.apply_local("answer"), answer


def numbers_of(text: str, beginnings: list[str]) -> list[int]:
    lines = text.splitlines()
    return [number for number, line in enumerate(lines, 1) if line.startswith(tuple(beginnings))]


@pytest.mark.parametrize("name", [name for name in FIELD if "answer" not in name])
def test_offers_are_accepted_and_kept_unchanged(name: str) -> None:
    session, _, _ = answer_to(FIELD[name])
    remote = session.current_remote
    assert remote is not None
    assert remote.sdp == FIELD[name]
    assert [each.number for each in remote.parsed.ignored] == numbers_of(
        FIELD[name], IGNORED.get(name, ["-"])
    )
    assert session.ignored_lines == len(remote.parsed.ignored)


@pytest.mark.parametrize("name", PLAIN)
def test_required_lines_are_parsed(name: str) -> None:
    _, applied, answer = answer_to(FIELD[name])
    assert applied.transport is not None
    ufrag = "Xk3d"
    assert (applied.transport.remote_ufrag, applied.transport.remote_pwd) == (
        ufrag,
        "k9Qw3mZr7LxP2vTn5BsY8cHd",
    )
    digest = DIGEST[: 28 * 3 - 1] if "sha224" in name else DIGEST
    algorithm = "sha-224" if "sha224" in name else "sha-256"
    assert applied.transport.remote_fingerprints == ((algorithm, digest),)
    assert applied.transport.dtls_role == "client"
    (audio,) = applied.media
    assert audio.direction is Direction.RECVONLY
    assert [each.name for each in audio.receive_codecs] == ["opus", "PCMU"]
    assert not audio.receive_layers
    assert ("a=mid:" in answer) is (name != "q_mid_empty")
    assert ("a=group:BUNDLE 0\r\n" in answer) is (name != "q_mid_empty")


def test_optional_values_after_unusual_white_space_are_used() -> None:
    audio = answer_to(FIELD["q_extmap_two_spaces"])[1].media[0]
    assert [each.uri for each in audio.header_extensions] == ["urn:ietf:params:rtp-hdrext:sdes:mid"]
    parsed = parse(FIELD["q_tls_id_leading_space"])
    assert transport_attributes(parsed, 0).tls_id == "abc3de65cddef001be82"


def test_answer_of_pion_with_a_blank_after_its_payload_type() -> None:
    session, side = media_session(), MediaSide("off1")
    side.add("video", Direction.RECVONLY)
    side.add("audio", Direction.RECVONLY)
    session.create_offer(side.media())
    side.update_transceivers(session.apply_local("offer"))
    text = FIELD["mediamtx_whep_answer_pion"]
    video, audio = session.apply_remote("answer", text).media
    assert [each.name for each in video.receive_codecs] == ["VP8"]
    assert [each.name for each in audio.receive_codecs] == ["opus"]
    assert rtp_attributes(parse(text), 0).fmtps == (Fmtp("96", ""),)
    assert session.current_remote is not None
    assert session.current_remote.sdp == text


def test_a_candidate_is_added_without_rewriting_the_rest() -> None:
    text = FIELD["q_rtcpfb_trailing_space"]
    session, _, _ = answer_to(text)
    line = "candidate:1 1 udp 1 192.0.2.1 1 typ host"
    session.add_remote_candidate("0", None, None, line)
    session.add_remote_candidate(None, None, None, None)
    assert session.current_remote is not None
    assert session.current_remote.sdp == f"{text}a={line}\r\na=end-of-candidates\r\n"


def test_a_format_without_a_clock_rate_is_ignored() -> None:
    text = FIELD["gstreamer_h264_clockrate_minus1"]
    _, applied, answer = answer_to(text)
    assert applied.transport is None
    assert applied.media[0].rejected
    assert "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n" in answer
    beside = text.replace("SAVPF 96", "SAVPF 96 97") + "a=rtpmap:97 VP8/90000\r\n"
    _, applied, _ = answer_to(beside)
    assert [each.name for each in applied.media[0].receive_codecs] == ["VP8"]


def test_without_bundle_each_section_has_a_transport_of_its_own() -> None:
    _, applied, answer = answer_to(FIELD["freeswitch_offer_nobundle_av"])
    audio, video = applied.media
    assert [(each.number, each.mids, each.remote_ufrag) for each in applied.transports] == [
        (0, ("0",), "1nB0hCbF"),
        (1, ("1",), "pQ8zYt5x"),
    ]
    assert [each.remote_candidates for each in applied.transports] == [
        ("candidate:5312846203 1 udp 2130706431 192.0.2.138 27042 typ host generation 0",),
        ("candidate:5312846204 1 udp 2130706431 192.0.2.138 27098 typ host generation 0",),
    ]
    assert (audio.rejected, video.rejected) == (False, False)
    assert audio.receive_codecs[0].parameters["useinbandfec"] == "1"
    assert [each.name for each in video.receive_codecs] == ["VP8"]
    assert re.findall(r"m=(\w+) (\d+)", answer) == [("audio", "9"), ("video", "9")]
    assert re.findall(r"a=ice-ufrag:(.*)\r", answer) == ["ans1", "ans1t1"]
    assert "a=mid" not in answer
    assert "a=group" not in answer


@pytest.mark.parametrize(
    ("name", "payload_type", "profile"),
    [
        ("f_h264_main_offer", 108, "4d001f"),
        ("f_h264_high_offer", 108, "64001f"),
        ("janus_streaming_main_offer", 98, "4d001f"),
    ],
)
def test_offers_of_one_profile_of_h264_are_answered(name: str, payload_type: int, profile: str) -> None:
    _, applied, answer = answer_to(FIELD[name])
    (video,) = applied.media
    assert video.direction is Direction.RECVONLY
    (codec,) = video.receive_codecs
    assert (codec.payload_type, codec.name) == (payload_type, "H264")
    # RFC 6184 section 8.2.2: the same profile, under the offered payload type.
    assert codec.parameters["profile-level-id"] == profile
    asymmetric = "level-asymmetry-allowed" in codec.parameters
    assert asymmetric is ("level-asymmetry-allowed=1" in FIELD[name])
    assert f"a=rtpmap:{payload_type} H264/90000\r\n" in answer


@pytest.mark.parametrize("name", ["f_h264_main_answer", "f_h264_high_answer"])
@pytest.mark.parametrize("alone", [False, True])
def test_answers_with_another_profile_under_our_payload_type(name: str, alone: bool) -> None:
    session, side = media_session(), MediaSide("off1")
    video = side.add("video", Direction.RECVONLY)
    if alone:
        baseline = [codec for codec in video.codecs if codec.parameters.get("profile-level-id") == "42e01f"]
        side.change(video.key, codecs=tuple(baseline))
    session.create_offer(side.media())
    side.update_transceivers(session.apply_local("offer"))
    (plan,) = session.apply_remote("answer", FIELD[name]).media
    assert plan.direction is Direction.RECVONLY
    assert 108 in {entry.payload_type for entry in plan.receive_codecs if entry.name == "H264"}
    assert [entry.payload_type for entry in plan.send_codecs] == [108]


@pytest.mark.parametrize(
    ("name", "parameters", "accepted"),
    [
        ("H264", "packetization-mode=1;profile-level-id=f4001f", (False, True)),
        ("H264", "packetization-mode=1;profile-level-id=6e001f", (False, True)),
        ("H264", "packetization-mode=1;profile-level-id=58001f", (False, True)),
        ("H264", "packetization-mode=1;profile-level-id=nonsense", (False, True)),
        ("H264", "packetization-mode=1;profile-level-id=640c34", (True, True)),
        ("H264", "profile-level-id=4d001f", (True, True)),
        ("H264", "packetization-mode=2;profile-level-id=42e01f", (False, False)),
        ("VP9", "profile-id=2", (True, True)),
        ("VP9", "profile-id=4", (False, True)),
        ("AV1", "profile=1;level-idx=9;tier=1", (True, True)),
        ("AV1", "profile=2", (False, True)),
        ("H265", "profile-id=2;level-id=120", (True, True)),
        ("H265", "profile-id=4", (False, True)),
        ("H265", "tier-flag=1", (False, True)),
        ("H265", "tx-mode=MRST", (False, False)),
        ("VP7", "profile=0", (False, False)),
    ],
)
def test_unlisted_profiles_are_accepted_without_decoding(
    name: str, parameters: str, accepted: tuple[bool, bool]
) -> None:
    text = FIELD["f_h264_main_offer"].replace("H264/", f"{name}/")
    text = re.sub(r"a=fmtp:108 [^\r]*", f"a=fmtp:108 {parameters}", text)
    for any_profile, expected in zip((False, True), accepted, strict=True):
        capabilities = attrs.evolve(DEFAULT_CAPABILITIES, any_profile=any_profile)
        session = JsepSession(rng=random.Random(1), capabilities=capabilities)
        side = MediaSide("ans1")
        side.update_transceivers(session.apply_remote("offer", text))
        for each in side.transceivers:
            side.change(each.key, any_profile=any_profile)
        session.create_answer(side.media())
        (plan,) = session.apply_local("answer").media
        assert plan.rejected is not expected
        if expected:
            # Forwarded media keeps its profile in the description.
            stated = parse_parameters(parameters)
            for key in ("profile-id", "profile") if any_profile else ():
                assert plan.receive_codecs[0].parameters.get(key) == stated.get(key)


def test_decode_only_profiles_are_offered_in_receiving_sections() -> None:
    for direction, expected in (
        (Direction.RECVONLY, True),
        (Direction.SENDRECV, False),
        (Direction.SENDONLY, False),
    ):
        side = MediaSide("off1")
        side.add("video", direction)
        text = media_session().create_offer(side.media())
        assert ("profile-id=2" in text) is expected
        for profile in ("42e01f", "42001f", "4d001f", "640c1f", "64001f"):
            for mode in (0, 1):
                assert f"packetization-mode={mode};profile-level-id={profile}\r\n" in text


def test_a_decode_only_profile_can_be_the_only_preference() -> None:
    for chosen, expected in ((("0", "2"), ["0"]), (("2",), ["2"])):
        side = MediaSide("off1")
        video = side.add("video")
        codecs = [codec for codec in video.codecs if codec.parameters.get("profile-id") in chosen]
        side.change(
            video.key, codecs=tuple(each for each in codecs if each.is_called("VP9")), codecs_preferred=True
        )
        text = media_session().create_offer(side.media())
        assert re.findall(r"profile-id=(\d)", text) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=setup:actpass", "a=setup:actpas"),
        ("a=ice-ufrag:Xk3d", "a=ice-ufrag:"),
        ("a=group:BUNDLE 0", "a=group:"),
        (f"a=fingerprint:sha-256 {DIGEST}", "a=fingerprint:sha-256 0B"),
    ],
)
def test_errors_in_required_lines_name_the_line(old: str, new: str) -> None:
    text = FIELD["q_rtcpfb_trailing_space"].replace(old, new)
    session = media_session()
    before = visible(session)
    with pytest.raises(RTCError) as caught:
        session.apply_remote("offer", text)
    assert caught.value.sdp_line_number == text.splitlines().index(new) + 1
    assert visible(session) == before
    if "group" not in new:
        # Rejected sections are not checked.
        session.apply_remote("offer", text.replace("m=audio 9", "m=audio 0"))


BROWSER_OFFERS = sorted(name for name in REAL_OFFERS if name.startswith(("chromium", "firefox")))
# Optional media attributes, which can be missing or truncated anywhere.
OPTIONAL = re.compile(
    r"(a=(rtcp-fb|fmtp|extmap|ssrc|ssrc-group|rtcp|msid|rid|simulcast|msid-semantic):|[bi]=)"
)
Understood = tuple[object, ...]


def needed(description: SessionDescription) -> Understood:
    """Return the values that the sections require."""
    sections = range(len(description.media))
    return (
        groups(description, "BUNDLE"),
        [transport_without_blanks(description, index) for index in sections],
        [media_mid(media) for media in description.media],
        [application_attributes(media) for media in description.media],
        [rtp_attributes(description, index).direction for index in sections],
        [rtp_attributes(description, index).rtpmaps for index in sections],
        [rtp_attributes(description, index).rtcp_mux for index in sections],
    )


def transport_without_blanks(description: SessionDescription, index: int) -> TransportAttributes:
    """Return the transport of a section; the grammar of candidates belongs to ICE, which splits them itself."""
    transport = transport_attributes(description, index)
    return attrs.evolve(transport, candidates=tuple(" ".join(line.split()) for line in transport.candidates))


def append_blank(line: str, place: int) -> str:
    return line + " \t"[place % 2]


def double_blank(line: str, place: int) -> str:
    blanks = [match.start() for match in re.finditer(" ", line)]
    at = blanks[place % len(blanks)] if blanks else len(line)
    return line[:at] + " " + line[at:]


def blank_after_colon(line: str, _: int) -> str:
    return line.replace(":", ": ", 1) if line.startswith("a=") else line


BLANKS: tuple[Callable[[str, int], str], ...] = (append_blank, double_blank, blank_after_colon)


@given(
    st.sampled_from(BROWSER_OFFERS),
    st.lists(
        st.tuples(st.integers(0, 999), st.integers(0, 9), st.sampled_from(BLANKS)), min_size=1, max_size=30
    ),
    st.sampled_from(["\r\n", "\n"]),
)
def test_additional_blanks_have_no_effect(
    name: str, edits: list[tuple[int, int, Callable[[str, int], str]]], ending: str
) -> None:
    lines = REAL_OFFERS[name].splitlines()
    for at, place, edit in edits:
        # A property attribute has no value, and thus no colon.
        lines[at % len(lines)] = edit(lines[at % len(lines)], place)
    text = ending.join([*lines, ""])
    session, _, answer = answer_to(text)
    assert answer == answer_to(REAL_OFFERS[name])[2]
    assert session.current_remote is not None
    assert session.current_remote.sdp == text
    assert needed(session.current_remote.parsed) == needed(parse(REAL_OFFERS[name]))
    assert not session.current_remote.parsed.ignored


@given(
    st.sampled_from(BROWSER_OFFERS),
    st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999)), min_size=1, max_size=8),
)
def test_optional_values_may_be_truncated(name: str, cuts: list[tuple[int, int]]) -> None:
    lines = REAL_OFFERS[name].splitlines()
    optional = [number for number, line in enumerate(lines) if OPTIONAL.match(line)]
    for which, length in cuts if optional else ():
        number = optional[which % len(optional)]
        head = lines[number].index(":") + 1 if lines[number].startswith("a=") else 2
        lines[number] = lines[number][: max(head, length % (len(lines[number]) + 1))]
    text = "\r\n".join([*lines, ""])
    session, applied, answer = answer_to(text)
    unharmed, expected, _ = answer_to(REAL_OFFERS[name])
    assert session.current_remote is not None
    assert unharmed.current_remote is not None
    assert needed(session.current_remote.parsed) == needed(unharmed.current_remote.parsed)
    assert session.current_remote.sdp == text
    assert applied.transport == expected.transport
    assert [plan.direction for plan in applied.media] == [plan.direction for plan in expected.media]
    assert [media.port for media in parse(answer).media] == [9] * len(
        applied.transport.mids if applied.transport else ()
    )


def test_fingerprints_are_those_of_the_file() -> None:
    parsed = parse(FIELD["q_fingerprint_truncated_second"])
    assert transport_attributes(parsed, 0).fingerprints == (Fingerprint("sha-256", DIGEST),)
