"""W3C's transport objects: RTCIceTransport, RTCDtlsTransport, RTCSctpTransport.

They have the state that the application sees; the peer connection updates it with the events of the transports.
"""

import math
from collections.abc import Sequence

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.descriptions import RTCIceCandidate
from trio_rtc.enums import (
    RTCDtlsTransportState,
    RTCErrorDetailType,
    RTCIceCandidateType,
    RTCIceComponent,
    RTCIceGathererState,
    RTCIceRole,
    RTCIceTransportState,
    RTCSctpTransportState,
)
from trio_rtc.errors import RTCError
from trio_rtc.event_target import EventHandler, EventTarget, HandlerRunner
from trio_rtc.events import Event, RTCErrorEvent
from trio_rtc.protocols.dtls import DtlsClosed
from trio_rtc.protocols.ice import Agent, Candidate, CandidatePair

DEFAULT_MAX_MESSAGE_SIZE = 65536
"""Maximum message size in bytes without max-message-size in SDP (RFC 8841 section 6.1)."""


@strict_class
@attrs.frozen
class RTCIceParameters:
    """Credentials of one side (W3C webrtc section 5.6.1)."""

    username_fragment: str
    password: str = attrs.field(repr=False)


@strict_class
@attrs.frozen
class RTCIceCandidatePair:
    """A local and a remote candidate (W3C webrtc section 5.6.2)."""

    local: RTCIceCandidate
    remote: RTCIceCandidate


@attrs.define
class _CandidatesOfOneSide:
    """Candidates of the current and the previous ICE generation, by username fragment.

    Those of the previous one are valid again after the rollback of a restart.
    """

    _generations: dict[str | None, list[RTCIceCandidate]] = attrs.field(factory=dict)

    def add(self, candidate: RTCIceCandidate) -> bool:
        """Add a candidate or end-of-candidates; return whether it is new."""
        fragment = candidate.username_fragment
        candidates = self._generations.setdefault(fragment, [])
        if candidate in candidates:
            return False
        candidates.append(candidate)
        if len(self._generations) > 2:
            del self._generations[next(iter(self._generations))]
        return True

    def of(self, username_fragment: str | None) -> list[RTCIceCandidate]:
        """Return the candidates of a generation."""
        return [
            candidate for candidate in self._generations.get(username_fragment, ()) if candidate.candidate
        ]


@strict_class
class RTCIceTransport(EventTarget):
    """ICE transport (W3C webrtc section 5.6)."""

    EVENTS = frozenset({"state_change", "gathering_state_change", "selected_candidate_pair_change"})

    on_state_change = EventHandler[Event]("state_change")
    on_gathering_state_change = EventHandler[Event]("gathering_state_change")
    on_selected_candidate_pair_change = EventHandler[Event]("selected_candidate_pair_change")

    def __init__(self, agent: Agent, runner: HandlerRunner, *, expose_peer_reflexive: bool = False) -> None:
        super().__init__(runner)
        self._agent = agent
        self._exposes_peer_reflexive = expose_peer_reflexive
        self._state = RTCIceTransportState.NEW
        self._gathering_state = RTCIceGathererState.NEW
        self._local_candidates = _CandidatesOfOneSide()
        self._remote_candidates = _CandidatesOfOneSide()
        self._selected: CandidatePair | None = None
        self._section: tuple[str | None, int | None] = (None, None)
        self._pair: RTCIceCandidatePair | None = None

    @property
    def role(self) -> RTCIceRole:
        """Role of the local ICE agent."""
        return RTCIceRole(self._agent.role.value)

    @property
    def component(self) -> RTCIceComponent:
        """Component; always ``rtp``, since RTCP is multiplexed."""
        return RTCIceComponent.RTP

    @property
    def state(self) -> RTCIceTransportState:
        """Transport state."""
        return self._state

    @property
    def gathering_state(self) -> RTCIceGathererState:
        """Gathering state."""
        return self._gathering_state

    def get_local_candidates(self) -> list[RTCIceCandidate]:
        """Return the local candidates of this ICE generation."""
        return self._local_candidates.of(self._agent.local_parameters.username_fragment)

    def get_remote_candidates(self) -> list[RTCIceCandidate]:
        """Return the peer's candidates of this ICE generation."""
        parameters = self._agent.remote_parameters
        return [] if parameters is None else self._remote_candidates.of(parameters.username_fragment)

    def get_selected_candidate_pair(self) -> RTCIceCandidatePair | None:
        """Return the selected pair, or ``None``.

        A peer-reflexive remote candidate has no address until the peer has signaled it.
        """
        before, now = self._selected, self._agent.selected_pair
        if before is not None and now is not None and before.remote != now.remote and before.path == now.path:
            # The peer has signaled the candidate of this path.
            self._set_pair(now, *self._section)
        return self._pair

    def get_local_parameters(self) -> RTCIceParameters | None:
        """Return the local credentials."""
        parameters = self._agent.local_parameters
        return RTCIceParameters(parameters.username_fragment, parameters.password)

    def get_remote_parameters(self) -> RTCIceParameters | None:
        """Return the peer's credentials, ``None`` until they are known."""
        parameters = self._agent.remote_parameters
        if parameters is None:
            return None
        return RTCIceParameters(parameters.username_fragment, parameters.password)

    # -- updates by the peer connection ------------------------------------------------------------------------

    def _add_local_candidate(self, candidate: RTCIceCandidate) -> bool:
        return self._local_candidates.add(candidate)

    def _add_remote_candidate(self, candidate: RTCIceCandidate) -> bool:
        return self._remote_candidates.add(candidate)

    def _set_pair(self, pair: CandidatePair | None, mid: str | None, m_line_index: int | None) -> None:
        self._selected, self._section = pair, (mid, m_line_index)
        if pair is None:
            self._pair = None
        else:
            local = _find(self.get_local_candidates(), pair.local)
            remote = _find(self.get_remote_candidates(), pair.remote)
            if remote is None and self._hides(pair.remote):
                remote = RTCIceCandidate._peer_reflexive(pair.remote, mid, m_line_index)
            self._pair = RTCIceCandidatePair(
                local or _as_w3c(pair.local, mid, m_line_index),
                remote or _as_w3c(pair.remote, mid, m_line_index),
            )

    def _hides(self, remote: Candidate) -> bool:
        """Return whether the address of a remote candidate is hidden, as the peer has not signaled it."""
        return remote.type is RTCIceCandidateType.PRFLX and not self._exposes_peer_reflexive

    def _become_closed(self, *, with_event: bool) -> None:
        if self._state is not RTCIceTransportState.CLOSED:
            self._state = RTCIceTransportState.CLOSED
            if with_event:
                self._fire(Event("state_change", self))
        self._end_events()

    def _close(self) -> None:
        self._end_events()
        self._state = RTCIceTransportState.CLOSED


def _find(candidates: Sequence[RTCIceCandidate], candidate: Candidate) -> RTCIceCandidate | None:
    """Return the signaled candidate; ``None`` for a peer-reflexive one."""
    key = (candidate.type, candidate.protocol, candidate.address, candidate.port)
    return next(
        (each for each in candidates if (each.type, each.protocol, each.address, each.port) == key), None
    )


def _as_w3c(candidate: Candidate, mid: str | None, m_line_index: int | None) -> RTCIceCandidate:
    return RTCIceCandidate(candidate.to_sdp(), mid, m_line_index, candidate.username_fragment)


@strict_class
class RTCDtlsTransport(EventTarget):
    """DTLS transport (W3C webrtc section 5.5)."""

    EVENTS = frozenset({"state_change", "error"})

    on_state_change = EventHandler[Event]("state_change")
    on_error = EventHandler[RTCErrorEvent]("error")

    def __init__(self, ice_transport: RTCIceTransport, runner: HandlerRunner) -> None:
        super().__init__(runner)
        self._ice_transport = ice_transport
        self._state = RTCDtlsTransportState.NEW
        self._remote_certificates: list[bytes] = []

    @property
    def ice_transport(self) -> RTCIceTransport:
        """ICE transport below."""
        return self._ice_transport

    @property
    def state(self) -> RTCDtlsTransportState:
        """DTLS state."""
        return self._state

    def get_remote_certificates(self) -> list[bytes]:
        """Return the peer's certificates in DER; empty before the handshake is complete."""
        return list(self._remote_certificates)

    # -- updates by the peer connection ------------------------------------------------------------------------

    def _reset(self) -> None:
        self._state = RTCDtlsTransportState.NEW
        self._remote_certificates = []

    def _set_remote_certificate(self, certificate: bytes) -> None:
        self._remote_certificates = [certificate]

    def _become_closed(self, *, with_event: bool) -> None:
        if self._state is not RTCDtlsTransportState.CLOSED:
            self._state = RTCDtlsTransportState.CLOSED
            if with_event:
                self._fire(Event("state_change", self))
        self._end_events()

    def _close(self) -> None:
        self._end_events()
        self._state = RTCDtlsTransportState.CLOSED
        self._ice_transport._close()


@strict_class
class RTCSctpTransport(EventTarget):
    """SCTP transport of the data channels (W3C webrtc section 6.1)."""

    EVENTS = frozenset({"state_change"})

    on_state_change = EventHandler[Event]("state_change")

    def __init__(self, transport: RTCDtlsTransport, runner: HandlerRunner) -> None:
        super().__init__(runner)
        self._transport = transport
        self._state = RTCSctpTransportState.CONNECTING
        self._max_message_size: float | None = None
        self._max_channels: int | None = None

    @property
    def transport(self) -> RTCDtlsTransport:
        """DTLS transport below."""
        return self._transport

    @property
    def state(self) -> RTCSctpTransportState:
        """State of the association."""
        return self._state

    @property
    def max_message_size(self) -> float | None:
        """Maximum size in bytes of a sent message.

        ``math.inf`` if the peer sets no limit; ``None`` until an answer has negotiated the transport.
        """
        return self._max_message_size

    @property
    def max_channels(self) -> int | None:
        """Maximum number of channels; ``None`` until the association is established."""
        return self._max_channels

    # -- updates by the peer connection ------------------------------------------------------------------------

    def _negotiate(self, transport: RTCDtlsTransport, size: int) -> None:
        # The answer can bundle the section with others, on another transport than the offer's.
        self._transport = transport
        # RFC 8841 section 6.1: 0 means any size.
        self._max_message_size = math.inf if size == 0 else size

    def _become_connected(self, max_channels: int) -> None:
        self._max_channels = max_channels
        self._state = RTCSctpTransportState.CONNECTED
        self._fire(Event("state_change", self))

    def _become_closed(self) -> None:
        if self._state is not RTCSctpTransportState.CLOSED:
            self._state = RTCSctpTransportState.CLOSED
            self._fire(Event("state_change", self))

    def _close(self) -> None:
        self._end_events()
        self._state = RTCSctpTransportState.CLOSED


def error_of_dtls(event: DtlsClosed) -> RTCError | None:
    """Return W3C's error for a closed DTLS connection, ``None`` after a close_notify."""
    error = event.error
    if error is None:
        return None
    if error.detail is not RTCErrorDetailType.DTLS_FAILURE:
        # W3C webrtc section 5.5: a fingerprint-failure has no alerts, although one is sent.
        return RTCError(error.detail, error.message)
    return RTCError(
        error.detail, error.message, received_alert=error.received_alert, sent_alert=error.sent_alert
    )
