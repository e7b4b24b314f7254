"""What the transports tell, turned into what W3C's objects show: states, events, candidates.

The monitor owns the views of the transports (RTCIceTransport, RTCDtlsTransport, RTCSctpTransport) and the states of
the peer connection that are computed from them. Everything is synchronous: when a handler sees an event, every
state already tells the same.
"""

from collections.abc import Callable

import attrs

from .aggregate_states import connection_state, gathering_state, ice_connection_state
from .channel_table import ChannelTable
from .descriptions import RTCIceCandidate
from .enums import (
    RTCDtlsTransportState,
    RTCErrorDetailType,
    RTCIceConnectionState,
    RTCIceGathererState,
    RTCIceGatheringState,
    RTCPeerConnectionState,
)
from .errors import RTCError
from .event_target import AnyEvent, HandlerRunner
from .events import Event, RTCPeerConnectionIceErrorEvent, RTCPeerConnectionIceEvent
from .protocols.datachannel import DataChannelEvent
from .protocols.dtls import ApplicationDataReceived, DtlsEvent, HandshakeCompleted
from .protocols.dtls import Closed as DtlsClosed
from .protocols.ice import (
    Agent,
    Candidate,
    CandidateErrorOccurred,
    GatheringCompleted,
    GatheringStateChanged,
    IceEvent,
    LocalCandidateGathered,
    NameResolutionRequested,
    RoleChanged,
    SelectedPairChanged,
    StateChanged,
)
from .protocols.ice import Closed as IceClosed
from .protocols.sctp import AssociationEstablished, SctpEvent
from .protocols.sctp import Closed as AssociationClosed
from .transport_objects import RTCDtlsTransport, RTCIceTransport, RTCSctpTransport, error_of_dtls

CAUSE_USER_INITIATED_ABORT = 12
"""RFC 9260 section 3.3.10.12."""


@attrs.define(eq=False)
class ConnectionMonitor:
    """Watches the stack of one peer connection (see ``StackOwner``).

    Attributes:
        target: The peer connection, as the target of its events.
        fire: Lets an event happen to it.
        runner: Runs the handlers.
        channels: The data channels.
        candidate_gathered: Hears of every local candidate by mid, line and username fragment; the line is
            ``None`` when there are no more.
        mid: The media section of the transport, once negotiated.
        m_line_index: The same by index.
        ice_transport: The view of ICE, ``None`` until negotiated.
        dtls_transport: The view of DTLS, ``None`` until negotiated.
        sctp_transport: The view of SCTP, ``None`` until negotiated.
        handshake: What the DTLS handshake has brought.
    """

    target: object
    fire: Callable[[AnyEvent], None]
    runner: HandlerRunner
    channels: ChannelTable
    candidate_gathered: Callable[[str, str | None, str | None], None]
    mid: str | None = None
    m_line_index: int | None = None
    ice_transport: RTCIceTransport | None = None
    dtls_transport: RTCDtlsTransport | None = None
    sctp_transport: RTCSctpTransport | None = None
    handshake: HandshakeCompleted | None = None
    ice_gathering_state: RTCIceGatheringState = RTCIceGatheringState.NEW
    ice_connection_state: RTCIceConnectionState = RTCIceConnectionState.NEW
    connection_state: RTCPeerConnectionState = RTCPeerConnectionState.NEW
    _closed: bool = False

    def show_transports(self, agent: Agent, mid: str, m_line_index: int) -> None:
        """Make the views when a description first has a section for them."""
        self.mid, self.m_line_index = mid, m_line_index
        if self.ice_transport is None:
            self.ice_transport = RTCIceTransport(agent, mid, self.runner)
            self.dtls_transport = RTCDtlsTransport(self.ice_transport, self.runner)
            self.sctp_transport = RTCSctpTransport(self.dtls_transport, self.runner)

    def forget_transports(self) -> None:
        """Drop the views when the offer that had made them is rolled back."""
        self.ice_transport = self.dtls_transport = self.sctp_transport = None

    def max_message_size(self) -> float:
        """Return the bytes of the largest message that the peer takes."""
        return 65536 if self.sctp_transport is None else self.sctp_transport.max_message_size

    def close(self) -> None:
        """Close everything at once and silently (W3C webrtc section 4.4.1.10)."""
        self._closed = True
        for view in (self.sctp_transport, self.dtls_transport, self.ice_transport):
            if view is not None:
                view._close()
        self.channels.close_silently()
        self.ice_connection_state = RTCIceConnectionState.CLOSED
        self.connection_state = RTCPeerConnectionState.CLOSED

    # -- events of the stack -----------------------------------------------------------------------------------

    def handle_ice_event(self, event: IceEvent) -> None:
        """Hear of an event of ICE."""
        if self._closed or self.ice_transport is None:
            return
        match event:
            case LocalCandidateGathered():
                self._add_local_candidate(event.candidate, event.url)
            case GatheringStateChanged():
                self._gathering_state_changed(event.state)
            case GatheringCompleted():
                pass
            case CandidateErrorOccurred():
                self._report_candidate_error(event)
            case StateChanged():
                self.ice_transport._set_state(event.state)
                self.update_states()
            case SelectedPairChanged():
                self.ice_transport._set_pair(event.pair)
            case RoleChanged() | NameResolutionRequested() | IceClosed():
                pass

    def handle_dtls_event(self, event: DtlsEvent) -> None:
        """Hear of an event of DTLS."""
        if self._closed or self.dtls_transport is None:
            return
        match event:
            case HandshakeCompleted():
                self.handshake = event
                self.dtls_transport._set_remote_certificate(event.remote_certificate)
                self.dtls_transport._set_state(RTCDtlsTransportState.CONNECTED)
            case DtlsClosed():
                self._dtls_closed(event)
            case ApplicationDataReceived():
                pass
        self.update_states()

    def handshake_started(self) -> None:
        """Hear that DTLS has begun its handshake."""
        if not self._closed and self.dtls_transport is not None:
            self.dtls_transport._set_state(RTCDtlsTransportState.CONNECTING)
            self.update_states()

    def handle_sctp_event(self, event: SctpEvent) -> None:
        """Hear of an event of SCTP."""
        if self._closed or self.sctp_transport is None:
            return
        if isinstance(event, AssociationEstablished):
            self.sctp_transport._become_connected(min(event.inbound_streams, event.outbound_streams))
        elif isinstance(event, AssociationClosed):
            error = event.error
            # The peer's goodbye is an ABORT with this cause: an orderly end, not a failure.
            if error is not None and error.cause_code != CAUSE_USER_INITIATED_ABORT:
                self.channels.fail_with(
                    RTCError(RTCErrorDetailType.SCTP_FAILURE, error.reason, sctp_cause_code=error.cause_code)
                )
            self.sctp_transport._become_closed()

    def handle_channel_event(self, event: DataChannelEvent) -> None:
        """Hear of an event of a data channel."""
        if not self._closed:
            self.channels.handle_event(event)

    # -- inside ------------------------------------------------------------------------------------------------

    def update_states(self) -> None:
        """Compute the states of the peer connection anew, and fire what has changed."""
        ice = [] if self.ice_transport is None else [self.ice_transport.state]
        dtls = [] if self.dtls_transport is None else [self.dtls_transport.state]
        new_ice_connection_state = ice_connection_state(ice)
        new_connection_state = connection_state(ice, dtls)
        ice_changed = new_ice_connection_state is not self.ice_connection_state
        connection_changed = new_connection_state is not self.connection_state
        self.ice_connection_state = new_ice_connection_state
        self.connection_state = new_connection_state
        if ice_changed:
            self.fire(Event("ice_connection_state_change", self.target))
        if connection_changed:
            self.fire(Event("connection_state_change", self.target))

    def _add_local_candidate(self, candidate: Candidate, url: str | None) -> None:
        assert self.ice_transport is not None
        line = candidate.to_sdp()
        w3c_candidate = RTCIceCandidate(
            line, self.mid, self.m_line_index, candidate.username_fragment, url=url
        )
        self.ice_transport._local_candidates.append(w3c_candidate)
        self.candidate_gathered(self.mid or "", line, candidate.username_fragment)
        self.fire(RTCPeerConnectionIceEvent("ice_candidate", self.target, w3c_candidate, url))

    def _gathering_state_changed(self, state: RTCIceGathererState) -> None:
        assert self.ice_transport is not None
        complete = state is RTCIceGathererState.COMPLETE
        if complete:
            parameters = self.ice_transport.get_local_parameters()
            fragment = None if parameters is None else parameters.username_fragment
            self.candidate_gathered(self.mid or "", None, fragment)
            end = RTCIceCandidate("", self.mid, self.m_line_index, fragment)
            self.fire(RTCPeerConnectionIceEvent("ice_candidate", self.target, end))
        self.ice_transport._set_gathering_state(state)
        new_state = gathering_state([self.ice_transport.gathering_state])
        if new_state is not self.ice_gathering_state:
            self.ice_gathering_state = new_state
            self.fire(Event("ice_gathering_state_change", self.target))
        if complete:
            self.fire(RTCPeerConnectionIceEvent("ice_candidate", self.target, None))

    def _report_candidate_error(self, event: CandidateErrorOccurred) -> None:
        self.fire(
            RTCPeerConnectionIceErrorEvent(
                "ice_candidate_error",
                self.target,
                event.address,
                event.port,
                event.url,
                event.error_code,
                event.error_text,
            )
        )

    def _dtls_closed(self, event: DtlsClosed) -> None:
        assert self.dtls_transport is not None
        error = error_of_dtls(event)
        if error is None:
            self.dtls_transport._set_state(RTCDtlsTransportState.CLOSED)
            return
        self.channels.fail_with(error)
        self.dtls_transport._set_state(RTCDtlsTransportState.FAILED)
        self.dtls_transport._fail(error)
