"""The states and events of the peer connection, updated by the events of its transports.

This module has the states of the peer connection, which are computed from those of the transports, and the
RTCSctpTransport. Everything is synchronous: when an event is fired, all states are already consistent with it.
"""

from collections.abc import Callable, Iterable
from functools import partial

from trio_rtc import _attrs as attrs
from trio_rtc.data_channels.channel_table import ChannelTable
from trio_rtc.enums import (
    RTCDtlsTransportState,
    RTCErrorDetailType,
    RTCIceConnectionState,
    RTCIceGatheringState,
    RTCPeerConnectionState,
)
from trio_rtc.errors import RTCError
from trio_rtc.event_target import EventTarget
from trio_rtc.events import Event, RTCErrorEvent, RTCPeerConnectionIceEvent
from trio_rtc.protocols.datachannel import DataChannelEvent
from trio_rtc.protocols.sctp import AssociationClosed, AssociationEstablished, SctpEvent
from trio_rtc.transceivers.connection_context import ConnectionContext
from trio_rtc.transceivers.transceiver_table import TransceiverTable
from trio_rtc.transports.rtc_transports import (
    DEFAULT_MAX_MESSAGE_SIZE,
    RTCDtlsTransport,
    RTCIceTransport,
    RTCSctpTransport,
)

from .aggregate_states import connection_state, gathering_state, ice_connection_state
from .peer_departure import PeerDeparture


@attrs.define(eq=False)
class ConnectionStates:
    """The states of one peer connection.

    Attributes:
        candidate_gathered: Called with the MID, line and username fragment of each local candidate; the line is
            ``None`` at the end of candidates.
        sctp_transport: W3C's ``[[SctpTransport]]``; ``None`` until offered.
        ice_gathering_state: W3C's ``[[IceGatheringState]]``.
        ice_connection_state: W3C's ``[[IceConnectionState]]``.
    """

    context: ConnectionContext
    channels: ChannelTable
    candidate_gathered: Callable[[str, str | None, str | None], None]
    transceivers: TransceiverTable
    _transports: dict[int, tuple[RTCIceTransport, RTCDtlsTransport]] = attrs.field(factory=dict)
    sctp_transport: RTCSctpTransport | None = None
    departure: PeerDeparture = attrs.field(factory=PeerDeparture)
    ice_gathering_state: RTCIceGatheringState = RTCIceGatheringState.NEW
    ice_connection_state: RTCIceConnectionState = RTCIceConnectionState.NEW
    _ended_association: RTCSctpTransport | None = None
    _in_use: bool = True
    _transports_state: RTCPeerConnectionState = RTCPeerConnectionState.NEW

    @property
    def connection_state(self) -> RTCPeerConnectionState:
        """W3C's ``[[ConnectionState]]``."""
        return self.context.connection_state

    @property
    def ice_transports(self) -> list[RTCIceTransport]:
        """W3C's ICE transports."""
        return [ice for ice, _ in self._transports.values()]

    @property
    def dtls_transports(self) -> list[RTCDtlsTransport]:
        """W3C's DTLS transports."""
        return [dtls for _, dtls in self._transports.values()]

    def add_transport(self, number: int, ice: RTCIceTransport, dtls: RTCDtlsTransport) -> None:
        """Include a transport in the states of the connection."""
        self._transports[number] = ice, dtls

    def remove_transport(self, number: int) -> None:
        """Exclude a transport from the states of the connection."""
        self._transports.pop(number, None)

    def offer_sctp_transport(self, dtls: RTCDtlsTransport) -> None:
        """Create the SCTP transport with an offer of data channels (W3C webrtc section 4.4.1.5)."""
        self.withdraw_sctp_transport(dtls)
        if self.sctp_transport is None:
            self.sctp_transport = RTCSctpTransport(dtls, self.context.runner)

    def withdraw_sctp_transport(self, kept: RTCDtlsTransport | None = None) -> None:
        """Restore W3C's ``[[LastStableStateSctpTransport]]`` when the offer that created another is undone.

        Args:
            kept: The transport of the offer that replaces it; an SCTP transport on it remains.
        """
        sctp = self.sctp_transport
        if sctp is not None and not _is_negotiated(sctp) and sctp.transport is not kept:
            self.sctp_transport = None

    @property
    def has_negotiated_sctp(self) -> bool:
        """Whether an answer has negotiated the SCTP transport."""
        return self.sctp_transport is not None and _is_negotiated(self.sctp_transport)

    def update_sctp_transport(self, dtls: RTCDtlsTransport, max_message_size: int) -> None:
        """Update the SCTP transport with an answer (W3C webrtc section 4.4.1.5)."""
        if self.sctp_transport is None:
            self.sctp_transport = RTCSctpTransport(dtls, self.context.runner)
        if not _is_negotiated(self.sctp_transport):
            self.channels.clear_failure()
            if self.connection_state is not RTCPeerConnectionState.FAILED and not self._dtls_has_closed:
                # The peer ended the previous association, but has negotiated another one.
                self.departure.clear()
        self.sctp_transport._negotiate(dtls, max_message_size)

    def remove_sctp_transport(self) -> None:
        """Remove the SCTP transport, because a negotiation has ended the association."""
        self._ended_association, self.sctp_transport = self.sctp_transport, None

    def description_applied(self, *, has_sections: bool | None) -> None:
        """Fire the events of an applied description that follow that of the signaling state.

        Args:
            has_sections: Whether a transport has a media section, ``None`` if that has not changed. Without one, the
                states are those of no transport (W3C webrtc sections 4.3.2 to 4.3.4): ``new``.
        """
        if has_sections is not None:
            self._in_use = has_sections
        ended, self._ended_association = self._ended_association, None
        if ended is not None:
            self.context.runner.queue_task(ended._become_closed)
        self.update_gathering_state()
        self.update_states()

    def max_message_size(self) -> float:
        """Return the maximum message size that the peer accepts, in bytes."""
        size = None if self.sctp_transport is None else self.sctp_transport.max_message_size
        return DEFAULT_MAX_MESSAGE_SIZE if size is None else size

    def close(self) -> None:
        """Close all transports and channels at once and without events (W3C webrtc section 4.4.1.10)."""
        self.departure.close()
        if self.sctp_transport is not None:
            self.sctp_transport._close()
            # The transport of a remote offer is not one of the connection's before the answer.
            self.sctp_transport.transport._close()
        for _, dtls in self._transports.values():
            dtls._close()
        self.channels.close_silently()
        self.ice_connection_state = RTCIceConnectionState.CLOSED
        self.context.connection_state = RTCPeerConnectionState.CLOSED

    # -- events of the transports --------------------------------------------------------------------------------

    def handle_sctp_event(self, event: SctpEvent) -> None:
        """Handle an SCTP event, on a later turn if a public method caused it."""
        # Until a description that has ended an association is applied, events belong to that association.
        sctp = self._ended_association or self.sctp_transport
        self.context.runner.run_task(partial(self._handle_sctp_event, event, sctp))

    def _handle_sctp_event(self, event: SctpEvent, sctp: RTCSctpTransport | None) -> None:
        # An association that was ended earlier is not that of a new offer.
        if self.context.is_closed or sctp is None or not _is_negotiated(sctp):
            return
        if isinstance(event, AssociationEstablished):
            sctp._become_connected(min(event.inbound_streams, event.outbound_streams))
        elif isinstance(event, AssociationClosed):
            error = event.error
            if error is not None:
                self.channels.set_failure(
                    RTCError(RTCErrorDetailType.SCTP_FAILURE, error.reason, sctp_cause_code=error.cause_code)
                )
            sctp._become_closed()
            by_peer = sctp is self.sctp_transport and (error is None or error.by_peer)
            if by_peer and not self.transceivers.has_sections:
                # The connection has no media sections, so the peer has left.
                self.departure.record(final=True)

    def handle_channel_event(self, event: DataChannelEvent) -> None:
        """Handle a data channel event."""
        if not self.context.is_closed:
            self.channels.handle_event(event)

    def transport_failed(self, error: RTCError) -> None:
        """Record the error of a failed DTLS transport."""
        self.channels.set_failure(error)

    def handle_close_notify(self) -> None:
        """Handle the peer's close_notify. The peer has left when all transports are closed."""
        if self._dtls_has_closed:
            self.departure.record(final=True)

    # -- inside ------------------------------------------------------------------------------------------------

    def update_states(self, *causes: Event | RTCErrorEvent) -> None:
        """Update the states of the peer connection, and fire their events.

        Args:
            causes: The events of the transport whose state has changed, which are fired first, after all states have
                been updated (W3C webrtc sections 5.5 and 5.6).
        """
        ice = [transport.state for transport in self.ice_transports if self._in_use]
        dtls = [transport.state for transport in self.dtls_transports if self._in_use]
        new_ice_connection_state = ice_connection_state(ice)
        new_connection_state = connection_state(ice, dtls)
        ice_changed = new_ice_connection_state is not self.ice_connection_state
        connection_changed = new_connection_state is not self.connection_state
        if self.context.is_closed:
            return
        self.ice_connection_state = new_ice_connection_state
        self.context.connection_state = new_connection_state
        self._update_departure()
        self._fire_causes(causes)
        if ice_changed:
            self.context.fire_simple("ice_connection_state_change")
        if connection_changed:
            self.context.fire_simple("connection_state_change")

    def _fire_causes(self, causes: Iterable[Event | RTCErrorEvent]) -> None:
        for cause in causes:
            assert isinstance(cause.target, EventTarget)
            cause.target._fire(cause)

    def close_transport(self, ice: RTCIceTransport, dtls: RTCDtlsTransport) -> None:
        """Close the objects of a transport that is no longer used, with events unless the connection is closed."""
        for transport in (dtls, ice):
            transport._become_closed(with_event=not self.context.is_closed)

    def update_gathering_state(self, *causes: Event) -> None:
        """Update the gathering state, and fire its event.

        Args:
            causes: The events of the transport whose state has changed, which are fired first, after all states have
                been updated (W3C webrtc section 5.6).
        """
        new_state = gathering_state([each.gathering_state for each in self.ice_transports if self._in_use])
        changed = new_state is not self.ice_gathering_state
        if self.context.is_closed:
            return
        self.ice_gathering_state = new_state
        self._fire_causes(causes)
        if not changed:
            return
        self.context.fire_simple("ice_gathering_state_change")
        if new_state is RTCIceGatheringState.COMPLETE:
            self.context.fire(RTCPeerConnectionIceEvent("ice_candidate", self.context.target, None))

    @property
    def _dtls_has_closed(self) -> bool:
        transports = self.dtls_transports
        return bool(transports) and all(each.state is RTCDtlsTransportState.CLOSED for each in transports)

    def _update_departure(self) -> None:
        """Record that the peer has left with a failure of its transports, even while no media section uses them."""
        ice = [transport.state for transport in self.ice_transports]
        state = connection_state(ice, [transport.state for transport in self.dtls_transports])
        if state is self._transports_state:
            return
        self._transports_state = state
        if state is RTCPeerConnectionState.FAILED:
            self.departure.record(final=False)
        elif not self.departure.final:
            self.departure.clear()


def _is_negotiated(sctp: RTCSctpTransport) -> bool:
    """Return whether an answer has followed the offer of an SCTP transport."""
    return sctp.max_message_size is not None
