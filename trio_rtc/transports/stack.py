"""The transport of one bundle: ICE, DTLS, RTP and SCTP, and the order in which they start and end.

ICE runs from the beginning. DTLS is created when the descriptions have decided the roles, and starts its handshake when
ICE is connected. SCTP and RTP are created with or after DTLS; when the handshake is complete, SCTP connects and RTP
gets its keys. Packets that the peer sends too early wait in the inbox of the layer that is not running yet. Layers are
shut down from the top, each with its close message.

A connection has one stack per bundle. A stack knows no other one, except in :meth:`TransportStack.move_channels_from`.

Events of ICE, DTLS, SCTP and data channels are passed to :class:`StackDelegate` synchronously, since a state change and
its event are one step in W3C; those of RTP to the function that :meth:`TransportStack.start_rtp` gets.
"""

import logging
import random
from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from trio_rtc import _attrs as attrs
from trio_rtc.enums import (
    RTCDtlsTransportState,
    RTCIceTransportPolicy,
    RTCIceTransportState,
    RTCSctpTransportState,
)
from trio_rtc.protocols import rtp as rtp_core
from trio_rtc.protocols import srtp as srtp_core
from trio_rtc.protocols._contract import Datagram
from trio_rtc.protocols.datachannel import ChannelControl, DataChannelEvent
from trio_rtc.protocols.dtls import (
    Certificate,
    Connection,
    DtlsClosed,
    DtlsEvent,
    DtlsRole,
    FinalFlightRetransmitted,
    Fingerprint,
    HandshakeCompleted,
)
from trio_rtc.protocols.ice import (
    Agent,
    IceEvent,
    IceParameters,
    IceRole,
    IceServer,
    NameResolutionRequested,
    SelectedPairChanged,
    StateChanged,
)
from trio_rtc.protocols.rtp import RtpEvent
from trio_rtc.protocols.sctp import Association, SctpEvent

from .base import Inbox
from .dtls import DtlsTransport
from .ice import IceTransport, ReceivedRtp
from .mdns import MdnsTransport
from .network import Network
from .port_allocator import PortAllocator, RelayAllocator
from .rtp import RtpTransport
from .sctp import SctpTransport
from .settings import Settings
from .turn import TurnClient
from .udp import SystemNetwork, usable_addresses

logger = logging.getLogger("trio_rtc.transports")

_SHUTDOWN_TIMEOUT = 2.0
_CONNECTED = (RTCIceTransportState.CONNECTED, RTCIceTransportState.COMPLETED)


class StackDelegate(Protocol):
    """Handler of the events of a stack. A Protocol, because its one implementer is in a higher layer."""

    def handle_ice_event(self, event: IceEvent) -> None: ...

    def handshake_started(self) -> None: ...

    def handle_dtls_event(self, event: DtlsEvent) -> None: ...

    def handle_sctp_event(self, event: SctpEvent) -> None: ...

    def handle_channel_event(self, event: DataChannelEvent) -> None: ...


class TransportStack:
    """ICE, DTLS, SRTP and SCTP of one bundle.

    Args:
        wall_clock: Returns the Unix time in seconds.
        ice_parameters: ICE credentials of the first generation, ``None`` for new ones.
        relay_allocator: Allocates on TURN servers; ``None``: by :class:`.turn.TurnClient`.

    Attributes:
        control: Data channel core; replaced when the association has ended.
        dtls: DTLS transport, once the roles are negotiated.
        sctp: SCTP transport, while negotiated.
        rtp: RTP transport, once negotiated.
        mdns: Multicast DNS transport, once the peer has signaled a ``.local`` name.
        gathering_started: Whether ``gather`` was called.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        rng: random.Random,
        wall_clock: Callable[[], float],
        certificate: Certificate,
        delegate: StackDelegate,
        ice_parameters: IceParameters | None = None,
        relay_allocator: RelayAllocator | None = None,
    ) -> None:
        self._settings = settings
        self._rng = rng
        self._wall_clock = wall_clock
        self._certificate = certificate
        self._delegate = delegate
        self._network: Network = settings.network or SystemNetwork()
        self._nursery: trio.Nursery | None = None
        self._dtls_inbox = Inbox[list[bytes]]()
        self._sctp_inbox = Inbox[list[bytes]]()
        self.mdns: MdnsTransport | None = None
        self._fingerprints: frozenset[Fingerprint] = frozenset()
        self.gathering_started = False
        self._pooled_with: tuple[tuple[IceServer, ...], RTCIceTransportPolicy] | None = None
        self._path_lost = False
        self._ice_connected = False
        self.agent = Agent(
            settings.ice,
            rng=rng,
            role=IceRole.CONTROLLING,
            remote_candidate_filter=settings.remote_candidate_filter,
            local_parameters=ice_parameters,
        )
        self.ice = IceTransport(self.agent, Inbox[list[Datagram]](), self._dtls_inbox, self._handle_ice_event)
        self._allocator = PortAllocator(
            self.ice,
            self._network,
            settings,
            relay_allocator
            or TurnClient(
                settings.turn, network=self._network, rng=rng, tls_context=settings.turn_tls_context
            ),
        )
        self.control = ChannelControl(settings.data_channels)
        self.dtls: DtlsTransport | None = None
        self.sctp: SctpTransport | None = None
        self.rtp: RtpTransport | None = None

    @property
    def early_sctp_dropped(self) -> int:
        """Number of packets that were dropped before there was an association."""
        return self._sctp_inbox.dropped

    # -- start and end ---------------------------------------------------------------------------------------

    async def start(self, nursery: trio.Nursery) -> None:
        """Start in the nursery of all tasks of this stack."""
        self._nursery = nursery
        await nursery.start(self.ice.run)

    def start_soon(self, nursery: trio.Nursery) -> None:
        """Start in the nursery of all tasks, without waiting."""
        self._nursery = nursery
        nursery.start_soon(self.ice.run)

    async def end(self) -> None:
        """Shut down all layers, then close the sockets; other transports of the nursery continue."""
        with trio.move_on_after(_SHUTDOWN_TIMEOUT):
            await self.shutdown()
        if self.mdns is not None:
            await self.mdns.close()
        self._allocator.close_sockets()
        # Layers that the timeout has left open. Without sockets, this does not wait.
        await self.shutdown()

    async def shutdown(self) -> None:
        """Close the layers from the top, each with its close message (BYE, ABORT, close_notify)."""
        if self.rtp is not None:
            await self.rtp.close()
        if self.sctp is not None:
            await self.sctp.close()
        if self.dtls is not None:
            await self.dtls.close()
        await self.ice.close()

    # -- negotiation -----------------------------------------------------------------------------------------

    def gather(
        self,
        servers: Sequence[IceServer],
        policy: RTCIceTransportPolicy = RTCIceTransportPolicy.ALL,
    ) -> None:
        """Start gathering candidates, or report those of the pool. Later calls have no effect."""
        if self.gathering_started:
            return
        if self._pooled_with is None:
            self._configure_gathering(servers, policy)
            self._start_gathering(servers)
        else:
            self.fill_pool(servers, policy)
            self.agent.release_candidates(trio.current_time())
        self.gathering_started = True

    def fill_pool(
        self,
        servers: Sequence[IceServer],
        policy: RTCIceTransportPolicy = RTCIceTransportPolicy.ALL,
    ) -> None:
        """Gather candidates for the pool (RFC 9429 section 3.5.5); ``gather`` reports them.

        Other servers or another policy than before discard the candidates and gather again. No effect after ``gather``.
        """
        wanted = (tuple(servers), policy)
        if self.gathering_started or self._pooled_with == wanted:
            return
        again = self._pooled_with is not None
        self._pooled_with = wanted
        self._configure_gathering(servers, policy)
        self.agent.hold_candidates()
        if again:
            self.agent.expect_sources()
            self._allocator.close_lost_addresses()
            self.agent.gather_again(trio.current_time())
        self._start_gathering(servers)

    def restart_ice(
        self,
        servers: Sequence[IceServer],
        policy: RTCIceTransportPolicy = RTCIceTransportPolicy.ALL,
    ) -> None:
        """Begin a new ICE generation with the current addresses of this host."""
        self._configure_gathering(servers, policy)
        if self.gathering_started:
            self.agent.expect_sources()
            self._allocator.close_lost_addresses()
            self._start_gathering(servers)
        self.agent.restart(trio.current_time())

    def _configure_gathering(self, servers: Sequence[IceServer], policy: RTCIceTransportPolicy) -> None:
        self.agent.set_transport_policy(policy)
        self.agent.set_servers(servers)

    def _start_gathering(self, servers: Sequence[IceServer]) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(self._allocator.run, self._nursery, servers)

    def start_dtls(self, role: DtlsRole, fingerprints: Sequence[Fingerprint]) -> None:
        """Create DTLS unless it exists; its handshake starts when ICE is connected."""
        if self.dtls is not None:
            return
        assert self._nursery is not None
        self._fingerprints = frozenset(fingerprints)
        connection = Connection(
            self._settings.dtls,
            role=role,
            certificate=self._certificate,
            rng=self._rng,
            wall_clock=self._wall_clock() - trio.current_time(),
        )
        connection.set_remote_fingerprints(fingerprints)
        self.dtls = DtlsTransport(
            connection, self._dtls_inbox, self.ice, self._sctp_inbox, self._handle_dtls_event
        )
        self._nursery.start_soon(self.dtls.run)
        self._start_handshake_if_connected()

    def replace_dtls(
        self, role: DtlsRole, fingerprints: Sequence[Fingerprint], certificate: Certificate | None = None
    ) -> None:
        """Replace the DTLS association by a new one (RFC 8842: a changed fingerprint or ``tls-id``).

        The former association is closed, without an event. An established SCTP association and its data channels end
        with it; ``start_sctp`` begins another, which opens the channels that were not open yet. SRTP keeps its keys
        until those of the new handshake replace them. While the selected pair belongs to the previous ICE generation,
        and so to the former association, the handshake waits for another one.

        Late records of the former association fail authentication in the new one and are dropped. Its plaintext
        handshake messages cannot be distinguished from those of the new one: therefore RFC 8842 requires candidates
        that no other association has used recently.

        Args:
            role: Local role in the new handshake.
            fingerprints: The peer's fingerprints.
            certificate: A new local certificate, ``None`` to keep the current one.
        """
        if self.sctp is not None and self.sctp.association.state is RTCSctpTransportState.CONNECTING:
            self.sctp.abandon()
            self._renew_sctp_inbox()
        elif self.sctp is not None:
            self.end_channels()
        if self.dtls is not None:
            self.dtls.abandon()
            self.dtls = None
            self._dtls_inbox = Inbox[list[bytes]]()
            self.ice.set_dtls_inbox(self._dtls_inbox)
        self._certificate = certificate or self._certificate
        self.start_dtls(role, fingerprints)

    def needs_new_dtls(self, fingerprints: Sequence[Fingerprint]) -> bool:
        """Return whether DTLS was created with other fingerprints of the peer."""
        return self.dtls is not None and frozenset(fingerprints) != self._fingerprints

    def move_channels_from(self, other: "TransportStack") -> None:
        """Move the data channels of another stack to this one.

        If they have an association there, it is closed, and they with it.
        """
        if other.sctp is not None:
            other.end_channels()
        self.control, other.control = other.control, self.control

    def start_sctp(self, remote_port: int) -> None:
        """Create SCTP unless it exists; it connects when the DTLS handshake is complete."""
        if self.sctp is not None or self.dtls is None:
            return
        assert self._nursery is not None
        self.control.set_role(is_dtls_client=self.dtls.connection.role is DtlsRole.CLIENT)
        # The announced max-message-size must be receivable, so it overrides the limits in the SCTP options.
        size = self._settings.max_message_size
        options = attrs.evolve(
            self._settings.sctp,
            remote_port=remote_port,
            max_message_size=size,
            receive_buffer_size=max(self._settings.sctp.receive_buffer_size, 2 * size),
        )
        self.sctp = SctpTransport(
            Association(options, rng=self._rng),
            self.control,
            self._sctp_inbox,
            self.dtls,
            high_water_mark=self._settings.send_high_water_mark,
            report=self._delegate.handle_sctp_event,
            report_channel_event=self._delegate.handle_channel_event,
        )
        if self.rtp is not None:
            self._share_path(self.rtp.left_for_data)
        self._nursery.start_soon(self.sctp.run)
        self._connect_if_secure()

    def start_rtp(self, cname: str, report: Callable[[RtpEvent], None]) -> RtpTransport:
        """Create RTP unless it exists; it gets its keys when the DTLS handshake is complete.

        ``report`` is called with each event except received frames and packets.
        """
        if self.rtp is None:
            assert self._nursery is not None
            session = rtp_core.RtpSession(
                self._settings.rtp,
                rng=self._rng,
                wall_clock=self._wall_clock() - trio.current_time(),
                cname=cname,
            )
            inbox = Inbox[ReceivedRtp]()
            self.rtp = RtpTransport(session, inbox, self.ice, report, self._share_path)
            self.ice.set_rtp_inbox(inbox)
            self._nursery.start_soon(self.rtp.run)
            self._install_srtp_keys()
        return self.rtp

    def _share_path(self, max_bitrate: float | None) -> None:
        """Limit data to the bitrate that media leaves: both share a bottleneck and one congestion control."""
        if self.sctp is not None:
            self.sctp.share_path(max_bitrate)

    def end_channels(self) -> None:
        """Close all channels because their media section was rejected or removed. ICE and DTLS continue.

        Another section may start a new association, which shares nothing with this one; packets that the peer sends to
        it too early wait in its inbox.
        """
        before, ended, now = self.control, self.sctp, trio.current_time()
        if ended is None:
            before.close(now)
            self.flush_channel_control()
        else:
            ended.association.close(now)
            ended.wake()
            # All events of the end must be handled before there is a new control.
            ended.flush_nowait(now)
            self._renew_sctp_inbox()
        self.control = ChannelControl(self._settings.data_channels, last_key=before.last_key)
        self.control.dropped.update(before.dropped)

    def _renew_sctp_inbox(self) -> None:
        self.sctp = None
        self._sctp_inbox = Inbox[list[bytes]]()
        if self.dtls is not None:
            self.dtls.set_sctp_inbox(self._sctp_inbox)

    def flush_channel_control(self) -> None:
        """Process the output of data channel control, with or without an association."""
        if self.sctp is not None:
            self.sctp.flush_channel_control()
        else:
            for event in self.control.events():
                self._delegate.handle_channel_event(event)

    # -- order of start --------------------------------------------------------------------------------------

    def _handle_ice_event(self, event: IceEvent) -> None:
        match event:
            case NameResolutionRequested():
                self._resolve(event.name)
            case StateChanged():
                self._ice_connected = event.state in _CONNECTED
                self._delegate.handle_ice_event(event)
                self._start_handshake_if_connected()
                self._update_path_state(event.state)
            case SelectedPairChanged(after_silence=True) if not self._path_lost:
                # The peer has nominated another pair before the old one was disconnected here.
                self._delegate.handle_ice_event(event)
                self._restore_path()
                self._start_handshake_on_new_path()
            case SelectedPairChanged():
                self._delegate.handle_ice_event(event)
                self._start_handshake_on_new_path()
            case _:
                self._delegate.handle_ice_event(event)

    def _update_path_state(self, state: RTCIceTransportState) -> None:
        if state is RTCIceTransportState.DISCONNECTED:
            self._path_lost = True
        elif state in _CONNECTED and self._path_lost:
            self._path_lost = False
            self._restore_path()

    def _restore_path(self) -> None:
        """Request keyframes and retransmit SCTP data, since packets sent during the outage are lost."""
        if self.rtp is not None:
            self.rtp.call(self.rtp.session.path_restored)
        if self.sctp is not None:
            self.sctp.path_restored()

    def _start_handshake_on_new_path(self) -> None:
        # When ICE connects, the handshake starts after that event, which follows the first selected pair.
        if self._ice_connected:
            self._start_handshake_if_connected()

    def _start_handshake_if_connected(self) -> None:
        dtls = self.dtls
        if dtls is None or self.agent.state not in _CONNECTED or not self.agent.selected_in_generation:
            return
        if dtls.connection.state is RTCDtlsTransportState.NEW:
            path = self.agent.selected_entry
            measured = None if path is None else path.statistics.current_round_trip_time
            dtls.connection.start(trio.current_time(), round_trip_time=measured)
            dtls.wake()
            self._delegate.handshake_started()

    def _handle_dtls_event(self, event: DtlsEvent) -> None:
        self._delegate.handle_dtls_event(event)
        if isinstance(event, HandshakeCompleted):
            self._install_srtp_keys()
            self._connect_if_secure()
        elif isinstance(event, DtlsClosed) and event.error is not None and self.rtp is not None:
            # The keys of a former association must not be used after the failure of the one that replaced it.
            self.rtp.session.remove_keys()
        elif isinstance(event, FinalFlightRetransmitted):
            self._handle_late_keys(event.waited)

    def _handle_late_keys(self, waited: float) -> None:
        """Request keyframes if the peer gets its SRTP keys only now and could not decrypt earlier packets.

        A peer that has retransmitted its flight before ours could arrive may have the keys already. If so, its SRTP
        packets arrive within a round trip.
        """
        rtp, pair = self.rtp, self.agent.selected_entry
        if rtp is None:
            return
        round_trip = (None if pair is None else pair.statistics.current_round_trip_time) or 0.0
        if waited > round_trip:
            rtp.call(rtp.session.path_restored)
        else:
            assert self._nursery is not None
            self._nursery.start_soon(self._request_keyframes_unless_received, rtp, round_trip)

    async def _request_keyframes_unless_received(self, rtp: RtpTransport, round_trip: float) -> None:
        before = rtp.session.packets_decrypted
        await trio.sleep(round_trip)
        if rtp.session.packets_decrypted == before:
            rtp.call(rtp.session.path_restored)

    def _install_srtp_keys(self) -> None:
        """Set the SRTP keys of a complete handshake in the RTP session, if there is one (RFC 5764 section 4.2)."""
        dtls, rtp = self.dtls, self.rtp
        if dtls is None or rtp is None or dtls.connection.state is not RTCDtlsTransportState.CONNECTED:
            return
        keys = dtls.connection.srtp_keys()
        if keys is None:
            logger.warning("the peer did not negotiate use_srtp in DTLS: no media will be sent or received")
            return
        ours, theirs = (keys.client_key, keys.client_salt), (keys.server_key, keys.server_salt)
        if dtls.connection.role is DtlsRole.SERVER:
            ours, theirs = theirs, ours
        replaced = rtp.session.is_open
        srtp = srtp_core.SrtpSession(keys.profile.name, *ours, *theirs, options=self._settings.rtp.srtp)
        rtp.session.set_keys(srtp, trio.current_time())
        if replaced:
            # The peer is another endpoint, which has received no keyframe.
            rtp.session.path_restored(trio.current_time())
        rtp.wake()

    def _connect_if_secure(self) -> None:
        if self.sctp is None or self.dtls is None:
            return
        if self.dtls.connection.state is RTCDtlsTransportState.CONNECTED:
            self.sctp.association.connect(trio.current_time())
            self.sctp.wake()

    def _resolve(self, name: str) -> None:
        assert self._nursery is not None
        if self.mdns is None:
            interfaces = usable_addresses(self._network.interface_addresses())
            self.mdns = MdnsTransport(self._network, interfaces, self._rng, self._name_resolved)
            self._nursery.start_soon(self.mdns.run)
        self.mdns.resolve(name)

    def _name_resolved(self, name: str, hosts: Sequence[str]) -> None:
        self.agent.remote_name_resolved(name, hosts, trio.current_time())
        self.ice.wake()
