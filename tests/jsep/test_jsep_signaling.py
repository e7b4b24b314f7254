"""The signaling state machine: every transition, and that all others are rejected."""

import itertools

import pytest

from tests.strategies.jsep_sessions import answer_for, local_media, make_session, session_in, visible
from trio_rtc.enums import RTCSdpType, RTCSignalingState
from trio_rtc.errors import InvalidStateError
from trio_rtc.jsep import TRANSITIONS, JsepSession, Side, mermaid

State = RTCSignalingState


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


def test_diagram_has_every_transition() -> None:
    diagram = mermaid()
    assert diagram.startswith("stateDiagram-v2\n")
    arrows = [line for line in diagram.splitlines() if ":" in line]
    assert len(arrows) == len(TRANSITIONS)
    assert "    have_remote_offer --> have_local_pranswer: local pranswer" in arrows
    assert 'state "have-local-offer" as have_local_offer' in diagram
