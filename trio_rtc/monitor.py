"""What the transports tell, turned into what W3C's objects show: states, events, candidates.

The monitor owns the views of the transports (RTCIceTransport, RTCDtlsTransport, RTCSctpTransport) and the states of
the peer connection that are computed from them. Everything is synchronous: when a handler sees an event, every
state already tells the same.
"""

from collections.abc import Callable
from functools import partial

import attrs

from .aggregate_states import connection_state, gathering_state, ice_connection_state
from .channel_table import ChannelTable
from .descriptions import RTCIceCandidate
from .enums import (
    RTCDtlsTransportState,
    RTCErrorDetailType,
    RTCIceConnectionState,
    RTCIceGatheringState,
    RTCPeerConnectionState,
)
from .errors import RTCError
from .event_target import AnyEvent, EventTarget, HandlerRunner
from .events import Event, RTCErrorEvent, RTCPeerConnectionIceErrorEvent, RTCPeerConnectionIceEvent
from .media_link import MediaLink
from .pair_traffic import PairTraffic
from .peer_departure import PeerDeparture
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
from .protocols.rtp import RtpEvent
from .protocols.sctp import AssociationEstablished, SctpEvent
from .protocols.sctp import Closed as AssociationClosed
from .transport_objects import (
    DEFAULT_MAX_MESSAGE_SIZE,
    RTCDtlsTransport,
    RTCIceTransport,
    RTCSctpTransport,
    error_of_dtls,
)

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
        traffic: Counts the traffic of each pair.
        media: Hears of the events of RTP.
        departure: Whether the peer has left.
    """

    target: object
    fire: Callable[[AnyEvent], None]
    runner: HandlerRunner
    channels: ChannelTable
    candidate_gathered: Callable[[str, str | None, str | None], None]
    media: MediaLink
    mid: str | None = None
    m_line_index: int | None = None
    ice_transport: RTCIceTransport | None = None
    dtls_transport: RTCDtlsTransport | None = None
    sctp_transport: RTCSctpTransport | None = None
    handshake: HandshakeCompleted | None = None
    traffic: PairTraffic = attrs.field(factory=PairTraffic)
    departure: PeerDeparture = attrs.field(factory=PeerDeparture)
    ice_gathering_state: RTCIceGatheringState = RTCIceGatheringState.NEW
    ice_connection_state: RTCIceConnectionState = RTCIceConnectionState.NEW
    connection_state: RTCPeerConnectionState = RTCPeerConnectionState.NEW
    _ended_association: RTCSctpTransport | None = None
    _closed: bool = False

    def show_transports(self, agent: Agent, mid: str, m_line_index: int) -> None:
        """Make the views when a description of ours first has a section for them."""
        self.mid, self.m_line_index = mid, m_line_index
        if self.ice_transport is None:
            self.ice_transport = RTCIceTransport(agent, self.runner)
            self.dtls_transport = RTCDtlsTransport(self.ice_transport, self.runner)

    def show_association(self, max_message_size: int) -> None:
        """Make the view of SCTP when an answer has negotiated it (W3C webrtc section 4.4.1.5)."""
        assert self.dtls_transport is not None
        if self.sctp_transport is None:
            self.sctp_transport = RTCSctpTransport(self.dtls_transport, self.runner)
            self.channels.forget_failure()
            if self.connection_state is not RTCPeerConnectionState.FAILED and not self._dtls_has_closed:
                # An association that the peer had ended was not the last one.
                self.departure.revoke()
        self.sctp_transport._set_remote_max_message_size(max_message_size)

    def forget_association(self) -> None:
        """Drop the view of SCTP when an exchange has ended the association."""
        self._ended_association, self.sctp_transport = self.sctp_transport, None

    def forget_transports(self) -> None:
        """Drop the views when the offer that had made them is rolled back."""
        self.ice_transport = self.dtls_transport = self.sctp_transport = None

    def description_applied(self) -> None:
        """Fire what a description has changed, after the event of the signaling state."""
        ended, self._ended_association = self._ended_association, None
        if ended is not None:
            ended._become_closed()
        self._update_gathering_state()
        self.update_states()

    def max_message_size(self) -> float:
        """Return the bytes of the largest message that the peer takes."""
        sctp = self.sctp_transport
        return DEFAULT_MAX_MESSAGE_SIZE if sctp is None else sctp.max_message_size

    def close(self) -> None:
        """Close everything at once and silently (W3C webrtc section 4.4.1.10)."""
        self._closed = True
        self.departure.close()
        for view in (self.sctp_transport, self.dtls_transport, self.ice_transport):
            if view is not None:
                view._close()
        self.channels.close_silently()
        self.ice_connection_state = RTCIceConnectionState.CLOSED
        self.connection_state = RTCPeerConnectionState.CLOSED

    # -- events of the stack -----------------------------------------------------------------------------------

    def handle_ice_event(self, event: IceEvent) -> None:
        """Hear of an event of ICE."""
        ice = self.ice_transport
        if self._closed or ice is None:
            return
        match event:
            case LocalCandidateGathered():
                self._add_local_candidate(ice, event.candidate, event.url)
            case GatheringCompleted():
                self._end_local_candidates(ice)
            case GatheringStateChanged():
                ice._set_gathering_state(event.state)
                self._update_gathering_state()
            case CandidateErrorOccurred():
                self._report_candidate_error(event)
            case StateChanged():
                ice._state = event.state
                self.update_states(Event("state_change", ice))
            case SelectedPairChanged():
                self.traffic.select(event.pair)
                ice._set_pair(event.pair, self.mid, self.m_line_index)
            case RoleChanged() | NameResolutionRequested() | IceClosed():
                pass

    def handle_dtls_event(self, event: DtlsEvent) -> None:
        """Handle an event of DTLS, on a later turn if a public method has caused it."""
        self.runner.run_task(partial(self._handle_dtls_event, event))

    def _handle_dtls_event(self, event: DtlsEvent) -> None:
        dtls = self.dtls_transport
        if self._closed or dtls is None:
            return
        match event:
            case HandshakeCompleted():
                self.handshake = event
                dtls._set_remote_certificate(event.remote_certificate)
                dtls._state = RTCDtlsTransportState.CONNECTED
                self.update_states(Event("state_change", dtls))
            case DtlsClosed():
                self._dtls_closed(dtls, error_of_dtls(event))
            case ApplicationDataReceived():
                pass

    def handshake_started(self) -> None:
        """Hear that DTLS has begun its handshake."""
        if not self._closed and self.dtls_transport is not None:
            self.dtls_transport._state = RTCDtlsTransportState.CONNECTING
            self.update_states(Event("state_change", self.dtls_transport))

    def handle_sctp_event(self, event: SctpEvent) -> None:
        """Handle an event of SCTP, on a later turn if a public method has caused it."""
        self.runner.run_task(partial(self._handle_sctp_event, event))

    def _handle_sctp_event(self, event: SctpEvent) -> None:
        # Until the description that has ended an association is applied, what comes is of its end.
        view = self._ended_association or self.sctp_transport
        if self._closed or view is None:
            return
        if isinstance(event, AssociationEstablished):
            view._become_connected(min(event.inbound_streams, event.outbound_streams))
        elif isinstance(event, AssociationClosed):
            error = event.error
            # The peer's goodbye is an ABORT with this cause: an orderly end, not a failure.
            if error is not None and error.cause_code != CAUSE_USER_INITIATED_ABORT:
                self.channels.fail_with(
                    RTCError(RTCErrorDetailType.SCTP_FAILURE, error.reason, sctp_cause_code=error.cause_code)
                )
            view._become_closed()
            by_peer = view is self.sctp_transport and (error is None or error.by_peer)
            if by_peer and not self.media.has_sections:
                # Nothing else uses the connection.
                self.departure.happen(final=True)

    def handle_channel_event(self, event: DataChannelEvent) -> None:
        """Hear of an event of a data channel."""
        if not self._closed:
            self.channels.handle_event(event)

    def handle_rtp_event(self, event: RtpEvent) -> None:
        """Hear of an event of RTP."""
        if not self._closed:
            self.media.handle_event(event)

    # -- inside ------------------------------------------------------------------------------------------------

    def update_states(self, *causes: Event | RTCErrorEvent) -> None:
        """Compute the states of the peer connection anew, and fire what has changed.

        Args:
            causes: The events of the transport whose state has changed. They go first, and are fired when all
                states are new already (W3C webrtc sections 5.5 and 5.6).
        """
        ice = [] if self.ice_transport is None else [self.ice_transport.state]
        dtls = [] if self.dtls_transport is None else [self.dtls_transport.state]
        new_ice_connection_state = ice_connection_state(ice)
        new_connection_state = connection_state(ice, dtls)
        ice_changed = new_ice_connection_state is not self.ice_connection_state
        connection_changed = new_connection_state is not self.connection_state
        if self._closed:
            return
        self.ice_connection_state = new_ice_connection_state
        self.connection_state = new_connection_state
        if connection_changed:
            self._update_departure()
        for cause in causes:
            assert isinstance(cause.target, EventTarget)
            cause.target._fire(cause)
        if ice_changed:
            self.fire(Event("ice_connection_state_change", self.target))
        if connection_changed:
            self.fire(Event("connection_state_change", self.target))

    def _add_local_candidate(self, ice: RTCIceTransport, candidate: Candidate, url: str | None) -> None:
        line = candidate.to_sdp()
        w3c_candidate = RTCIceCandidate(
            line, self.mid, self.m_line_index, candidate.username_fragment, url=url
        )
        # After a restart was rolled back, the candidates of before are told again.
        if ice._add_local_candidate(w3c_candidate):
            self.candidate_gathered(self.mid or "", line, candidate.username_fragment)
            self.fire(RTCPeerConnectionIceEvent("ice_candidate", self.target, w3c_candidate, url))

    def _end_local_candidates(self, ice: RTCIceTransport) -> None:
        parameters = ice.get_local_parameters()
        fragment = None if parameters is None else parameters.username_fragment
        end = RTCIceCandidate("", self.mid, self.m_line_index, fragment)
        if ice._add_local_candidate(end):
            self.candidate_gathered(self.mid or "", None, fragment)
            self.fire(RTCPeerConnectionIceEvent("ice_candidate", self.target, end))

    def _update_gathering_state(self) -> None:
        ice = [] if self.ice_transport is None else [self.ice_transport.gathering_state]
        new_state = gathering_state(ice)
        if new_state is self.ice_gathering_state or self._closed:
            return
        self.ice_gathering_state = new_state
        self.fire(Event("ice_gathering_state_change", self.target))
        if new_state is RTCIceGatheringState.COMPLETE:
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

    @property
    def _dtls_has_closed(self) -> bool:
        dtls = self.dtls_transport
        return dtls is not None and dtls.state is RTCDtlsTransportState.CLOSED

    def _update_departure(self) -> None:
        if self.connection_state is RTCPeerConnectionState.FAILED:
            self.departure.happen(final=False)
        elif not self.departure.final:
            self.departure.revoke()

    def _dtls_closed(self, dtls: RTCDtlsTransport, error: RTCError | None) -> None:
        if error is None:
            # The peer's close_notify: our own end is not reported, since then everything is closed already.
            dtls._state = RTCDtlsTransportState.CLOSED
            self.departure.happen(final=True)
            self.update_states(Event("state_change", dtls))
        else:
            self.channels.fail_with(error)
            dtls._state = RTCDtlsTransportState.FAILED
            self.update_states(RTCErrorEvent("error", dtls, error), Event("state_change", dtls))
