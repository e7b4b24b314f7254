"""Events of an ICE agent."""

from trio_rtc import _attrs as attrs
from trio_rtc.enums import RTCIceGathererState, RTCIceServerTransportProtocol, RTCIceTransportState

from .candidate import Candidate
from .state import CandidatePair, IceRole


@attrs.frozen
class LocalCandidateGathered:
    """A local candidate must be signaled to the peer.

    Attributes:
        url: URL of the STUN or TURN server; ``None`` for host candidates.
        relay_protocol: Protocol between client and TURN server; ``None`` for candidates that are not relayed.
    """

    candidate: Candidate
    url: str | None = None
    relay_protocol: RTCIceServerTransportProtocol | None = None


@attrs.frozen
class GatheringStateChanged:
    """The gathering state changed."""

    state: RTCIceGathererState


@attrs.frozen
class GatheringCompleted:
    """Gathering is complete in this generation: end-of-candidates."""


@attrs.frozen
class CandidateErrorOccurred:
    """A STUN or TURN server gave no candidate (W3C ``icecandidateerror``).

    Attributes:
        address: Local address, or ``None`` if the server is not reachable from any.
        port: Local port, or ``None``.
        url: URL of the server.
        error_code: STUN error code, or 701 without a response.
        error_text: Reason phrase of the server, or a local error text.
    """

    address: str | None
    port: int | None
    url: str
    error_code: int
    error_text: str


@attrs.frozen
class StateChanged:
    """The transport state changed."""

    state: RTCIceTransportState


@attrs.frozen
class SelectedPairChanged:
    """The selected pair changed.

    Attributes:
        pair: The selected pair, ``None`` if there is no usable one.
        after_silence: Whether checks of the previous pair are unanswered, so that recently sent data may be lost.
        state: State of the transport with this pair, which W3C sets in the same task (webrtc section 5.6). If it is
            new, a ``StateChanged`` follows.
    """

    pair: CandidatePair | None
    after_silence: bool = False
    state: RTCIceTransportState | None = attrs.field(default=None, eq=False)


@attrs.frozen
class RoleChanged:
    """The role changed: by a role conflict (RFC 8445 section 7.3.1.1), or because the peer is a lite agent."""

    role: IceRole


@attrs.frozen
class NameResolutionRequested:
    """A remote candidate has a ``.local`` name; resolve it and call ``Agent.remote_name_resolved``."""

    name: str


@attrs.frozen
class IceClosed:
    """The agent is closed; ``error`` is the cause, ``None`` after ``close``."""

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
