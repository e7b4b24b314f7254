"""The transports of one bundle, from the sockets to the data channels, and the order in which they start.

ICE runs from the first moment. DTLS is made when the descriptions have said who is client, and starts its
handshake when ICE is connected; SCTP is made with DTLS and connects when the handshake is complete. What a
peer sends too early waits in the inbox of the layer that is not running yet.

The delegate hears of every event of a core at once and synchronously (:class:`StackDelegate`): W3C wants a change of
state and the handlers for it to be one step.
"""

import logging
import random
from collections.abc import Callable, Sequence
from typing import Protocol

import attrs
import trio

from trio_rtc.enums import RTCDtlsTransportState, RTCIceTransportPolicy, RTCIceTransportState
from trio_rtc.errors import OperationError
from trio_rtc.protocols._contract import Datagram
from trio_rtc.protocols.datachannel import ChannelControl, DataChannelEvent
from trio_rtc.protocols.dtls import (
    Certificate,
    Connection,
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
from trio_rtc.protocols.rtp import RtpEvent, RtpSession
from trio_rtc.protocols.sctp import Association, SctpEvent
from trio_rtc.protocols.srtp import SrtpSession

from .base import Inbox
from .dtls import DtlsTransport
from .ice import IceTransport, ReceivedRtp
from .mdns import MdnsTransport
from .network import Network
from .port_allocator import PortAllocator, usable_addresses
from .rtp import RtpTransport
from .sctp import SctpTransport
from .settings import Settings
from .udp import SystemNetwork

logger = logging.getLogger("trio_rtc.transports")

_SHUTDOWN_TIMEOUT = 2.0
_CONNECTED = (RTCIceTransportState.CONNECTED, RTCIceTransportState.COMPLETED)


class StackDelegate(Protocol):
    """Whoever wants to know what happens in a stack: the peer connection."""

    def handle_ice_event(self, event: IceEvent) -> None:
        """Handle an ICE event."""

    def handshake_started(self) -> None:
        """Handle the start of the DTLS handshake."""

    def handle_dtls_event(self, event: DtlsEvent) -> None:
        """Handle a DTLS event."""

    def handle_sctp_event(self, event: SctpEvent) -> None:
        """Handle an SCTP event."""

    def handle_channel_event(self, event: DataChannelEvent) -> None:
        """Handle a data channel event."""

    def handle_rtp_event(self, event: RtpEvent) -> None:
        """Handle an RTP event."""


class TransportStack:
    """ICE, DTLS and SCTP of one bundle.

    Attributes:
        agent: The ICE agent.
        ice: Its shell.
        control: The control of the data channels; another one when they have ended.
        dtls: DTLS, once the roles are negotiated.
        sctp: SCTP, while it is negotiated.
        mdns: What looks names up, once the peer has told one.
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
        self._path_lost = False
        self.agent = Agent(
            settings.ice,
            rng=rng,
            role=IceRole.CONTROLLING,
            remote_candidate_filter=settings.remote_candidate_filter,
            local_parameters=ice_parameters,
        )
        self.ice = IceTransport(self.agent, Inbox[list[Datagram]](), self._dtls_inbox, self._handle_ice_event)
        self._allocator = PortAllocator(self.ice, self._network, settings)
        self.control = ChannelControl(settings.data_channels)
        self.dtls: DtlsTransport | None = None
        self.sctp: SctpTransport | None = None
        self.rtp: RtpTransport | None = None

    @property
    def early_sctp_dropped(self) -> int:
        """What the peer has sent before there was an association, and found no room to wait."""
        return self._sctp_inbox.dropped

    # -- life ------------------------------------------------------------------------------------------------

    async def start(self, nursery: trio.Nursery) -> None:
        """Start in the nursery that all tasks of this stack will live in."""
        self._nursery = nursery
        await nursery.start(self.ice.run)

    def start_soon(self, nursery: trio.Nursery) -> None:
        """Start a moment later, when others of the connection run already."""
        self._nursery = nursery
        nursery.start_soon(self.ice.run)

    async def end(self) -> None:
        """Close all layers and the sockets; other transports of the nursery continue."""
        with trio.move_on_after(_SHUTDOWN_TIMEOUT):
            await self.shutdown()
        if self.mdns is not None:
            await self.mdns.close()
        self._allocator.close_sockets()
        # Layers that the time-out has left open. Without sockets, there is nothing to wait for.
        await self.shutdown()

    async def shutdown(self) -> None:
        """End the layers from the top, each with its goodbye on the wire."""
        if self.rtp is not None:
            await self.rtp.close()
        if self.sctp is not None:
            await self.sctp.close()
        if self.dtls is not None:
            await self.dtls.close()
        await self.ice.close()

    # -- what the descriptions say -----------------------------------------------------------------------------

    def gather(
        self,
        servers: Sequence[IceServer],
        policy: RTCIceTransportPolicy = RTCIceTransportPolicy.ALL,
    ) -> None:
        """Start gathering candidates. Later calls have no effect."""
        if not self.gathering_started:
            self.gathering_started = True
            self.agent.set_transport_policy(policy)
            self._start_gathering(servers)

    def restart_ice(
        self,
        servers: Sequence[IceServer],
        policy: RTCIceTransportPolicy = RTCIceTransportPolicy.ALL,
    ) -> None:
        """Begin a new ICE generation with the current addresses of this host."""
        self.agent.set_transport_policy(policy)
        if self.gathering_started:
            self.agent.expect_local_addresses()
            self._allocator.close_lost_addresses()
            self._start_gathering(servers)
        self.agent.restart(trio.current_time())

    def _start_gathering(self, servers: Sequence[IceServer]) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(self._allocator.run, self._nursery, servers)

    def start_dtls(self, role: DtlsRole, fingerprints: Sequence[Fingerprint]) -> None:
        """Make DTLS, when it is not there yet; it begins its handshake when ICE is connected.

        Raises:
            OperationError: It is there, and the peer has changed its fingerprints.
        """
        if self.dtls is not None:
            self.check_fingerprints(fingerprints)
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

    def check_fingerprints(self, fingerprints: Sequence[Fingerprint]) -> None:
        """Make sure that fingerprints of the peer's are those that DTLS was made with, if it was.

        Raises:
            OperationError: They are others.
        """
        if self.dtls is not None and frozenset(fingerprints) != self._fingerprints:
            raise OperationError("the peer changed its DTLS fingerprints: a new association is not supported")

    def move_channels_from(self, other: "TransportStack") -> None:
        """Move the data channels of another stack to this one.

        An association that carries them there ends, and they with it.
        """
        if other.sctp is not None:
            other.end_channels()
        self.control, other.control = other.control, self.control

    def start_sctp(self, remote_port: int) -> None:
        """Make SCTP, when it is not there; it connects when the DTLS handshake is complete."""
        if self.sctp is not None or self.dtls is None:
            return
        assert self._nursery is not None
        self.control.set_role(is_dtls_client=self.dtls.connection.role is DtlsRole.CLIENT)
        # What we have announced we have to take: SCTP's own limits follow.
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
        self._nursery.start_soon(self.sctp.run)
        self._connect_if_secure()

    def start_rtp(self, cname: str) -> RtpTransport:
        """Make RTP, when it is not there yet; it opens when the DTLS handshake is complete."""
        if self.rtp is None:
            assert self._nursery is not None
            session = RtpSession(
                self._settings.rtp,
                rng=self._rng,
                wall_clock=self._wall_clock() - trio.current_time(),
                cname=cname,
            )
            inbox = Inbox[ReceivedRtp]()
            self.rtp = RtpTransport(
                session, inbox, self.ice, self._delegate.handle_rtp_event, self._share_path
            )
            self.ice.set_rtp_inbox(inbox)
            self._nursery.start_soon(self.rtp.run)
            self._install_srtp_keys()
        return self.rtp

    def _share_path(self, max_bitrate: float | None) -> None:
        """Let data leave room for media, which has one congestion control with it: they share a bottleneck."""
        if self.sctp is not None:
            self.sctp.share_path(max_bitrate)

    def end_channels(self) -> None:
        """End all channels, since their media section was refused or closed. ICE and DTLS go on.

        Another section may bring another association. It shares nothing with this one, whose task ends by itself;
        what the peer sends to it too early waits for it.
        """
        before, ended, now = self.control, self.sctp, trio.current_time()
        if ended is None:
            before.close(now)
            self.flush_channel_control()
        else:
            ended.association.close(now)
            ended.wake()
            # Everything that the end causes has happened before there is a new control of channels.
            ended.flush_nowait(now)
            self.sctp = None
            self._sctp_inbox = Inbox[list[bytes]]()
            if self.dtls is not None:
                self.dtls.set_sctp_inbox(self._sctp_inbox)
        self.control = ChannelControl(self._settings.data_channels, last_key=before.last_key)
        self.control.dropped.update(before.dropped)

    def flush_channel_control(self) -> None:
        """Carry out what the control of the channels has decided, with an association or before there is one."""
        if self.sctp is not None:
            self.sctp.flush_channel_control()
        else:
            for event in self.control.events():
                self._delegate.handle_channel_event(event)

    # -- the order of starting ---------------------------------------------------------------------------------

    def _handle_ice_event(self, event: IceEvent) -> None:
        match event:
            case NameResolutionRequested():
                self._resolve(event.name)
            case StateChanged():
                self._delegate.handle_ice_event(event)
                self._start_handshake_if_connected()
                self._update_path_state(event.state)
            case SelectedPairChanged(after_silence=True) if not self._path_lost:
                # The peer has nominated another pair before the old one counted as disconnected here.
                self._delegate.handle_ice_event(event)
                self._restore_path()
            case _:
                self._delegate.handle_ice_event(event)

    def _update_path_state(self, state: RTCIceTransportState) -> None:
        if state is RTCIceTransportState.DISCONNECTED:
            self._path_lost = True
        elif state in _CONNECTED and self._path_lost:
            self._path_lost = False
            self._restore_path()

    def _restore_path(self) -> None:
        """Let RTP request keyframes, and SCTP retransmit: what was sent while there was no path is lost."""
        if self.rtp is not None:
            self.rtp.call(self.rtp.session.path_restored)
        if self.sctp is not None:
            self.sctp.path_restored()

    def _start_handshake_if_connected(self) -> None:
        dtls = self.dtls
        if dtls is None or self.agent.state not in _CONNECTED:
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
        elif isinstance(event, FinalFlightRetransmitted):
            self._handle_late_keys(event.waited)

    def _handle_late_keys(self, waited: float) -> None:
        """Request keyframes if the peer gets its SRTP keys only now: it could not decrypt earlier packets.

        A peer that has repeated its flight before ours could arrive may have the keys already. If so, what it
        encrypts arrives within a round trip.
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
        """Give RTP the keys of the handshake (RFC 5764 section 4.2), once both are there."""
        dtls, rtp = self.dtls, self.rtp
        if dtls is None or rtp is None or dtls.connection.state is not RTCDtlsTransportState.CONNECTED:
            return
        keys = dtls.connection.srtp_keys()
        if keys is None:
            logger.warning("the peer has not negotiated SRTP: media stays dark")
            return
        ours, theirs = (keys.client_key, keys.client_salt), (keys.server_key, keys.server_salt)
        if dtls.connection.role is DtlsRole.SERVER:
            ours, theirs = theirs, ours
        srtp = SrtpSession(keys.profile.name, *ours, *theirs, options=self._settings.rtp.srtp)
        rtp.session.set_keys(srtp, trio.current_time())
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
