"""Audio and video in offer/answer exchanges: offers, answers and the resulting plans."""

import re

import attrs
import pytest

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.jsep_sessions import SHA_256, make_session, visible, without
from tests.strategies.transceivers import MediaSide, exchange, media_session, transceiver
from trio_rtc.enums import RTCBundlePolicy
from trio_rtc.enums import RTCRtpTransceiverDirection as Direction
from trio_rtc.errors import InvalidAccessError
from trio_rtc.jsep import HeaderExtension, JsepSession, Layer, LocalTransceiver, MediaPlan
from trio_rtc.protocols.rtp import Encoding
from trio_rtc.protocols.rtp.codec import UNASSIGNED, Codec
from trio_rtc.protocols.sdp import (
    MediaDescription,
    has_attribute,
    media_mid,
    parse,
    transport_attributes,
)

OPUS = Codec(111, "opus", 48000, 2, {"useinbandfec": "1"}, ("transport-cc",))
PCMU = Codec(0, "PCMU", 8000)
VP8 = Codec(96, "VP8", 90000, feedback=("nack", "nack pli"))
VP9 = Codec(98, "VP9", 90000)
RTX = Codec(UNASSIGNED, "rtx", 90000)
RED = Codec(63, "red", 48000, 2)
LAYERS = tuple(Encoding(1, rid=rid, active=rid != "h") for rid in ("q", "h", "f"))


def offered(side: MediaSide, session: JsepSession | None = None) -> tuple[MediaDescription, ...]:
    return parse((session or media_session()).create_offer(side.media())).media


def answered(text: str, side: MediaSide) -> tuple[str, tuple[MediaPlan, ...]]:
    """Return the answer to an offer, and its plans."""
    session = media_session()
    side.update_transceivers(session.apply_remote("offer", text, side.transceivers))
    answer = session.create_answer(side.media())
    applied = session.apply_local("answer")
    side.update_transceivers(applied)
    return answer, applied.media


def names(plan: MediaPlan) -> list[str]:
    return [each.name for each in plan.send_codecs]


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
    + "a=rid:f send\r\na=simulcast:send q;~h;f\r\n"
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
    + "a=rid:f recv\r\na=simulcast:recv q;~h;f\r\n"
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


class TestAssociation:
    """Association of offered sections with transceivers (RFC 9429 section 5.10)."""

    OFFER = REAL_OFFERS["chromium-offer-av"]

    def keys(self, side: MediaSide, text: str = OFFER) -> list[int | None]:
        return [plan.key for plan in media_session().apply_remote("offer", text, side.transceivers).media]

    def test_new_transceivers_are_created_if_there_are_none(self) -> None:
        assert self.keys(MediaSide("ans1")) == [None, None]

    def test_the_first_transceiver_of_add_track_is_used(self) -> None:
        side = MediaSide("ans1")
        side.add("video")
        side.add("video", added_by_track=True)
        side.add("video", added_by_track=True)
        assert self.keys(side) == [None, 1]

    def test_stopped_and_associated_transceivers_are_not_used(self) -> None:
        side = MediaSide("ans1")
        side.add("video", added_by_track=True, stopping=True)
        side.add("video", added_by_track=True, mid="7")
        assert self.keys(side) == [None, None]

    def test_no_existing_transceiver_is_used_for_a_section_that_does_not_receive(self) -> None:
        side = MediaSide("ans1")
        side.add("audio", added_by_track=True)
        side.add("video", added_by_track=True)
        assert self.keys(side, self.OFFER.replace("a=sendrecv", "a=sendonly")) == [None, None]
        assert self.keys(side, self.OFFER.replace("a=sendrecv", "a=recvonly")) == [0, 1]

    def test_transceivers_without_common_codecs_are_not_used(self) -> None:
        side = MediaSide("ans1")
        side.add("video", codecs=(Codec(UNASSIGNED, "H265", 90000),), added_by_track=True)
        media = media_session().apply_remote("offer", self.OFFER, side.transceivers).media
        assert [(plan.key, plan.rejected) for plan in media] == [(None, False), (None, True)]

    def test_each_transceiver_is_used_once(self) -> None:
        section = self.OFFER[self.OFFER.index("m=audio") : self.OFFER.index("m=video")]
        side = MediaSide("ans1")
        side.add("audio", added_by_track=True)
        offer = (self.OFFER + section.replace("a=mid:0", "a=mid:9")).replace("BUNDLE 0", "BUNDLE 9 0")
        assert self.keys(side, offer) == [0, None, None]


class TestNumbers:
    """Payload types and numbers of header extensions."""

    def test_sections_share_numbers_of_equal_items_only(self) -> None:
        side = MediaSide("off1")
        side.add("audio", codecs=(attrs.evolve(OPUS, payload_type=96),))
        side.add("video", codecs=(VP8, RTX))
        side.add("video", codecs=(RTX, VP9, VP8))
        assert [media.formats for media in offered(side)] == [
            ("96",),
            ("97", "98"),
            ("99", "100", "97", "98"),
        ]

    def test_numbers_of_a_peer_are_kept_in_later_offers(self) -> None:
        side, session = MediaSide("ans1"), media_session()
        side.add("audio", added_by_track=True)
        side.update_transceivers(
            session.apply_remote("offer", REAL_OFFERS["firefox-offer-av"], side.transceivers)
        )
        session.create_answer(side.media())
        side.update_transceivers(session.apply_local("answer"))
        side.add("video")
        audio, video, _, added = parse(session.create_offer(side.media())).media
        assert audio.formats == ("109", "63", "9", "0", "8", "101", "13", "110")
        assert video.formats[:2] == ("120", "124")
        # VP8 is equal in both sections, and thus has the same payload type.
        assert "120" in added.formats
        mids = [
            each.value
            for each in added.attributes
            if each.name == "extmap" and "sdes:mid" in (each.value or "")
        ]
        assert mids == ["3 urn:ietf:params:rtp-hdrext:sdes:mid"]

    def test_numbers_run_out(self) -> None:
        side = MediaSide("off1")
        codecs = tuple(
            Codec(UNASSIGNED, "VP8", 90000, parameters={"max-fs": str(number)}) for number in range(100)
        )
        extensions = tuple(HeaderExtension(f"urn:example:{number}") for number in range(300))
        side.add("video", codecs=(*codecs, RTX), header_extensions=extensions)
        (media,) = offered(side)
        numbers = [int(number) for number in media.formats]
        assert len(numbers) == len(set(numbers)) == 61
        # RFC 5761 section 4: these would be ambiguous with RTCP.
        assert not any(64 <= number <= 95 or number > 127 for number in numbers)
        ids = [int((each.value or "").split()[0]) for each in media.attributes if each.name == "extmap"]
        assert ids == [*range(1, 15), *range(16, 256)]

    def test_a_transceiver_without_codecs_is_not_offered(self) -> None:
        side, session = MediaSide("off1"), media_session()
        side.add("video", codecs=())
        side.add("audio")
        assert [media.port for media in offered(side, session)] == [0, 9]
        assert session.last_created_offer.count("a=group:BUNDLE 1\r\n") == 1


class TestPreferences:
    """The order of codecs."""

    def test_answer_follows_the_offer(self) -> None:
        side = MediaSide("ans1")
        side.add("video", codecs=(VP9, RTX, VP8), added_by_track=True)
        _, plans = answered(REAL_OFFERS["chromium-offer-simulcast"].replace("sendonly", "sendrecv"), side)
        assert names(plans[0]) == ["VP8", "rtx", "VP9", "rtx"]

    def test_answer_follows_the_preferences(self) -> None:
        side = MediaSide("ans1")
        side.add("video", codecs=(VP9, RTX, VP8), codecs_preferred=True, added_by_track=True)
        answer, plans = answered(
            REAL_OFFERS["chromium-offer-simulcast"].replace("sendonly", "sendrecv"), side
        )
        assert names(plans[0]) == ["VP9", "rtx", "VP8", "rtx"]
        assert "m=video 9 UDP/TLS/RTP/SAVPF 98 99 96 97\r\n" in answer

    def test_no_retransmission_without_rtx(self) -> None:
        side = MediaSide("ans1")
        side.add("video", codecs=(VP8,), added_by_track=True)
        _, plans = answered(REAL_OFFERS["chromium-offer-av"], side)
        assert [plan.rejected for plan in plans] == [False, False]
        assert names(plans[1]) == ["VP8"]
        assert plans[1].send_codecs[0].rtx_payload_type is None

    def test_later_offers_keep_the_order_without_new_preferences(self) -> None:
        one, offering = media_session(1), MediaSide("off1")
        offering.add("video", codecs=(VP8, VP9))
        answering = MediaSide("ans1")
        answering.add("video", codecs=(VP9, VP8), codecs_preferred=True, added_by_track=True)
        exchange(one, offering, media_session(2), answering)
        assert offered(offering, one)[0].formats == ("96", "98")
        offering.change(0, codecs=(VP9, VP8), codecs_preferred=True)
        assert offered(offering, one)[0].formats == ("98", "96")


DIRECTIONS = [Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY, Direction.INACTIVE]


@pytest.mark.parametrize("offering", DIRECTIONS)
@pytest.mark.parametrize("answering", DIRECTIONS)
def test_directions_are_intersected(offering: Direction, answering: Direction) -> None:
    one, other = MediaSide("off1"), MediaSide("ans1")
    one.add("audio", offering)
    session = media_session(2)
    offer = media_session(1)
    text = offer.create_offer(one.media())
    one.update_transceivers(offer.apply_local("offer"))
    other.update_transceivers(session.apply_remote("offer", text, other.transceivers))
    other.change(0, direction=answering)
    answer = session.create_answer(other.media())
    mine = session.apply_local("answer").media[0].direction
    theirs = offer.apply_remote("answer", answer).media[0].direction
    assert mine is not None
    assert theirs is not None
    assert mine.sends == theirs.receives == (answering.sends and offering.receives)
    assert mine.receives == theirs.sends == (answering.receives and offering.sends)
    # The answerer does not request again an impossible direction.
    assert not other.needs_negotiation(session)


class TestBundle:
    """One transport for the bundle; sections outside of the bundle, and rejected ones."""

    def policy(self, policy: RTCBundlePolicy) -> list[tuple[int, bool, bool]]:
        side = MediaSide("off1", data_channels=True, bundle_policy=policy)
        for kind in ("audio", "audio", "video"):
            side.transceivers.append(transceiver(next(side.keys), "audio" if kind == "audio" else "video"))
        session = media_session()
        media = offered(side, session)
        assert "a=group:BUNDLE 0 1 2 3\r\n" in session.last_created_offer
        return [
            (each.port, has_attribute(each, "bundle-only"), has_attribute(each, "ice-ufrag"))
            for each in media
        ]

    def test_policies_of_the_first_offer(self) -> None:
        alone, only = (9, False, True), (0, True, True)
        assert self.policy(RTCBundlePolicy.MAX_COMPAT) == [alone, alone, alone, alone]
        assert self.policy(RTCBundlePolicy.BALANCED) == [alone, only, alone, alone]
        assert self.policy(RTCBundlePolicy.MAX_BUNDLE) == [alone, only, only, only]

    @pytest.mark.parametrize("policy", RTCBundlePolicy)
    def test_we_accept_offers_of_every_policy(self, policy: RTCBundlePolicy) -> None:
        offering, answering = MediaSide("off1", data_channels=True, bundle_policy=policy), MediaSide("ans1")
        offering.add("audio")
        offering.add("audio")
        offering.add("video")
        one, other = media_session(1), media_session(2)
        for _ in range(2):
            outcome = exchange(one, offering, other, answering)
            for applied in (outcome.local_answer, outcome.remote_answer):
                assert applied.transport is not None
                assert applied.transport.mids == ("0", "1", "2", "3")
                assert applied.rejected_mids == ()
            assert not outcome.remote_offer.rejected_mids
        # Bundled sections need no bundle-only any more.
        assert one.current_local is not None
        assert "bundle-only" not in one.current_local.sdp

    @pytest.mark.parametrize("transports", [1, 2, 3])
    def test_without_bundle_as_many_sections_are_accepted_as_there_are_transports(
        self, transports: int
    ) -> None:
        offer = without(REAL_OFFERS["chromium-offer-av"], "a=group")
        answer, plans = answered(offer, MediaSide("ans1", data_channels=True, transports=transports))
        accepted = [bool(media.port) for media in parse(answer).media]
        assert accepted == [index < transports for index in range(3)]
        assert [plan.rejected for plan in plans] == [not each for each in accepted[:2]]
        assert "BUNDLE" not in answer

    def test_each_of_two_bundles_has_a_transport(self) -> None:
        offer = REAL_OFFERS["chromium-offer-av"].replace(
            "a=group:BUNDLE 0 1 2", "a=group:BUNDLE 1\r\na=group:BUNDLE 0 2"
        )
        answer, plans = answered(offer, MediaSide("ans1", data_channels=True, transports=2))
        assert "a=group:BUNDLE 1\r\na=group:BUNDLE 0 2\r\n" in answer
        assert [plan.rejected for plan in plans] == [False, False]
        fragments = [transport_attributes(parse(answer), index).ice_ufrag for index in range(3)]
        assert fragments == ["ans1", "ans1t1", "ans1"]

    def unbundled(self) -> tuple[JsepSession, MediaSide]:
        """Return a session that has answered a peer without BUNDLE."""
        session, side = media_session(), MediaSide("ans1", data_channels=True, transports=3)
        side.update_transceivers(
            session.apply_remote("offer", without(REAL_OFFERS["chromium-offer-av"], "a=group"))
        )
        session.create_answer(side.media())
        applied = session.apply_local("answer")
        assert [(each.number, each.mids) for each in applied.transports] == [
            (0, ("0",)),
            (1, ("1",)),
            (2, ("2",)),
        ]
        return session, side

    def test_later_bundled_sections_use_the_transport_of_the_first(self) -> None:
        session, side = self.unbundled()
        offer = REAL_OFFERS["chromium-offer-av"].replace("BUNDLE 0 1 2", "BUNDLE 2 1")
        side.update_transceivers(session.apply_remote("offer", offer, side.transceivers))
        session.create_answer(side.media())
        applied = session.apply_local("answer")
        assert [(each.number, each.mids) for each in applied.transports] == [(0, ("0",)), (2, ("2", "1"))]

    def test_an_answer_that_rejects_the_first_section_keeps_the_other_transports(self) -> None:
        session, side = media_session(), MediaSide("ans1", transports=2)
        offer = without(REAL_OFFERS["chromium-offer-av"], "a=group").replace("opus/48000/2", "unknown/48000")
        offer = re.sub(r"^m=audio (\d+) (\S+) .*", r"m=audio \1 \2 111", offer, flags=re.MULTILINE)
        side.update_transceivers(session.apply_remote("offer", offer))
        answer = session.create_answer(side.media())
        assert [bool(media.port) for media in parse(answer).media] == [False, True, True]
        assert [(each.number, each.mids) for each in session.apply_local("answer").transports] == [
            (0, ("1",)),
            (1, ("2",)),
        ]

    def test_our_offer_keeps_separate_sections_and_bundles_new_ones_with_the_first(self) -> None:
        session, side = self.unbundled()
        side.add("video")
        offer = session.create_offer(side.media())
        media = parse(offer).media
        fragments = [transport_attributes(parse(offer), index).ice_ufrag for index in range(4)]
        assert fragments == ["ans1", "ans1t1", "ans1t2", "ans1"]
        assert re.findall(r"a=group:BUNDLE (.*)\r", offer) == [f"0 {media_mid(media[3])}"]
        assert [bool(each.port) for each in media] == [True, True, True, False]

    def test_candidates_and_their_end_are_routed_to_their_transports(self) -> None:
        session, _ = self.unbundled()
        line = "candidate:1 1 udp 1 192.0.2.1 1 typ host"
        (route,) = session.add_remote_candidate("1", None, None, line)
        assert (route.number, route.mid) == (1, "1")
        ends = session.add_remote_candidate(None, None, None, None)
        assert [route.number for route in ends] == [0, 1, 2]
        session.add_local_candidate("2", line, "ans1t2")
        assert session.current_local is not None
        local = session.current_local.parsed
        assert [len(transport_attributes(local, index).candidates) for index in range(3)] == [0, 0, 1]

    def test_bundle_only_outside_of_a_bundle_is_rejected(self) -> None:
        offer = REAL_OFFERS["chromium-offer-av"].replace("BUNDLE 0 1 2", "BUNDLE 1 2")
        offer = offer.replace("m=audio 52376", "m=audio 0").replace("a=mid:0", "a=mid:0\r\na=bundle-only")
        _, plans = answered(offer, MediaSide("ans1"))
        assert [plan.rejected for plan in plans] == [True, False]

    def test_a_peer_without_bundle_accepts_only_the_first_section(self) -> None:
        one, other = media_session(1), media_session(2)
        offering, answering = MediaSide("off1"), MediaSide("ans1")
        offering.add("audio")
        offering.add("video")
        offering.update_transceivers(one.apply_local("offer", one.create_offer(offering.media())))
        answering.update_transceivers(
            other.apply_remote("offer", one.last_created_offer, answering.transceivers)
        )
        answer = without(other.create_answer(answering.media()), "a=group")
        applied = one.apply_remote("answer", answer)
        assert [(plan.rejected, plan.stopped) for plan in applied.media] == [(False, False), (True, True)]
        assert applied.transport is not None
        assert applied.transport.mids == ("0",)

    def test_the_first_mid_of_the_bundle_determines_the_transport(self) -> None:
        offer = REAL_OFFERS["chromium-offer-av"].replace("BUNDLE 0 1 2", "BUNDLE 2 0 1")
        session, side = media_session(), MediaSide("ans1")
        applied = session.apply_remote("offer", offer, side.transceivers)
        assert applied.transport is not None
        assert applied.transport.mids == ("2", "0", "1")
        side.update_transceivers(applied)
        assert "a=group:BUNDLE 2 0 1\r\n" in session.create_answer(side.media())


class TestSimulcast:
    """Layers in both directions (RFC 8853)."""

    OFFER = REAL_OFFERS["chromium-offer-simulcast"]

    def test_all_layers_are_received(self) -> None:
        answer, plans = answered(self.OFFER, MediaSide("ans1"))
        assert answer.count("a=rid:") == 3
        assert "a=simulcast:recv q;h;f\r\n" in answer
        assert plans[0].receive_layers == (Layer("q"), Layer("h"), Layer("f"))
        assert plans[0].send_layers == ()

    def test_sent_layers_are_those_accepted_by_the_peer(self) -> None:
        offering, answering = MediaSide("off1"), MediaSide("ans1")
        offering.add("video", encodings=LAYERS)
        one, other = media_session(1), media_session(2)
        offering.update_transceivers(one.apply_local("offer", one.create_offer(offering.media())))
        applied = other.apply_remote("offer", one.last_created_offer)
        assert [(layer.rid, layer.paused) for layer in applied.media[0].receive_layers] == [
            ("q", False),
            ("h", True),
            ("f", False),
        ]
        answering.update_transceivers(applied)
        answer = other.create_answer(answering.media()).replace("recv q;~h;f", "recv ~f;q")
        applied = one.apply_remote("answer", without(answer, "a=rid:h"))
        assert applied.media[0].send_layers == (Layer("f", paused=True), Layer("q"))

    def test_a_peer_without_simulcast_accepts_no_layers(self) -> None:
        offering, answering = MediaSide("off1"), MediaSide("ans1")
        offering.add("video", encodings=LAYERS)
        one, other = media_session(1), media_session(2)
        offering.update_transceivers(one.apply_local("offer", one.create_offer(offering.media())))
        answering.update_transceivers(other.apply_remote("offer", one.last_created_offer))
        answer = without(other.create_answer(answering.media()), "a=rid", "a=simulcast")
        assert one.apply_remote("answer", answer).media[0].send_layers == ()

    def test_layers_requested_by_a_peer_are_sent(self) -> None:
        asking = self.OFFER.replace("a=sendonly", "a=recvonly")
        asking = asking.replace(" send", " recv").replace("simulcast:send q;h;f", "simulcast:recv q,x;~h;z")
        side = MediaSide("ans1")
        side.add("video", encodings=LAYERS[:2], added_by_track=True)
        session = media_session()
        applied = session.apply_remote("offer", asking, side.transceivers)
        assert applied.media[0].send_layers == (Layer("q"), Layer("h", paused=True))
        side.update_transceivers(applied)
        answer = session.create_answer(side.media())
        assert "a=rid:q send\r\na=rid:h send\r\na=simulcast:send q;~h\r\n" in answer
        assert session.apply_local("answer").media[0].send_layers == applied.media[0].send_layers

    @pytest.mark.parametrize(
        ("restrictions", "accepted"),
        [
            ("pt=96", True),
            ("pt=96,98;max-width=640", True),
            ("max-fps=30;depend=q", True),
            ("pt=96,41", False),
            ("max-colour=2", False),
        ],
    )
    def test_restrictions(self, restrictions: str, accepted: bool) -> None:
        offer = self.OFFER.replace("a=rid:h send", f"a=rid:h send {restrictions}")
        answer, plans = answered(offer, MediaSide("ans1"))
        assert (f"a=rid:h recv {restrictions}\r\n" in answer) is accepted
        assert ("h" in [layer.rid for layer in plans[0].receive_layers]) is accepted
        assert "q" in [layer.rid for layer in plans[0].receive_layers]


class TestRemoteDetails:
    """Other attributes of remote sections."""

    SECTION = REAL_OFFERS["chromium-offer-simulcast"]

    def plan(self, *lines: str) -> MediaPlan:
        text = without(self.SECTION, "a=msid:", "a=ssrc", "b=")
        return media_session().apply_remote("offer", text + "".join(f"{line}\r\n" for line in lines)).media[0]

    @pytest.mark.parametrize(
        ("lines", "bandwidth"),
        [((), None), (("b=AS:500",), 500_000), (("b=TIAS:64000",), 64000), (("b=AS:1", "b=TIAS:9"), 9)],
    )
    def test_bandwidth(self, lines: tuple[str, ...], bandwidth: int | None) -> None:
        assert self.plan(*lines).bandwidth == bandwidth

    @pytest.mark.parametrize(
        ("lines", "stream_ids", "track_id"),
        [
            ((), (), None),
            (("a=msid:- t",), (), "t"),
            (("a=msid:a",), ("a",), None),
            (("a=msid:a t", "a=msid:b t", "a=msid:a t"), ("a", "b"), "t"),
            (("a=ssrc:1 msid:a t", "a=ssrc:2 msid:a t"), ("a",), "t"),
            (("a=ssrc:1 msid:a", "a=ssrc:1 cname:c"), ("a",), None),
            (("a=ssrc:1 msid: ", "a=ssrc:1 msid"), (), None),
        ],
    )
    def test_streams(self, lines: tuple[str, ...], stream_ids: tuple[str, ...], track_id: str | None) -> None:
        plan = self.plan(*lines)
        assert (plan.remote_stream_ids, plan.remote_track_id) == (stream_ids, track_id)

    def test_sources(self) -> None:
        plan = self.plan("a=ssrc:1 cname:c", "a=ssrc:2", "a=ssrc:1 msid:a t", "a=ssrc-group:FID 1 2")
        assert [(each.ssrc, each.cname) for each in plan.remote_sources] == [(1, "c"), (2, None)]
        assert [(each.semantics, each.ssrcs) for each in plan.remote_source_groups] == [("FID", (1, 2))]

    def test_ssrcs_that_have_sent_stay_announced(self) -> None:
        """Chromium does not play an SSRC that was removed and added again."""
        side = MediaSide("off1")
        sources = (Encoding(ssrc=5, rtx_ssrc=6),)
        side.add("video", Direction.SENDONLY, codecs=(VP8, RTX), encodings=sources, cname="c")
        sending = media_session(1).create_offer(side.media())
        assert "a=ssrc-group:FID 5 6\r\na=ssrc:5 cname:c\r\na=ssrc:5 msid:" in sending
        side.change(0, direction=Direction.INACTIVE, has_sent=True)
        pausing = media_session(1).create_offer(side.media())
        assert "a=ssrc-group:FID 5 6\r\na=ssrc:5 cname:c\r\na=ssrc:6 cname:c\r\n" in pausing
        side.change(0, has_sent=False)
        assert "a=ssrc" not in media_session(1).create_offer(side.media())

    def test_payload_types_of_an_answer_are_used_for_sending(self) -> None:
        """RFC 3264 section 6.1: each side chooses the payload types that it receives."""
        one, other = media_session(1), media_session(2)
        offering, answering = MediaSide("off1"), MediaSide("ans1")
        offering.add("video", codecs=(VP8, RTX))
        offering.update_transceivers(one.apply_local("offer", one.create_offer(offering.media())))
        answering.update_transceivers(other.apply_remote("offer", one.last_created_offer))
        answer = other.create_answer(answering.media())
        answer = answer.replace("SAVPF 96 97", "SAVPF 100 101").replace("apt=96", "apt=100")
        answer = answer.replace(":96 ", ":100 ").replace(":97 ", ":101 ")
        plan = one.apply_remote("answer", answer).media[0]
        assert [(each.payload_type, each.rtx_payload_type) for each in plan.send_codecs] == [
            (100, 101),
            (101, None),
        ]
        assert [(each.payload_type, each.rtx_payload_type) for each in plan.receive_codecs] == [
            (96, 97),
            (97, None),
        ]

    def test_an_answer_without_offered_codecs_is_rejected(self) -> None:
        one, other = media_session(1), media_session(2)
        offering, answering = MediaSide("off1"), MediaSide("ans1")
        offering.add("video", codecs=(VP8,))
        offering.update_transceivers(one.apply_local("offer", one.create_offer(offering.media())))
        answering.update_transceivers(other.apply_remote("offer", one.last_created_offer))
        answer = other.create_answer(answering.media())
        before = visible(one)
        for described, edited in (
            ("VP7/90000 under payload type 96", answer.replace("VP8", "VP7")),
            ("unknown ones", answer.replace("a=rtpmap:96", "a=rtpmap:95")),
            ("VP8/90 under payload type 96", answer.replace("VP8/90000", "VP8/90")),
        ):
            for description_type in ("answer", "pranswer"):
                with pytest.raises(InvalidAccessError, match=rf"media section 0 \(video\).*{described}"):
                    one.apply_remote(description_type, edited)
                assert visible(one) == before
        assert one.apply_remote("answer", answer).media[0].receive_codecs

    def test_an_answer_cannot_widen_the_direction(self) -> None:
        one, other = media_session(1), media_session(2)
        offering, answering = MediaSide("off1"), MediaSide("ans1")
        offering.add("audio", Direction.SENDONLY)
        offering.update_transceivers(one.apply_local("offer", one.create_offer(offering.media())))
        answering.update_transceivers(other.apply_remote("offer", one.last_created_offer))
        answer = other.create_answer(answering.media()).replace("a=recvonly", "a=sendrecv")
        assert one.apply_remote("answer", answer).media[0].direction is Direction.SENDONLY


@pytest.mark.parametrize(
    "changes",
    [
        {"stream_ids": ("a b",)},
        {"stream_ids": ("",)},
        {"track_id": "a\r\nb"},
        {"cname": "a b"},
        {"stream_ids": ("x" * 256,)},
    ],
)
def test_values_that_would_break_a_description_are_rejected(changes: dict[str, object]) -> None:
    plain: LocalTransceiver = transceiver(1, "audio")
    with pytest.raises(ValueError, match="must be"):
        attrs.evolve(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("rid", ["", "a b", "a;b", "~a", "a" * 256])
def test_syntax_of_rids(rid: str) -> None:
    plain: LocalTransceiver = transceiver(1, "video")
    with pytest.raises(ValueError, match=r"rid .* must be"):
        attrs.evolve(plain, encodings=(Encoding(1, rid=rid),))


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
    assert [(media.kind, media_mid(media)) for media in offered(side)] == [
        ("video", "0"),
        ("audio", "1"),
        ("application", "2"),
    ]
