"""The signaling state machine, as a literal table (RFC 9429 section 3.2, W3C webrtc section 4.3.1).

Each side can roll back only its own offer. Provisional answers cannot be rolled back, only followed by another one or
by the answer.
"""

from collections.abc import Mapping
from enum import StrEnum

from trio_rtc.enums import RTCSdpType, RTCSignalingState
from trio_rtc.errors import InvalidStateError

_State = RTCSignalingState
_Type = RTCSdpType


class Side(StrEnum):
    """The side that created a description."""

    LOCAL = "local"
    REMOTE = "remote"


TRANSITIONS: Mapping[tuple[RTCSignalingState, Side, RTCSdpType], RTCSignalingState] = {
    (_State.STABLE, Side.LOCAL, _Type.OFFER): _State.HAVE_LOCAL_OFFER,
    (_State.STABLE, Side.REMOTE, _Type.OFFER): _State.HAVE_REMOTE_OFFER,
    (_State.HAVE_LOCAL_OFFER, Side.LOCAL, _Type.OFFER): _State.HAVE_LOCAL_OFFER,
    (_State.HAVE_LOCAL_OFFER, Side.LOCAL, _Type.ROLLBACK): _State.STABLE,
    (_State.HAVE_LOCAL_OFFER, Side.REMOTE, _Type.PRANSWER): _State.HAVE_REMOTE_PRANSWER,
    (_State.HAVE_LOCAL_OFFER, Side.REMOTE, _Type.ANSWER): _State.STABLE,
    (_State.HAVE_REMOTE_PRANSWER, Side.REMOTE, _Type.PRANSWER): _State.HAVE_REMOTE_PRANSWER,
    (_State.HAVE_REMOTE_PRANSWER, Side.REMOTE, _Type.ANSWER): _State.STABLE,
    (_State.HAVE_REMOTE_OFFER, Side.REMOTE, _Type.OFFER): _State.HAVE_REMOTE_OFFER,
    (_State.HAVE_REMOTE_OFFER, Side.REMOTE, _Type.ROLLBACK): _State.STABLE,
    (_State.HAVE_REMOTE_OFFER, Side.LOCAL, _Type.PRANSWER): _State.HAVE_LOCAL_PRANSWER,
    (_State.HAVE_REMOTE_OFFER, Side.LOCAL, _Type.ANSWER): _State.STABLE,
    (_State.HAVE_LOCAL_PRANSWER, Side.LOCAL, _Type.PRANSWER): _State.HAVE_LOCAL_PRANSWER,
    (_State.HAVE_LOCAL_PRANSWER, Side.LOCAL, _Type.ANSWER): _State.STABLE,
}
"""The next state by state, side and type; an absent key is an ``InvalidStateError``."""


def next_state(state: RTCSignalingState, side: Side, description_type: RTCSdpType) -> RTCSignalingState:
    """Return the signaling state after a description.

    Raises:
        InvalidStateError: The description is not allowed in this state.
    """
    target = TRANSITIONS.get((state, side, description_type))
    if target is None:
        raise InvalidStateError(f"a {side} {description_type} is not allowed in the signaling state {state}")
    return target


def mermaid() -> str:
    """Return the table as a Mermaid state diagram, for the documentation."""
    states = dict.fromkeys(state for state, _, _ in TRANSITIONS)
    lines = ["stateDiagram-v2"]
    lines.extend(f'    state "{state}" as {_identifier(state)}' for state in states if "-" in state)
    lines.append(f"    [*] --> {_identifier(RTCSignalingState.STABLE)}")
    for (state, side, description_type), target in TRANSITIONS.items():
        lines.append(f"    {_identifier(state)} --> {_identifier(target)}: {side} {description_type}")
    return "\n".join(lines) + "\n"


def _identifier(state: RTCSignalingState) -> str:
    return state.replace("-", "_")
