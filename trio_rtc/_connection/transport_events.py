"""Events of the transport stack of one bundle, applied to its W3C objects.

Everything is synchronous: when an event is fired, all states are already consistent with it.
"""

from functools import partial

from trio_rtc import _attrs as attrs
from trio_rtc.descriptions import RTCIceCandidate
from trio_rtc.enums import RTCDtlsTransportState, RTCIceTransportState
from trio_rtc.errors import RTCError
from trio_rtc.events import Event, RTCErrorEvent, RTCPeerConnectionIceErrorEvent, RTCPeerConnectionIceEvent
from trio_rtc.protocols.datachannel import DataChannelEvent
from trio_rtc.protocols.dtls import (
    ApplicationDataReceived,
    DtlsClosed,
    DtlsEvent,
    FinalFlightRetransmitted,
    HandshakeCompleted,
)
from trio_rtc.protocols.ice import (
    Agent,
    CandidateErrorOccurred,
    GatheringCompleted,
    GatheringStateChanged,
    IceClosed,
    IceEvent,
    LocalCandidateGathered,
    NameResolutionRequested,
    RoleChanged,
    SelectedPairChanged,
    StateChanged,
)
from trio_rtc.protocols.sctp import SctpEvent
from trio_rtc.stats.candidate_pair_traffic import CandidatePairTraffic
from trio_rtc.transports.rtc_transports import RTCDtlsTransport, RTCIceTransport, error_of_dtls

from .connection_states import ConnectionStates


@attrs.define(eq=False)
class TransportEvents:
    """Handler of the events of one bundle's stack (see ``StackDelegate``).

    Attributes:
        number: The number of the transport (``TransportPlan.number``).
        mid: The MID of the transport's media section; ``None`` without a local description.
        m_line_index: The index of that media section; ``None`` without a local description.
        ice_transport: W3C's ICE transport; ``None`` until offered.
        dtls_transport: W3C's DTLS transport; ``None`` until offered.
        handshake: The result of the DTLS handshake; ``None`` until completed.
    """

    number: int
    connection: ConnectionStates
    mid: str | None = None
    m_line_index: int | None = None
    ice_transport: RTCIceTransport | None = None
    dtls_transport: RTCDtlsTransport | None = None
    handshake: HandshakeCompleted | None = None
    traffic: CandidatePairTraffic = attrs.field(factory=CandidatePairTraffic)

    def create_w3c_objects(self, agent: Agent) -> RTCDtlsTransport:
        """Create the W3C objects, unless they exist. A remote offer's belong to the connection with the answer."""
        if self.dtls_transport is None:
            context = self.connection.context
            runner = context.runner
            self.ice_transport = RTCIceTransport(
                agent, runner, expose_peer_reflexive=context.expose_peer_reflexive
            )
            self.dtls_transport = RTCDtlsTransport(self.ice_transport, runner)
        return self.dtls_transport

    def add_w3c_objects(self, agent: Agent, mid: str, m_line_index: int) -> None:
        """Include the W3C objects when a local description has a media section for the transport."""
        self.mid, self.m_line_index = mid, m_line_index
        dtls = self.create_w3c_objects(agent)
        self.connection.add_transport(self.number, dtls.ice_transport, dtls)

    def end_w3c_objects(self) -> None:
        """Remove the W3C objects when their offer is rolled back, or the transport ends; close them in a task."""
        ice, dtls = self.ice_transport, self.dtls_transport
        self.connection.remove_transport(self.number)
        self.ice_transport = self.dtls_transport = self.mid = self.m_line_index = None
        if ice is not None and dtls is not None:
            close = partial(self.connection.close_transport, ice, dtls)
            self.connection.context.runner.queue_task(close, after_end=True)

    # -- events of the stack -----------------------------------------------------------------------------------

    def handle_ice_event(self, event: IceEvent) -> None:
        """Handle an ICE event."""
        ice, connection = self.ice_transport, self.connection
        # Without a local description, events are those of an offer that was rolled back.
        if connection.context.is_closed or ice is None or self.mid is None:
            return
        match event:
            case LocalCandidateGathered():
                self._add_local_candidate(ice, event)
            case GatheringCompleted():
                self._end_local_candidates(ice)
            case GatheringStateChanged():
                if event.state is not ice.gathering_state:
                    ice._gathering_state = event.state
                    connection.update_gathering_state(Event("gathering_state_change", ice))
            case CandidateErrorOccurred():
                self._report_candidate_error(event)
            case StateChanged():
                self._set_ice_state(ice, event.state)
            case SelectedPairChanged():
                self.traffic.select(event.pair)
                ice._set_pair(event.pair, self.mid, self.m_line_index)
                changed = Event("selected_candidate_pair_change", ice)
                self._set_ice_state(ice, event.state or ice.state, changed)
            case RoleChanged() | NameResolutionRequested() | IceClosed():
                pass

    def handshake_started(self) -> None:
        """Handle the start of the DTLS handshake."""
        self.connection.context.runner.run_task(self._handshake_started)

    def _handshake_started(self) -> None:
        if not self.connection.context.is_closed and self.dtls_transport is not None:
            self.dtls_transport._state = RTCDtlsTransportState.CONNECTING
            self.connection.update_states(Event("state_change", self.dtls_transport))

    def handle_dtls_event(self, event: DtlsEvent) -> None:
        """Handle a DTLS event, on a later turn if a public method caused it."""
        self.connection.context.runner.run_task(partial(self._handle_dtls_event, event))

    def _handle_dtls_event(self, event: DtlsEvent) -> None:
        dtls = self.dtls_transport
        if self.connection.context.is_closed or dtls is None:
            return
        match event:
            case HandshakeCompleted():
                self.handshake = event
                dtls._set_remote_certificate(event.remote_certificate)
                dtls._state = RTCDtlsTransportState.CONNECTED
                self.connection.update_states(Event("state_change", dtls))
            case DtlsClosed():
                self._dtls_closed(dtls, error_of_dtls(event))
            case ApplicationDataReceived() | FinalFlightRetransmitted():
                pass

    def association_replaced(self) -> None:
        """Reset the DTLS transport, because the peer's description has begun another association."""
        self.handshake = None
        if not self.connection.context.is_closed and self.dtls_transport is not None:
            self.dtls_transport._reset()
            self.connection.update_states(Event("state_change", self.dtls_transport))

    def handle_sctp_event(self, event: SctpEvent) -> None:
        """Handle an SCTP event."""
        self.connection.handle_sctp_event(event)

    def handle_channel_event(self, event: DataChannelEvent) -> None:
        """Handle a data channel event."""
        self.connection.handle_channel_event(event)

    # -- inside ------------------------------------------------------------------------------------------------

    def _set_ice_state(self, ice: RTCIceTransport, state: RTCIceTransportState, *causes: Event) -> None:
        """Set the state of the ICE transport, and fire its events after those that have caused it."""
        if state is not ice.state:
            ice._state = state
            causes = (*causes, Event("state_change", ice))
        if causes:
            self.connection.update_states(*causes)

    def _add_local_candidate(self, ice: RTCIceTransport, gathered: LocalCandidateGathered) -> None:
        candidate, url = gathered.candidate, gathered.url
        line = candidate.to_sdp()
        w3c_candidate = RTCIceCandidate(
            line, self.mid, self.m_line_index, candidate.username_fragment, gathered.relay_protocol, url
        )
        # After the rollback of an ICE restart, the previous candidates are reported again.
        if ice._add_local_candidate(w3c_candidate):
            connection = self.connection
            connection.candidate_gathered(self.mid or "", line, candidate.username_fragment)
            connection.context.fire(
                RTCPeerConnectionIceEvent("ice_candidate", connection.context.target, w3c_candidate, url)
            )

    def _end_local_candidates(self, ice: RTCIceTransport) -> None:
        parameters = ice.get_local_parameters()
        fragment = None if parameters is None else parameters.username_fragment
        end = RTCIceCandidate("", self.mid, self.m_line_index, fragment)
        if ice._add_local_candidate(end):
            connection = self.connection
            connection.candidate_gathered(self.mid or "", None, fragment)
            connection.context.fire(
                RTCPeerConnectionIceEvent("ice_candidate", connection.context.target, end)
            )

    def _report_candidate_error(self, event: CandidateErrorOccurred) -> None:
        self.connection.context.fire(
            RTCPeerConnectionIceErrorEvent(
                "ice_candidate_error",
                self.connection.context.target,
                event.address,
                event.port,
                event.url,
                event.error_code,
                event.error_text,
            )
        )

    def _dtls_closed(self, dtls: RTCDtlsTransport, error: RTCError | None) -> None:
        if error is None:
            # The peer's close_notify. The local one is not handled here, because the connection is closed already.
            dtls._state = RTCDtlsTransportState.CLOSED
            self.connection.handle_close_notify()
            self.connection.update_states(Event("state_change", dtls))
        else:
            self.connection.transport_failed(error)
            dtls._state = RTCDtlsTransportState.FAILED
            self.connection.update_states(RTCErrorEvent("error", dtls, error), Event("state_change", dtls))
