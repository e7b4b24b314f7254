"""Damaged, contradictory or expensive descriptions with media: rejected sections or W3C's error, nothing else."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.descriptions import REAL_OFFERS, damaged_offers
from tests.strategies.jsep_sessions import visible, without
from tests.strategies.line_count import count_lines
from tests.strategies.transceivers import MediaSide, media_session
from trio_rtc.errors import InvalidAccessError, OperationError
from trio_rtc.jsep import ApplyResult, JsepSession
from trio_rtc.jsep.media_plan import MAXIMUM_SOURCES, MAXIMUM_STREAMS
from trio_rtc.jsep.simulcast import MAXIMUM_LAYERS
from trio_rtc.protocols.sdp import Bandwidth, SdpSyntaxError, parse
from trio_rtc.protocols.sdp.description import _shared_attribute
from trio_rtc.protocols.sdp.values import VALUE_PARSERS

CHROMIUM = REAL_OFFERS["chromium-offer-av"]


def media_side(*, track: bool = True) -> MediaSide:
    """Return a side with audio and video that have no section yet."""
    side = MediaSide("ans1")
    side.add("audio", added_by_track=track)
    side.add("video", added_by_track=track)
    return side


def apply_and_answer(session: JsepSession, side: MediaSide, text: str) -> ApplyResult | None:
    """Apply an offer, answer it and create an offer; return the answer's plans, ``None`` if it is rejected."""
    before = visible(session)
    try:
        side.update_transceivers(session.apply_remote("offer", text, side.transceivers))
    except (InvalidAccessError, OperationError):
        assert visible(session) == before
        return None
    answer = session.create_answer(side.media())
    applied = session.apply_local("answer")
    side.update_transceivers(applied)
    parse(answer)
    other = media_session(9)
    other.apply_remote("offer", session.create_offer(side.media()))
    return applied


@given(damaged_offers(), st.booleans())
def test_damaged_offers_are_accepted_or_rejected_atomically(text: str, track: bool) -> None:
    apply_and_answer(media_session(), media_side(track=track), text)


@given(damaged_offers())
def test_damaged_answers_are_accepted_or_rejected_atomically(text: str) -> None:
    session, side = media_session(), media_side()
    side.data_channels = True
    session.create_offer(side.media())
    side.update_transceivers(session.apply_local("offer"))
    before = visible(session)
    try:
        applied = session.apply_remote("answer", text)
    except (InvalidAccessError, OperationError):
        assert visible(session) == before
    else:
        side.update_transceivers(applied)
        session.create_offer(side.media())


_LINES = [
    "a=rtpmap:96 VP8/90000",
    "a=rtpmap:96 opus/48000/2",
    "a=rtpmap:97 rtx/90000",
    "a=fmtp:97 apt=97",
    "a=fmtp:97 apt=96",
    "a=fmtp:96 apt=97;profile-level-id=zz",
    "a=rtpmap:98 H264/90000",
    "a=rtpmap:99 red/48000/2",
    "a=fmtp:99 99/99",
    "a=fmtp:99 96/111",
    "a=rtpmap:100 red/90000",
    "a=rtcp-fb:* nack",
    "a=rtcp-fb:96 nack pli",
    "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=extmap:3 urn:3gpp:video-orientation",
    "a=extmap:4095/sendonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "a=sendonly",
    "a=inactive",
    "a=bundle-only",
    "a=rtcp-mux",
    "a=msid:- -",
    "a=ssrc:1 msid:",
    "a=ssrc:1 msid:a b c",
    "a=ssrc:1 cname",
    "a=ssrc-group:FID",
    "a=rid:q send pt=96",
    "a=rid:q recv",
    "a=simulcast:send q;~q,x recv q",
    "b=AS:0",
    "b=TIAS:18446744073709551615",
]


_FORMATS = ["0", "8", "96", "97", "98", "99", "100", "128", "x"]


@st.composite
def odd_sections(draw: st.DrawFn) -> str:
    """Return an offer of a few sections with valid but inconsistent lines."""
    count = draw(st.integers(1, 3))
    fingerprint = ":".join(["AB"] * 32)
    text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
    text += f"a=group:BUNDLE {' '.join(map(str, range(count)))}\r\n" if draw(st.booleans()) else ""
    text += f"a=fingerprint:sha-256 {fingerprint}\r\na=ice-ufrag:abcd\r\na=ice-pwd:{'x' * 22}\r\n"
    for mid in range(count):
        kind = draw(st.sampled_from(["audio", "video"]))
        port = draw(st.sampled_from([9, 9, 9, 0]))
        formats = " ".join(draw(st.lists(st.sampled_from(_FORMATS), min_size=1, max_size=8)))
        text += f"m={kind} {port} UDP/TLS/RTP/SAVPF {formats}\r\na=mid:{mid}\r\na=rtcp-mux\r\n"
        text += "".join(f"{line}\r\n" for line in draw(st.lists(st.sampled_from(_LINES), max_size=12)))
    return text


@given(odd_sections())
def test_odd_offers_are_answered(text: str) -> None:
    applied = apply_and_answer(media_session(), media_side(), text)
    if applied is not None:
        for plan in applied.media:
            assert plan.rejected or any(codec.is_media for codec in plan.send_codecs)


REJECTIONS: dict[str, Callable[[str], str]] = {
    "unknown codec": lambda text: (
        text.replace("VP8/", "X1/").replace("VP9/", "X2/").replace("AV1/", "X3/").replace("H264/", "X4/")
    ),
    "only repair": lambda text: without(
        text, *(f"a=rtpmap:{number} " for number in (96, 98, 100, 45, 102, 104, 108, 114, 116, 39))
    ),
    "unknown profile": lambda text: text.replace("m=video 43648 UDP/TLS/RTP/SAVPF", "m=video 43648 RTP/XYZ"),
    "unknown kind": lambda text: text.replace("m=video", "m=text"),
    "clock rate": lambda text: text.replace("/90000", "/8000"),
}


@pytest.mark.parametrize("name", REJECTIONS)
def test_unusable_sections_are_rejected_and_others_accepted(name: str) -> None:
    session, side = media_session(), media_side()
    applied = apply_and_answer(session, side, REJECTIONS[name](CHROMIUM))
    assert applied is not None
    assert applied.rejected_mids == ("1",)
    assert applied.transport is not None
    assert applied.transport.mids == ("0", "2")
    assert session.current_local is not None
    assert [bool(media.port) for media in session.current_local.parsed.media] == [True, False, True]
    assert "a=group:BUNDLE 0 2\r\n" in session.current_local.sdp


@pytest.mark.parametrize("mid", ["0", "1"])
def test_an_offer_needs_rtcp_on_the_same_port(mid: str) -> None:
    """RFC 9429 section 5.8.3. In a bundle that of the tagged section is enough (RFC 9143 section 7.1.3)."""
    head, *sections = CHROMIUM.split("m=")
    kept = [each if f"a=mid:{mid}" not in each else without(each, "a=rtcp-mux") for each in sections]
    offer = "m=".join([head, *kept])
    session, side = media_session(), media_side()
    before = visible(session)
    for text in (offer if mid == "0" else without(offer, "a=group"), without(CHROMIUM, "a=rtcp-mux")):
        with pytest.raises(InvalidAccessError, match="a=rtcp-mux"):
            session.apply_remote("offer", text, side.transceivers)
        assert visible(session) == before


def test_media_without_encryption_is_rejected() -> None:
    plain = without(CHROMIUM, "a=fingerprint").replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")
    plain = plain[: plain.rindex("m=")].replace("BUNDLE 0 1 2", "BUNDLE 0 1")
    applied = apply_and_answer(media_session(), media_side(), plain)
    assert applied is not None
    assert applied.rejected_mids == ("0", "1")
    assert applied.transport is None


@pytest.mark.parametrize("prefix", ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint"])
def test_the_section_of_the_transport_must_describe_it(prefix: str) -> None:
    session, side = media_session(), media_side()
    before = visible(session)
    with pytest.raises(InvalidAccessError):
        session.apply_remote("offer", without(CHROMIUM, prefix), side.transceivers)
    assert visible(session) == before


def test_an_answer_needs_rtcp_on_the_same_port() -> None:
    one, other = media_session(1), media_session(2)
    side, answering = media_side(), media_side()
    offer = one.create_offer(side.media())
    one.apply_local("offer")
    answering.update_transceivers(other.apply_remote("offer", offer, answering.transceivers))
    answer = other.create_answer(answering.media())
    before = visible(one)
    with pytest.raises(InvalidAccessError):
        one.apply_remote("answer", without(answer, "a=rtcp-mux"))
    assert visible(one) == before


@pytest.mark.parametrize("number", [64, 72, 95])
def test_payload_types_that_look_like_rtcp_are_rejected(number: int) -> None:
    """RFC 5761 section 4."""
    offer = CHROMIUM.replace("SAVPF 111", f"SAVPF {number} 111")
    offer = offer.replace("a=rtpmap:111 opus", f"a=rtpmap:{number} PCMU/8000\r\na=rtpmap:111 opus")
    session, side = media_session(), media_side()
    before = visible(session)
    with pytest.raises(InvalidAccessError, match=f"payload type of PCMU in media section 0 .* is {number}"):
        session.apply_remote("offer", offer, side.transceivers)
    assert visible(session) == before
    # Without a codec the number means nothing.
    unmapped = offer.replace(f"a=rtpmap:{number} PCMU/8000\r\n", "")
    assert apply_and_answer(session, side, unmapped) is not None


def test_contradictory_payload_types_in_a_bundle_are_rejected() -> None:
    offer = CHROMIUM.replace("m=audio 52376 UDP/TLS/RTP/SAVPF 111", "m=audio 52376 UDP/TLS/RTP/SAVPF 96 111")
    offer = offer.replace("a=rtpmap:111 opus", "a=rtpmap:96 PCMU/8000\r\na=rtpmap:111 opus")
    applied = apply_and_answer(media_session(), media_side(), offer)
    assert applied is not None
    audio, video = applied.media
    assert audio.send_codecs[0].payload_type == 96
    assert not {96, 97} & {codec.payload_type for codec in video.send_codecs}
    assert not video.rejected


def test_contradictory_extension_ids_in_a_bundle_are_rejected() -> None:
    offer = CHROMIUM.replace(
        "a=extmap:13 urn:3gpp:video-orientation", "a=extmap:1 urn:3gpp:video-orientation"
    )
    applied = apply_and_answer(media_session(), media_side(), offer)
    assert applied is not None
    assert "urn:3gpp:video-orientation" not in [each.uri for each in applied.media[1].header_extensions]


def test_ssrcs_and_layers_are_bounded() -> None:
    many = "".join(f"a=ssrc:{number} cname:x\r\na=ssrc-group:FID 1 {number}\r\n" for number in range(200))
    rids = "".join(f"a=rid:{number} send\r\n" for number in range(200))
    text = REAL_OFFERS["chromium-offer-simulcast"]
    text = without(text, "a=rid", "a=simulcast") + many + rids
    text += f"a=simulcast:send {';'.join(map(str, range(200)))}\r\n"
    applied = apply_and_answer(media_session(), media_side(), text)
    assert applied is not None
    plan = applied.media[0]
    assert len(plan.receive_layers) == MAXIMUM_LAYERS
    assert len(plan.remote_sources) == len(plan.remote_source_groups) == MAXIMUM_SOURCES


def test_streams_of_a_track_are_bounded_and_the_first_are_used() -> None:
    text = without(REAL_OFFERS["chromium-offer-simulcast"], "a=msid")
    text += "".join(f"a=msid:stream{number} track\r\n" for number in range(200))
    applied = apply_and_answer(media_session(), media_side(), text)
    assert applied is not None
    expected = tuple(f"stream{number}" for number in range(MAXIMUM_STREAMS))
    assert applied.media[0].remote_stream_ids == expected


def test_media_sections_are_not_compared_pairwise() -> None:
    head, section = (
        CHROMIUM[: CHROMIUM.index("m=")],
        CHROMIUM[CHROMIUM.index("m=audio") : CHROMIUM.index("m=video")],
    )

    def work(count: int) -> int:
        text = head.replace("BUNDLE 0 1 2", f"BUNDLE {' '.join(map(str, range(count)))}")
        for mid in range(count):
            # A track is in one section only.
            text += re.sub(r"(a=msid:\S+) \S+", rf"\1 track{mid}", section.replace("a=mid:0", f"a=mid:{mid}"))
        return count_lines(lambda: apply_and_answer(media_session(), media_side(), text))

    assert work(48) / work(12) < 6


@pytest.mark.parametrize(
    ("line", "times"),
    [
        # Equal lines are one object, unless they are long.
        ("a=fmtp:96 x=1", 1),
        ("a=rtcp-fb:96 x-nack", 1),
        ("a=extmap:3 urn:x", 1),
        (f"a=fmtp:96 x={'1' * 256}", 500),
        ("a=ssrc:7 cname:x", 500),
        ("b=AS:9", 500),
    ],
)
def test_a_line_is_parsed_once_however_often_an_exchange_reads_it(
    line: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A description caches its parsed values; the answer's lines are parsed with the answer."""
    _shared_attribute.cache_clear()
    name = line[2:].partition(":")[0] if line.startswith("a=") else ""
    parsed: list[str] = []

    def counting(value: str) -> object:
        parsed.append(value)
        return parser(value)

    if name:
        parser = VALUE_PARSERS[name]
        monkeypatch.setitem(VALUE_PARSERS, name, counting)
    else:
        parser = Bandwidth.parse
        monkeypatch.setattr(Bandwidth, "parse", counting)
    text = CHROMIUM.replace("a=mid:1", f"{line}\n" * 500 + "a=mid:1")
    value = line[2:].removeprefix(f"{name}:")
    session, side = media_session(), media_side()
    side.update_transceivers(session.apply_remote("offer", text, side.transceivers))
    assert parsed.count(value) == times
    session.create_answer(side.media())
    side.update_transceivers(session.apply_local("answer"))
    side.needs_negotiation(session)
    assert parsed.count(value) <= times + 1


def test_too_many_formats_are_rejected() -> None:
    section = "m=video 9 UDP/TLS/RTP/SAVPF " + " ".join(map(str, range(128))) + "\r\n"
    head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
    assert len(parse(head + section * 64).media) == 64
    with pytest.raises(SdpSyntaxError, match="more than 8192 formats") as caught:
        parse(head + section * 65)
    assert caught.value.line_number == 4 + 65
