"""Audio and video in whole exchanges: what is offered, what is answered, and the plans that come of it."""

import pytest

from tests.strategies.descriptions import REAL_OFFERS
from tests.strategies.transceivers import MediaSide, exchange, media_session
from trio_rtc.enums import RTCRtpTransceiverDirection as Direction
from trio_rtc.protocols.sdp import parse


def test_audio_and_video_both_ways() -> None:
    offering, answering = MediaSide("off1", data_channels=True), MediaSide("ans1")
    for side in (offering, answering):
        for kind in ("audio", "video"):
            side.add(kind, added_by_track=True)
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
    assert not one.negotiation_needed(offering.media(), ice_restart=False)
    assert not other.negotiation_needed(answering.media(), ice_restart=False)


@pytest.mark.parametrize("name", REAL_OFFERS)
def test_real_offers_are_accepted_whole(name: str) -> None:
    offer = parse(REAL_OFFERS[name])
    session, side = media_session(), MediaSide("ans1")
    side.note(session.apply_remote("offer", REAL_OFFERS[name], side.transceivers))
    answer = parse(session.create_answer(side.media()))
    applied = session.apply_local("answer")
    assert [(media.kind, bool(media.port)) for media in answer.media] == [
        (media.kind, True) for media in offer.media
    ]
    assert applied.rejected_mids == ()
    assert applied.transport is not None
    assert len(applied.transport.mids) == len(offer.media)
