"""RTCPeerConnection: W3C's interface, with a lifetime that ends where its ``async with`` block ends."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, overload

import trio

from ._closed_errors import mark_connection_ended
from ._connection.assembly import ConnectionAssembly
from ._connection.connection_scope import ConnectionScope
from ._connection.negotiation import as_candidate, as_description, as_local_description
from ._environment import require_trio
from ._operations_chain import ErrorCallback, settle, settle_without_value
from ._strict_names.checks import strict_arguments, strict_class
from .certificate import RTCCertificate, generate_certificate, needs_thread
from .configuration import RTCConfiguration
from .data_channels.channel_init import channel_parameters
from .data_channels.data_channel import RTCDataChannel, RTCDataChannelEvent
from .descriptions import RTCIceCandidate, RTCSessionDescription
from .enums import (
    RTCIceConnectionState,
    RTCIceGatheringState,
    RTCPeerConnectionState,
    RTCPriorityType,
    RTCRtpTransceiverDirection,
    RTCSignalingState,
    member_of,
)
from .errors import InvalidAccessError, InvalidModificationError, InvalidStateError
from .event_target import EventHandler, EventTarget, HandlerRunner
from .events import Event, RTCPeerConnectionIceErrorEvent, RTCPeerConnectionIceEvent
from .stats import RTCStatsReport
from .tracks.media_stream import MediaStream, MediaStreamEvent
from .tracks.media_stream_track import MediaStreamTrack
from .transceivers.rtp_parameters import RTCRtpEncodingParameters
from .transceivers.rtp_receiver import RTCRtpReceiver
from .transceivers.rtp_sender import RTCRtpSender
from .transceivers.rtp_transceiver import RTCRtpTransceiver, RTCTrackEvent
from .transports.rtc_transports import RTCSctpTransport
from .transports.settings import Settings


@strict_class
class RTCPeerConnection(EventTarget, trio.abc.AsyncResource):
    """A connection to a peer (W3C webrtc section 4.4).

    Usable at once for what needs no network (channels, ``create_offer``); everything else inside its block::

        async with RTCPeerConnection() as pc:
            channel = pc.create_data_channel("chat")
            await pc.set_local_description()
            ...

    The block owns every task and socket of the connection. When it ends, by whatever way, goodbyes are sent and
    nothing is left running.

    Args:
        configuration: W3C's configuration.
        settings: What W3C does not have.

    Raises:
        InvalidAccessError: A certificate of the configuration has expired.
    """

    EVENTS = frozenset(
        {
            "add_stream",
            "connection_state_change",
            "data_channel",
            "ice_candidate",
            "ice_candidate_error",
            "ice_connection_state_change",
            "ice_gathering_state_change",
            "negotiation_needed",
            "remove_stream",
            "signaling_state_change",
            "track",
        }
    )

    on_add_stream = EventHandler[MediaStreamEvent]("add_stream")
    on_connection_state_change = EventHandler[Event]("connection_state_change")
    on_data_channel = EventHandler[RTCDataChannelEvent]("data_channel")
    on_ice_candidate = EventHandler[RTCPeerConnectionIceEvent]("ice_candidate")
    on_ice_candidate_error = EventHandler[RTCPeerConnectionIceErrorEvent]("ice_candidate_error")
    on_ice_connection_state_change = EventHandler[Event]("ice_connection_state_change")
    on_ice_gathering_state_change = EventHandler[Event]("ice_gathering_state_change")
    on_negotiation_needed = EventHandler[Event]("negotiation_needed")
    on_remove_stream = EventHandler[MediaStreamEvent]("remove_stream")
    on_signaling_state_change = EventHandler[Event]("signaling_state_change")
    on_track = EventHandler[RTCTrackEvent]("track")

    def __init__(
        self, configuration: RTCConfiguration | None = None, *, settings: Settings | None = None
    ) -> None:
        super().__init__(HandlerRunner())
        settings = settings or Settings()
        self._entered = False
        self._local_streams: dict[str, MediaStream] = {}
        self._parts = ConnectionAssembly(self, self._runner, configuration or RTCConfiguration(), settings)
        self._scope = ConnectionScope(settings.close_timeout)
        self._block: contextlib.AbstractAsyncContextManager[None] | None = None

    # -- lifetime ------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> "RTCPeerConnection":
        require_trio("async with RTCPeerConnection")
        if self._entered:
            raise RuntimeError("a peer connection has one 'async with' block; make another connection")
        if self._parts.context.is_closed:
            raise mark_connection_ended(InvalidStateError("the peer connection is closed"))
        self._entered = True
        self._block = self._scope.run(
            self._parts.transports.start, self.close, self._parts.transports.shutdown
        )
        await self._block.__aenter__()
        assert self._scope.body is not None
        assert self._scope.transports is not None
        self._parts.context.nursery = self._scope.transports
        self._runner.open(self._scope.body)
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._block is not None
        await self._block.__aexit__(exception_type, exception, traceback)

    def close(self) -> None:
        """Close at once: states are closed when this returns, and no events follow (W3C webrtc section 4.4.2).

        The goodbyes are sent in the background; ``aclose`` and the end of the block wait for them. Idempotent.
        """
        if self._parts.context.is_closed:
            return
        self._parts.context.is_closed = True
        self._end_events()
        self._runner.end()
        self._parts.close()
        self._scope.request_close()

    async def aclose(self) -> None:
        """Close, and wait until the goodbyes have been sent and every task and socket is gone."""
        require_trio("RTCPeerConnection.aclose")
        self.close()
        await self._scope.wait_closed()

    async def peer_closed(self) -> None:
        """Wait until the peer has left. Not W3C's.

        The peer has left when it has closed the connection (its DTLS close_notify has come, or, where data channels are
        all that was negotiated, it has ended their association), or when the connection has failed. If that has
        happened already, this returns at once; a failure that an ICE restart has overcome does not count any more.

        W3C has no state for it: ``connection_state`` stays ``"connected"`` until ICE misses the peer, seconds later.

        Raises:
            RuntimeError: Outside of the ``async with`` block.
            trio.ClosedResourceError: The connection was closed on this side first.
        """
        require_trio("RTCPeerConnection.peer_closed")
        self._require_block("peer_closed")
        await self._parts.states.departure.wait()

    async def gathering_complete(self) -> None:
        """Wait until ``ice_gathering_state`` is ``"complete"``: ``local_description`` has all candidates. Not W3C's.

        Gathering begins with ``set_local_description``, and begins again after an ICE restart and for a new transport.

        Raises:
            RuntimeError: Outside of the ``async with`` block.
            trio.ClosedResourceError: The connection was closed before gathering was complete.
        """
        require_trio("RTCPeerConnection.gathering_complete")
        self._require_block("gathering_complete")
        # The state follows set_local_description on a later turn: after a restart it still is that of the last time.
        await trio.lowlevel.checkpoint()
        async with self.subscribe("ice_gathering_state_change") as changes:
            while self.ice_gathering_state is not RTCIceGatheringState.COMPLETE:
                try:
                    await changes.receive()
                except trio.EndOfChannel:
                    error = trio.ClosedResourceError("the peer connection was closed on this side")
                    raise mark_connection_ended(error) from None

    # -- offers and answers --------------------------------------------------------------------------------------

    @overload
    async def create_offer(
        self,
        *,
        ice_restart: bool = False,
        offer_to_receive_audio: bool | None = None,
        offer_to_receive_video: bool | None = None,
    ) -> RTCSessionDescription: ...
    @overload
    async def create_offer(
        self,
        success_callback: Callable[[RTCSessionDescription], object],
        failure_callback: ErrorCallback,
        *,
        ice_restart: bool = False,
        offer_to_receive_audio: bool | None = None,
        offer_to_receive_video: bool | None = None,
    ) -> None: ...
    @strict_arguments
    async def create_offer(
        self,
        success_callback: Callable[[RTCSessionDescription], object] | None = None,
        failure_callback: ErrorCallback | None = None,
        *,
        ice_restart: bool = False,
        offer_to_receive_audio: bool | None = None,
        offer_to_receive_video: bool | None = None,
    ) -> RTCSessionDescription | None:
        """Create an offer (W3C webrtc section 4.4.2).

        Args:
            success_callback: Legacy: called with the offer, instead of it being returned.
            failure_callback: Legacy: called with the error, instead of it being raised.
            ice_restart: Whether to restart ICE with new credentials.
            offer_to_receive_audio: Legacy: ``True``: have a transceiver that receives audio; ``False``: receive none.
            offer_to_receive_video: The same of video.

        Raises:
            InvalidStateError: The connection is closed.
            trio.ClosedResourceError: It was closed meanwhile.
        """
        require_trio("RTCPeerConnection.create_offer")

        async def create() -> RTCSessionDescription:
            return await self._parts.methods.create_offer(ice_restart=ice_restart)

        for kind, receive in (("audio", offer_to_receive_audio), ("video", offer_to_receive_video)):
            if receive is not None and not self._parts.context.is_closed:
                self._parts.transceivers.offer_to_receive(kind, receive=receive)

        return await settle(create, success_callback, failure_callback)

    @overload
    async def create_answer(self) -> RTCSessionDescription: ...
    @overload
    async def create_answer(
        self,
        success_callback: Callable[[RTCSessionDescription], object],
        failure_callback: ErrorCallback,
    ) -> None: ...
    async def create_answer(
        self,
        success_callback: Callable[[RTCSessionDescription], object] | None = None,
        failure_callback: ErrorCallback | None = None,
    ) -> RTCSessionDescription | None:
        """Create an answer to the peer's offer (W3C webrtc section 4.4.2).

        Args:
            success_callback: Legacy: called with the answer, instead of it being returned.
            failure_callback: Legacy: called with the error, instead of it being raised.

        Raises:
            InvalidStateError: There is no offer to answer, or the connection is closed.
            trio.ClosedResourceError: It was closed meanwhile.
        """
        require_trio("RTCPeerConnection.create_answer")
        return await settle(self._parts.methods.create_answer, success_callback, failure_callback)

    async def set_local_description(
        self,
        description: RTCSessionDescription | Mapping[str, Any] | None = None,
        success_callback: Callable[[], object] | None = None,
        failure_callback: ErrorCallback | None = None,
    ) -> None:
        """Apply a description of ours; gathering begins (W3C webrtc section 4.4.2).

        Args:
            description: What to apply; ``None``: create the offer or answer that fits the state. A dictionary may
                leave out its ``type`` or its ``sdp``, which are then chosen or created in the same way.
            success_callback: Legacy: called when it is done.
            failure_callback: Legacy: called with the error, instead of it being raised.

        Raises:
            RuntimeError: Outside of the ``async with`` block.
            InvalidStateError: It does not fit the state, or the connection is closed.
            InvalidModificationError: It is not what ``create_offer`` or ``create_answer`` returned.
            trio.ClosedResourceError: The connection was closed meanwhile.
        """
        require_trio("RTCPeerConnection.set_local_description")

        async def apply() -> None:
            kind, sdp = as_local_description(description)
            self._require_block("set_local_description")
            await self._parts.methods.set_local_description(kind, sdp)

        await settle_without_value(apply, success_callback, failure_callback)

    async def set_remote_description(
        self,
        description: RTCSessionDescription | Mapping[str, Any],
        success_callback: Callable[[], object] | None = None,
        failure_callback: ErrorCallback | None = None,
    ) -> None:
        """Apply a description of the peer's (W3C webrtc section 4.4.2).

        An offer that meets an offer of ours rolls ours back, unless it is refused: then ours still stands.

        Args:
            description: What the peer sent; also as the dictionary that a browser's ``toJSON`` gives.
            success_callback: Legacy: called when it is done.
            failure_callback: Legacy: called with the error, instead of it being raised.

        Raises:
            RuntimeError: Outside of the ``async with`` block.
            RTCError: The SDP does not parse; ``sdp_line_number`` tells the line.
            InvalidStateError: It does not fit the state, or the connection is closed.
            InvalidAccessError: It cannot mean anything (no fingerprint, no credentials).
            OperationError: The peer wants a new DTLS association, which is not supported.
            trio.ClosedResourceError: The connection was closed meanwhile.
        """
        require_trio("RTCPeerConnection.set_remote_description")

        async def apply() -> None:
            chosen = as_description(description)
            self._require_block("set_remote_description")
            await self._parts.methods.set_remote_description(chosen)

        await settle_without_value(apply, success_callback, failure_callback)

    async def add_ice_candidate(
        self,
        candidate: RTCIceCandidate | Mapping[str, Any] | None = None,
        success_callback: Callable[[], object] | None = None,
        failure_callback: ErrorCallback | None = None,
    ) -> None:
        """Take a candidate of the peer's (W3C webrtc section 4.4.2).

        Args:
            candidate: The candidate; also as the dictionary that a browser's ``toJSON`` gives. ``None``: there
                are no more. A candidate of a kind that cannot be used (a host name, a transport other than UDP) is
                ignored, and counted in the statistics of the layer ``ice``.
            success_callback: Legacy: called when it is done.
            failure_callback: Legacy: called with the error, instead of it being raised.

        Raises:
            RuntimeError: Outside of the ``async with`` block.
            InvalidStateError: There is no remote description yet, or the connection is closed.
            OperationError: The candidate does not parse, or belongs to no section of the description.
            TypeError: Nothing says which section it belongs to.
            trio.ClosedResourceError: The connection was closed meanwhile.
        """
        require_trio("RTCPeerConnection.add_ice_candidate")

        async def add() -> None:
            chosen = as_candidate(candidate)
            self._require_block("add_ice_candidate")
            await self._parts.methods.add_ice_candidate(chosen)

        await settle_without_value(add, success_callback, failure_callback)

    def restart_ice(self) -> None:
        """Ask for new ICE credentials in the next offer, and for that offer (W3C webrtc section 4.4.2)."""
        if not self._parts.context.is_closed:
            self._parts.methods.restart_ice()

    # -- descriptions and states -----------------------------------------------------------------------------------

    @property
    def local_description(self) -> RTCSessionDescription | None:
        """Our description: the pending one, else the current one, with the candidates gathered so far."""
        return self.pending_local_description or self.current_local_description

    @property
    def current_local_description(self) -> RTCSessionDescription | None:
        """Our description of the last completed exchange."""
        return self._parts.negotiation.description(self._parts.negotiation.session.current_local)

    @property
    def pending_local_description(self) -> RTCSessionDescription | None:
        """Our description of the exchange that is under way."""
        return self._parts.negotiation.description(self._parts.negotiation.session.pending_local)

    @property
    def remote_description(self) -> RTCSessionDescription | None:
        """The peer's description: the pending one, else the current one."""
        return self.pending_remote_description or self.current_remote_description

    @property
    def current_remote_description(self) -> RTCSessionDescription | None:
        """The peer's description of the last completed exchange."""
        return self._parts.negotiation.description(self._parts.negotiation.session.current_remote)

    @property
    def pending_remote_description(self) -> RTCSessionDescription | None:
        """The peer's description of the exchange that is under way."""
        return self._parts.negotiation.description(self._parts.negotiation.session.pending_remote)

    @property
    def can_trickle_ice_candidates(self) -> bool | None:
        """Whether the peer takes candidates after its description; ``None`` before there is one."""
        return self._parts.negotiation.can_trickle

    @property
    def signaling_state(self) -> RTCSignalingState:
        """Where the exchange of offer and answer stands."""
        return self._parts.methods.signaling_state

    @property
    def ice_gathering_state(self) -> RTCIceGatheringState:
        """Whether candidates are being gathered."""
        return self._parts.states.ice_gathering_state

    @property
    def ice_connection_state(self) -> RTCIceConnectionState:
        """Whether ICE has found a path."""
        return self._parts.states.ice_connection_state

    @property
    def connection_state(self) -> RTCPeerConnectionState:
        """Whether the peers are connected, ICE and DTLS taken together."""
        return self._parts.states.connection_state

    @property
    def sctp(self) -> RTCSctpTransport | None:
        """The association of the data channels; ``None`` until one is negotiated."""
        return self._parts.states.sctp_transport

    # -- configuration -----------------------------------------------------------------------------------------------

    def get_configuration(self) -> RTCConfiguration:
        """Return the configuration in force."""
        return self._parts.negotiation.configuration

    def set_configuration(self, configuration: RTCConfiguration | None = None) -> None:
        """Change the configuration (W3C webrtc section 4.4.2). ICE servers count from the next gathering on.

        Raises:
            InvalidStateError: The connection is closed.
            InvalidModificationError: Certificates or policies that are fixed are to change.
        """
        self._require_open()
        new, old = configuration or RTCConfiguration(), self._parts.negotiation.configuration
        if new.certificates and new.certificates != old.certificates:
            raise InvalidModificationError("the certificates of a peer connection do not change")
        if new.bundle_policy is not old.bundle_policy:
            raise InvalidModificationError("the bundle policy of a peer connection does not change")
        if new.ice_candidate_pool_size != old.ice_candidate_pool_size and self.local_description is not None:
            raise InvalidModificationError("the pool of candidates is in use")
        self._parts.negotiation.configuration = new

    @staticmethod
    async def generate_certificate(
        key_generation_algorithm: str | Mapping[str, Any] = "ECDSA",
    ) -> RTCCertificate:
        """Make a certificate to be used in configurations (W3C webrtc section 4.9.1).

        Args:
            key_generation_algorithm: ``"ECDSA"`` (on P-256), ``"RSASSA-PKCS1-v1_5"`` (2,048 bits), or a mapping
                with ``name``, the algorithm's parameters and ``expires``: milliseconds of life, by default 30
                days, at most 365.

        Raises:
            NotSupportedError: The algorithm is none of these.
            TypeError: The algorithm has no name, or ``expires`` is negative or no number.
        """
        require_trio("RTCPeerConnection.generate_certificate")
        if not needs_thread(key_generation_algorithm):
            await trio.lowlevel.checkpoint()
            return generate_certificate(key_generation_algorithm)
        return await trio.to_thread.run_sync(generate_certificate, key_generation_algorithm)

    # -- audio and video -----------------------------------------------------------------------------------------

    def add_track(self, track: MediaStreamTrack, *streams: MediaStream) -> RTCRtpSender:
        """Send a track to the peer (W3C webrtc section 5.1).

        Args:
            track: The track.
            streams: To which streams it belongs, as the peer is to see it.

        Raises:
            InvalidStateError: The connection is closed.
            InvalidAccessError: The track is being sent already.
        """
        self._require_open()
        sender = self._parts.transceivers.add_track(track, streams)
        self._parts.context.negotiation_needed.update()
        return sender

    def remove_track(self, sender: RTCRtpSender) -> None:
        """Send a sender's track no more (W3C webrtc section 5.1). The sender stays, and may send another one.

        Raises:
            InvalidStateError: The connection is closed.
            InvalidAccessError: The sender belongs to another connection.
        """
        self._require_open()
        if self._parts.transceivers.remove_track(sender):
            self._parts.context.negotiation_needed.update()

    @strict_arguments
    def add_transceiver(
        self,
        track_or_kind: MediaStreamTrack | str,
        *,
        direction: RTCRtpTransceiverDirection | str = RTCRtpTransceiverDirection.SENDRECV,
        streams: Sequence[MediaStream] = (),
        send_encodings: Sequence[RTCRtpEncodingParameters] = (),
    ) -> RTCRtpTransceiver:
        """Make a transceiver (W3C webrtc section 5.1).

        Args:
            track_or_kind: What to send, or ``"audio"`` or ``"video"`` for what may be sent later.
            direction: What to negotiate.
            streams: To which streams the track belongs.
            send_encodings: How it is sent; several, each with a ``rid``, are a simulcast.

        Raises:
            InvalidStateError: The connection is closed.
            TypeError: There is no such kind or direction, or the encodings contradict each other.
            ValueError: A number of an encoding is out of range.
            OperationError: A codec cannot be sent.
        """
        self._require_open()
        wanted = member_of(RTCRtpTransceiverDirection, direction)
        transceiver = self._parts.transceivers.add_transceiver(track_or_kind, wanted, streams, send_encodings)
        self._parts.context.negotiation_needed.update()
        return transceiver

    def get_transceivers(self) -> list[RTCRtpTransceiver]:
        """Return the transceivers in the order of their creation, stopped ones until both sides know of it."""
        table = self._parts.transceivers
        return [table.face(each) for each in table.records]

    def get_senders(self) -> list[RTCRtpSender]:
        """Return the senders of the transceivers."""
        table = self._parts.transceivers
        return [table.face(each).sender for each in table.live]

    def get_receivers(self) -> list[RTCRtpReceiver]:
        """Return the receivers of the transceivers."""
        table = self._parts.transceivers
        return [table.face(each).receiver for each in table.live]

    def add_stream(self, stream: MediaStream) -> None:
        """Obsolete: add every track of a stream that is not being sent yet.

        Raises:
            InvalidStateError: The connection is closed.
        """
        sent = [sender.track for sender in self.get_senders()]
        for track in stream.get_tracks():
            if track not in sent:
                self.add_track(track, stream)
        self._local_streams.setdefault(stream.id, stream)

    def remove_stream(self, stream: MediaStream) -> None:
        """Obsolete: remove every track of a stream.

        Raises:
            InvalidStateError: The connection is closed.
        """
        self._require_open()
        tracks = stream.get_tracks()
        for sender in self.get_senders():
            if sender.track in tracks:
                self.remove_track(sender)
        self._local_streams.pop(stream.id, None)

    def get_local_streams(self) -> list[MediaStream]:
        """Obsolete: return the streams that ``add_stream`` has added."""
        return list(self._local_streams.values())

    def get_remote_streams(self) -> list[MediaStream]:
        """Obsolete: return the streams that the peer sends."""
        return self._parts.transceivers.remote_streams

    def get_stream_by_id(self, stream_id: str) -> MediaStream | None:
        """Obsolete: return the stream of that name, of ours or of the peer's, or ``None``."""
        streams = (*self.get_local_streams(), *self.get_remote_streams())
        return next((stream for stream in streams if stream.id == stream_id), None)

    # -- data channels and statistics ----------------------------------------------------------------------------

    @strict_arguments
    def create_data_channel(
        self,
        label: str,
        *,
        ordered: bool = True,
        max_packet_life_time: int | None = None,
        max_retransmits: int | None = None,
        protocol: str = "",
        negotiated: bool = False,
        id: int | None = None,
        priority: RTCPriorityType | str = RTCPriorityType.LOW,
    ) -> RTCDataChannel:
        """Create a data channel (W3C webrtc section 6.1).

        If the SCTP association has failed, or the peer has left, the channel closes with an ``error`` event.

        Args:
            label: Its name; need not be unique.
            ordered: Whether messages arrive in the order in which they were sent.
            max_packet_life_time: For how many milliseconds to transmit a message; ``None``: until it arrives.
            max_retransmits: How often to send a message again; ``None``: until it arrives.
            protocol: Name of the subprotocol.
            negotiated: Whether the other side creates the same channel by itself, with the same ``id``.
            id: The channel's number, for negotiated channels.
            priority: Priority against other channels.

        Raises:
            InvalidStateError: The connection is closed.
            TypeError: The arguments contradict each other, are out of range or of the wrong type.
            OperationError: The id is in use.
        """
        self._require_open()
        parameters = channel_parameters(
            label,
            ordered=ordered,
            max_packet_life_time=max_packet_life_time,
            max_retransmits=max_retransmits,
            protocol=protocol,
            negotiated=negotiated,
            id=id,
            priority=priority,
        )
        channel = self._parts.channels.create(
            parameters, negotiated=bool(negotiated), stream_id=id if negotiated else None
        )
        self._parts.context.negotiation_needed.update()
        return channel

    async def get_stats(self, selector: MediaStreamTrack | None = None) -> RTCStatsReport:
        """Return statistics of transports, channels and media (W3C webrtc-stats).

        Args:
            selector: Return only what concerns the sender or receiver of this track.

        Raises:
            InvalidAccessError: The track has no sender or receiver here, or several.
        """
        require_trio("RTCPeerConnection.get_stats")
        if selector is not None:
            ends: list[RTCRtpSender | RTCRtpReceiver] = [*self.get_senders(), *self.get_receivers()]
            users = [each for each in ends if each.track is selector]
            if len(users) != 1:
                raise InvalidAccessError(f"the track has {len(users)} senders and receivers here, not one")
            return await users[0].get_stats()
        return await self._parts.statistics.collect()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _require_open(self) -> None:
        self._parts.context.require_open()

    def _require_block(self, method: str) -> None:
        if self._scope.transports is None and not self._parts.context.is_closed:
            raise RuntimeError(
                f"{method} needs the network: write 'async with RTCPeerConnection() as pc:' and call it inside"
            )
