"""The signaling state machine: every transition, and that rejected descriptions change nothing."""

import copy
import itertools

import pytest

from tests.strategies.jsep_sessions import local_media, make_session, negotiate, visible
from trio_rtc.enums import RTCSdpType, RTCSignalingState
from trio_rtc.errors import InvalidModificationError, InvalidStateError
from trio_rtc.jsep import TRANSITIONS, JsepSession, Side, mermaid

State = RTCSignalingState


def session_in(state: RTCSignalingState) -> JsepSession:
    """Bring a session into a state."""
    session, peer = make_session(1), make_session(2)
    if state in (State.HAVE_LOCAL_OFFER, State.HAVE_REMOTE_PRANSWER):
        session.create_offer(local_media("off1"))
        session.apply_local("offer")
    if state in (State.HAVE_REMOTE_OFFER, State.HAVE_LOCAL_PRANSWER):
        session.apply_remote("offer", peer.create_offer(local_media("off1")))
    if state is State.HAVE_LOCAL_PRANSWER:
        session.create_answer(local_media("ans1"))
        session.apply_local("pranswer")
    if state is State.HAVE_REMOTE_PRANSWER:
        session.apply_remote("pranswer", answer_for(session))
    if state is State.CLOSED:
        session.close()
    assert session.signaling_state is state
    return session


def answer_for(session: JsepSession) -> str:
    peer = make_session(3)
    assert session.pending_local is not None
    peer.apply_remote("offer", session.pending_local.sdp)
    return peer.create_answer(local_media("ans1"))


def apply(session: JsepSession, side: Side, description_type: RTCSdpType) -> None:
    """Apply a description of a type that is valid apart from the state."""
    if side is Side.LOCAL:
        if description_type is RTCSdpType.OFFER and session.signaling_state in (
            State.STABLE,
            State.HAVE_LOCAL_OFFER,
        ):
            session.create_offer(local_media("off2"))
        if description_type in (RTCSdpType.ANSWER, RTCSdpType.PRANSWER) and session.signaling_state in (
            State.HAVE_REMOTE_OFFER,
            State.HAVE_LOCAL_PRANSWER,
        ):
            session.create_answer(local_media("ans2"))
        session.apply_local(description_type)
        return
    answering = description_type in (RTCSdpType.ANSWER, RTCSdpType.PRANSWER)
    is_pending = answering and session.pending_local is not None
    offer = make_session(4).create_offer(local_media("off3"))
    session.apply_remote(description_type, answer_for(session) if is_pending else offer)


@pytest.mark.parametrize(("state", "side", "description_type"), TRANSITIONS)
def test_every_transition(state: State, side: Side, description_type: RTCSdpType) -> None:
    session = session_in(state)
    apply(session, side, description_type)
    assert session.signaling_state is TRANSITIONS[state, side, description_type]


@pytest.mark.parametrize(
    ("state", "side", "description_type"),
    [cell for cell in itertools.product(State, Side, RTCSdpType) if cell not in TRANSITIONS],
)
def test_all_other_transitions_are_rejected_without_effect(
    state: State, side: Side, description_type: RTCSdpType
) -> None:
    session = session_in(state)
    before = visible(session)
    refuse = session.apply_local if side is Side.LOCAL else session.apply_remote
    with pytest.raises(InvalidStateError):
        refuse(description_type, "not even read")
    assert visible(session) == before


@pytest.mark.parametrize("state", State)
def test_descriptions_that_can_be_created(state: State) -> None:
    session = session_in(state)
    if state in (State.STABLE, State.HAVE_LOCAL_OFFER):
        assert session.create_offer(local_media("off1"))
    else:
        with pytest.raises(InvalidStateError):
            session.create_offer(local_media("off1"))
    if state in (State.HAVE_REMOTE_OFFER, State.HAVE_LOCAL_PRANSWER):
        assert session.create_answer(local_media("ans1"))
    else:
        with pytest.raises(InvalidStateError):
            session.create_answer(local_media("ans1"))


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


def test_diagram_has_every_transition() -> None:
    diagram = mermaid()
    assert diagram.startswith("stateDiagram-v2\n")
    arrows = [line for line in diagram.splitlines() if ":" in line]
    assert len(arrows) == len(TRANSITIONS)
    assert "    have_remote_offer --> have_local_pranswer: local pranswer" in arrows
    assert 'state "have-local-offer" as have_local_offer' in diagram
