"""The descriptions of a JSEP session: pending, current, rolled back."""

import copy

import pytest

from tests.strategies.jsep_sessions import (
    answer_for,
    local_media,
    make_session,
    negotiate,
    session_in,
    visible,
)
from trio_rtc.enums import RTCSignalingState
from trio_rtc.errors import InvalidModificationError, InvalidStateError

State = RTCSignalingState


def test_descriptions_move_unchanged_from_pending_to_current() -> None:
    session = session_in(State.HAVE_REMOTE_OFFER)
    offer = session.pending_remote
    assert session.remote_description is offer
    session.create_answer(local_media("ans1"))
    session.apply_local("pranswer")
    pranswer = session.pending_local
    assert pranswer is not None
    assert pranswer.type == "pranswer"
    assert (session.current_local, session.current_remote) == (None, None)
    session.apply_local("answer")
    assert session.current_remote is offer
    assert session.current_local is not None
    assert session.current_local.sdp == pranswer.sdp
    assert (session.pending_local, session.pending_remote) == (None, None)
    assert session.local_description is session.local_description


def test_empty_sdp_means_the_last_created() -> None:
    session = make_session()
    offer = session.create_offer(local_media())
    assert session.last_created_offer == offer
    session.apply_local("offer", "")
    assert session.pending_local is not None
    assert session.pending_local.sdp == offer


def test_applying_requires_a_created_description() -> None:
    session = make_session()
    with pytest.raises(InvalidStateError):
        session.apply_local("offer")
    session.apply_remote("offer", make_session(2).create_offer(local_media()))
    with pytest.raises(InvalidStateError):
        session.apply_local("answer")


def test_changed_text_is_rejected() -> None:
    session = make_session()
    offer = session.create_offer(local_media())
    before = visible(session)
    with pytest.raises(InvalidModificationError):
        session.apply_local("offer", offer.replace("5000", "5001"))
    assert visible(session) == before
    session.apply_local("offer", offer)


def test_an_older_offer_is_rejected() -> None:
    session = make_session()
    old = session.create_offer(local_media("gen1"))
    new = session.create_offer(local_media("gen2"))
    with pytest.raises(InvalidModificationError):
        session.apply_local("offer", old)
    session.apply_local("offer", new)


def test_created_descriptions_are_dropped_after_the_exchange() -> None:
    session, peer = make_session(1), make_session(2)
    offer = session.create_offer(local_media("off1"))
    negotiate(peer, session)
    with pytest.raises(InvalidModificationError):
        session.apply_local("offer", offer)
    assert (session.last_created_offer, session.last_created_answer) == ("", "")


def test_an_answer_belongs_to_its_offer() -> None:
    session = session_in(State.HAVE_REMOTE_OFFER)
    answer = session.create_answer(local_media("ans1"))
    session.apply_remote("offer", make_session(5).create_offer(local_media("off2")))
    with pytest.raises(InvalidModificationError):
        session.apply_local("answer", answer)


def test_rollback_of_the_first_offer_closes_its_transport() -> None:
    session = session_in(State.HAVE_LOCAL_OFFER)
    applied = session.apply_local("rollback", "ignored")
    assert (applied.transport, applied.closed_mids) == (None, ("0",))
    assert applied.signaling_state_changed
    assert not applied.negotiated
    assert session.local_description is None


def test_rollback_returns_to_the_negotiated_state() -> None:
    first, second = make_session(1), make_session(2)
    plan = negotiate(first, second).local_answer.transport
    before = second.current_local, second.current_remote
    restarted = second.apply_remote("offer", first.create_offer(local_media("off2"))).transport
    assert restarted is not None
    assert restarted.ice_restart
    rolled_back = second.apply_remote("rollback")
    assert rolled_back.transport == plan
    assert rolled_back.closed_mids == ()
    assert (second.current_local, second.current_remote) == before
    assert (second.local_description, second.remote_description) == before


def test_a_rolled_back_version_is_not_reused() -> None:
    session = make_session()
    for generation, version in (("gen1", " 1 IN"), ("gen2", " 2 IN"), ("gen3", " 3 IN")):
        assert version in session.create_offer(local_media(generation)).splitlines()[1]
        session.apply_local("offer")
        session.apply_local("rollback")


def test_glare_is_resolved_by_rolling_back() -> None:
    polite, impolite = make_session(1), make_session(2)
    polite.create_offer(local_media("pol1"))
    polite.apply_local("offer")
    offer = impolite.create_offer(local_media("imp1"))
    impolite.apply_local("offer")
    polite.apply_local("rollback")
    plan = polite.apply_remote("offer", offer).transport
    assert plan is not None
    assert not plan.controlling
    impolite.apply_remote("answer", polite.create_answer(local_media("pol1")))
    polite.apply_local("answer")
    assert polite.signaling_state == impolite.signaling_state == State.STABLE


def test_a_rejecting_provisional_answer_closes_nothing_yet() -> None:
    session = make_session()
    offer = session.create_offer(local_media("off1"))
    session.apply_local("offer")
    rejection = answer_for(session).replace("application 9", "application 0")
    rejection = rejection.replace("a=group:BUNDLE 0", "a=group:BUNDLE")
    provisional = session.apply_remote("pranswer", rejection)
    assert (provisional.transport, provisional.closed_mids) == (None, ())
    assert provisional.rejected_mids == ("0",)
    accepted = copy.copy(session)
    assert session.apply_remote("answer", rejection).closed_mids == ("0",)
    peer = make_session(3)
    peer.apply_remote("offer", offer)
    assert accepted.apply_remote("answer", peer.create_answer(local_media("ans1"))).transport is not None


def test_a_shallow_copy_is_a_snapshot() -> None:
    session = session_in(State.HAVE_LOCAL_OFFER)
    before = visible(session)
    trial = copy.copy(session)
    trial.apply_local("rollback")
    trial.apply_remote("offer", make_session(5).create_offer(local_media("off2")))
    trial.add_remote_candidate("0", 0, None, "candidate:1 1 udp 1 192.0.2.1 1 typ host")
    assert visible(session) == before


def test_closed_session_keeps_its_descriptions() -> None:
    session, peer = make_session(1), make_session(2)
    negotiate(session, peer)
    before = session.current_local
    session.close()
    session.close()
    assert session.current_local is before
    with pytest.raises(InvalidStateError):
        session.add_remote_candidate("0", 0, None, None)


def test_unknown_type_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="counteroffer"):
        make_session().apply_remote("counteroffer", "")
