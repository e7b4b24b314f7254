"""What an ICE agent tells."""

import attrs

from trio_rtc.enums import RTCIceGathererState, RTCIceTransportState

from .candidate import Candidate
from .state import CandidatePair, IceRole


@attrs.frozen
class LocalCandidateGathered:
    """A candidate to tell the peer.

    Attributes:
        candidate: The candidate.
        url: The server that it came from; None for host candidates.
    """

    candidate: Candidate
    url: str | None = None


@attrs.frozen
class GatheringStateChanged:
    """Gathering began or ended."""

    state: RTCIceGathererState


@attrs.frozen
class GatheringCompleted:
    """No further candidates will come in this generation: end-of-candidates."""


@attrs.frozen
class CandidateErrorOccurred:
    """A STUN server gave no candidate (W3C ``icecandidateerror``).

    Attributes:
        address: The local address, or None when no local address could reach the server.
        port: The local port, or None.
        url: URL of the server.
        error_code: STUN error code, or 701 when there was no answer.
        error_text: The server's reason phrase or ours.
    """

    address: str | None
    port: int | None
    url: str
    error_code: int
    error_text: str


@attrs.frozen
class StateChanged:
    """The state of the transport changed."""

    state: RTCIceTransportState


@attrs.frozen
class SelectedPairChanged:
    """Data is sent on another pair from now on.

    Attributes:
        pair: The pair, None when there is no usable one any more.
        after_silence: Whether checks of the pair before it are unanswered. Then what was sent on it lately may be lost.
    """

    pair: CandidatePair | None
    after_silence: bool = False


@attrs.frozen
class RoleChanged:
    """A role conflict was resolved against us (RFC 8445 section 7.3.1.1), or the peer is a lite agent."""

    role: IceRole


@attrs.frozen
class NameResolutionRequested:
    """A remote candidate has a ``.local`` name; answer with ``Agent.remote_name_resolved``."""

    name: str


@attrs.frozen
class IceClosed:
    """The agent has ended.

    Attributes:
        error: None after ``close``, else why.
    """

    error: Exception | None = None


IceEvent = (
    LocalCandidateGathered
    | GatheringStateChanged
    | GatheringCompleted
    | CandidateErrorOccurred
    | StateChanged
    | SelectedPairChanged
    | RoleChanged
    | NameResolutionRequested
    | IceClosed
)
