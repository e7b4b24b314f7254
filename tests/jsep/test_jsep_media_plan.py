"""The plans of media sections."""

import pytest

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.jsep_sessions import visible, without
from tests.strategies.transceivers import (
    RTX,
    VP8,
    MediaSide,
    media_session,
)
from trio_rtc.enums import RTCRtpTransceiverDirection as Direction
from trio_rtc.errors import InvalidAccessError
from trio_rtc.jsep import MediaPlan
from trio_rtc.protocols.rtp import Encoding

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
        # RFC 3264 section 6.1: the answer to a section that only sends must be recvonly or inactive.
        with pytest.raises(InvalidAccessError, match="must not be sendrecv after an offer that is sendonly"):
            one.apply_remote("answer", answer)
        assert one.signaling_state == "have-local-offer"
