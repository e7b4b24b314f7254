"""Audio and video in offer/answer exchanges: offers, answers and the resulting plans."""

import attrs
import pytest

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.jsep_sessions import SHA_256, make_session
from tests.strategies.transceivers import (
    LAYERS,
    OPUS,
    PCMU,
    RED,
    RTX,
    VP8,
    VP9,
    MediaSide,
    exchange,
    media_session,
    offered_sections,
)
from trio_rtc.enums import RTCRtpTransceiverDirection as Direction
from trio_rtc.jsep import HeaderExtension
from trio_rtc.protocols.sdp import (
    media_mid,
    parse,
)


def test_audio_and_video_in_both_directions() -> None:
    offering, answering = MediaSide("off1", data_channels=True), MediaSide("ans1")
    for side in (offering, answering):
        side.add("audio", added_by_track=True)
        side.add("video", added_by_track=True)
    one, other = media_session(1), media_session(2)
    outcome = exchange(one, offering, other, answering)
    for applied in (outcome.local_answer, outcome.remote_answer):
        assert [(plan.mid, plan.kind, plan.key) for plan in applied.media] == [
            ("0", "audio", 0),
            ("1", "video", 1),
        ]
        assert [plan.direction for plan in applied.media] == [Direction.SENDRECV, Direction.SENDRECV]
        assert not any(plan.rejected or plan.stopped for plan in applied.media)
        assert applied.transport is not None
        assert applied.transport.mids == ("0", "1", "2")
        assert applied.data_mid == "2"
    for mine, theirs in zip(outcome.local_answer.media, outcome.remote_answer.media, strict=True):
        assert mine.send_codecs == theirs.receive_codecs
        assert mine.receive_codecs == theirs.send_codecs
        assert mine.header_extensions == theirs.header_extensions
    assert not offering.needs_negotiation(one)
    assert not answering.needs_negotiation(other)


def test_each_step_returns_the_plans_known_so_far() -> None:
    side = MediaSide("off1")
    side.add("audio")
    outcome = exchange(media_session(1), side, media_session(2), MediaSide("ans1"))
    started, applied = outcome.local_offer.media[0], outcome.remote_offer.media[0]
    assert (started.key, started.direction, started.remote_direction) == (0, None, None)
    assert started.receive_codecs
    assert not started.send_codecs
    assert (applied.key, applied.direction, applied.remote_direction) == (None, None, Direction.SENDRECV)
    assert not applied.receive_codecs
    assert (applied.remote_stream_ids, applied.remote_track_id) == (("stream0",), "track0")
    assert outcome.local_answer.media[0].key == 0
    assert outcome.local_answer.media[0].direction is Direction.RECVONLY
    assert outcome.remote_answer.media[0].direction is Direction.SENDONLY


TRANSPORT = (
    "a=ice-ufrag:{0}\r\na=ice-pwd:{0}xxxxxxxxxxxxxxxxxxxx\r\na=fingerprint:sha-256 "
    + SHA_256
    + "\r\na=setup:{1}\r\n"
)
HEAD = (
    "v=0\r\no=- {0} 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=ice-options:trickle ice2\r\n"
    "a=msid-semantic:WMS *\r\n"
)
GOLDEN_OFFER = (
    HEAD
    + "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=extmap-allow-mixed\r\n"
    + "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendrecv\r\na=msid:one track0\r\na=msid:two track0\r\n"
    + "a=rtcp-mux\r\na=rtcp-mux-only\r\na=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n"
    + "a=fmtp:111 useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:0 PCMU/8000\r\n"
    + "a=ssrc:1000 cname:canonical\r\na=ssrc:1000 msid:one track0\r\n"
    + TRANSPORT.format("off1", "actpass")
    + "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=extmap-allow-mixed\r\n"
    + "a=extmap:1/sendonly urn:example:x\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendonly\r\n"
    + "a=msid:- track1\r\na=rtcp-mux\r\na=rtcp-mux-only\r\na=rtcp-rsize\r\na=rtpmap:96 VP8/90000\r\n"
    + "a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
    + "a=rtpmap:98 VP9/90000\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98\r\na=rid:q send\r\na=rid:h send\r\n"
    + "a=rid:f send\r\na=simulcast:send q;h;f\r\n"
    + TRANSPORT.format("off1", "actpass")
)
GOLDEN_ANSWER = (
    HEAD
    + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=extmap-allow-mixed\r\na=sendrecv\r\n"
    + "a=msid:stream0 track0\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:0 PCMU/8000\r\n"
    + "a=ssrc:1000 cname:canonical\r\na=ssrc:1000 msid:stream0 track0\r\n"
    + TRANSPORT.format("ans1", "active")
    + "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=extmap-allow-mixed\r\n"
    + "a=extmap:1/recvonly urn:example:x\r\na=recvonly\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:96 VP8/90000\r\n"
    + "a=rtcp-fb:96 nack\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rid:q recv\r\na=rid:h recv\r\n"
    + "a=rid:f recv\r\na=simulcast:recv q;h;f\r\n"
    + TRANSPORT.format("ans1", "active")
)


def test_text_of_an_offer_and_its_answer() -> None:
    offering, answering = MediaSide("off1"), MediaSide("ans1")
    mid = HeaderExtension("urn:ietf:params:rtp-hdrext:sdes:mid", 4)
    offering.add("audio", codecs=(OPUS, RED, PCMU), header_extensions=(mid,), stream_ids=("one", "two"))
    offering.add(
        "video",
        Direction.SENDONLY,
        codecs=(VP8, VP9, RTX),
        header_extensions=(HeaderExtension("urn:example:x", direction=Direction.SENDONLY), mid),
        stream_ids=(),
        encodings=LAYERS,
    )
    answering.add("audio", codecs=(PCMU,), header_extensions=(), added_by_track=True)
    one, other = media_session(1), media_session(2)
    offer = one.create_offer(offering.media())
    assert offer == GOLDEN_OFFER.format(parse(offer).origin.session_id)
    answering.update_transceivers(other.apply_remote("offer", offer, answering.transceivers))
    answering.change(
        1,
        codecs=(attrs.evolve(VP8, feedback=("nack",)), RTX),
        header_extensions=(HeaderExtension("urn:example:x"),),
    )
    answer = other.create_answer(answering.media())
    assert answer == GOLDEN_ANSWER.format(parse(answer).origin.session_id)


@pytest.mark.parametrize("name", REAL_OFFERS)
def test_real_offers_are_accepted_completely(name: str) -> None:
    offer = parse(REAL_OFFERS[name])
    session, side = media_session(), MediaSide("ans1")
    applied = session.apply_remote("offer", REAL_OFFERS[name], side.transceivers)
    side.update_transceivers(applied)
    answer = parse(session.create_answer(side.media()))
    applied = session.apply_local("answer")
    assert [(media.kind, bool(media.port)) for media in answer.media] == [
        (media.kind, True) for media in offer.media
    ]
    assert applied.rejected_mids == ()
    assert applied.transport is not None
    assert len(applied.transport.mids) == len(offer.media)
    for plan in applied.media:
        sends = plan.remote_direction is not None and plan.remote_direction.sends
        assert plan.direction is (Direction.RECVONLY if sends else Direction.INACTIVE)
        assert plan.send_codecs[0].name == ("opus" if plan.kind == "audio" else "VP8")
        assert plan.send_codecs == tuple(sorted(plan.send_codecs, key=plan.send_codecs.index))
        rtx = {each.associated_payload_type for each in plan.send_codecs if each.name == "rtx"}
        if plan.kind == "video":
            assert plan.send_codecs[0].payload_type in rtx
            assert plan.send_codecs[0].rtx_payload_type is not None
        if sends and "simulcast" not in name and plan.kind == "video":
            assert plan.remote_source_groups[0].semantics == "FID"
        assert [layer.rid for layer in plan.receive_layers] == (
            ["q", "h", "f"] if "simulcast" in name else []
        )


def test_without_capabilities_media_is_rejected() -> None:
    session = make_session()
    applied = session.apply_remote("offer", REAL_OFFERS["chromium-offer-av"])
    assert [(plan.key, plan.rejected) for plan in applied.media] == [(None, True), (None, True)]
    assert applied.transport is not None
    assert applied.transport.mids == ("2",)


def test_a_description_lists_its_mids_in_order() -> None:
    side = MediaSide("off1", data_channels=True)
    side.add("video")
    side.add("audio")
    assert [(media.kind, media_mid(media)) for media in offered_sections(side)] == [
        ("video", "0"),
        ("audio", "1"),
        ("application", "2"),
    ]
