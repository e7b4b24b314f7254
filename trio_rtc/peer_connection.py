"""RTCPeerConnection (W3C webrtc section 4.4), whose lifetime ends with its ``async with`` block."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any, overload

import trio

from . import _attrs as attrs
from ._connection.assembly import ConnectionAssembly
from ._connection.connection_scope import ConnectionScope
from ._connection.negotiation import as_candidate, as_description, as_local_description
from ._environment import require_trio
from ._error_filters import mark_connection_ended
from ._strict_names.checks import strict_arguments, strict_class, warn_obsolete
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
from .identity import RTCIdentityAssertion, RTCIdentityProviderOptions
from .stats import RTCStatsReport
from .tracks.media_stream import MediaStream, MediaStreamEvent
from .tracks.media_stream_track import MediaStreamTrack
from .transceivers.dtmf_sender import RTCDTMFSender
from .transceivers.operations_chain import ErrorCallback, settle, settle_without_value
from .transceivers.rtp_parameters import RTCRtpEncodingParameters
from .transceivers.rtp_receiver import RTCRtpReceiver
from .transceivers.rtp_sender import RTCRtpSender
from .transceivers.rtp_transceiver import RTCRtpTransceiver, RTCTrackEvent
from .transports.rtc_transports import RTCSctpTransport
from .transports.settings import Settings


@strict_class
class RTCPeerConnection(EventTarget, trio.abc.AsyncResource):
    """A connection to a peer (W3C webrtc section 4.4).

    Methods that need no network, such as ``create_data_channel`` and ``create_offer``, can be called at once; all
    others must be called inside its block::

        async with RTCPeerConnection() as pc:
            channel = pc.create_data_channel("chat")
            await pc.set_local_description()
            ...

    The block owns every task and socket of the connection. When it ends, for any reason, the peer is notified (SCTP
    ABORT, DTLS close_notify), and all tasks and sockets are closed.

    Args:
        configuration: W3C's configuration.
        settings: Settings that W3C does not have.

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
    _OBSOLETE_EVENTS = MappingProxyType(
        {
            "add_stream": "the event 'track', which has the streams",
            "remove_stream": "the event 'remove_track' of the streams",
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
        configuration = configuration or RTCConfiguration()
        self._parts = ConnectionAssembly(self, self._runner, configuration, settings, self.close)
        self._scope = ConnectionScope(settings.close_timeout)
        self._block: contextlib.AbstractAsyncContextManager[None] | None = None

    # -- lifetime ------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> "RTCPeerConnection":
        require_trio("async with RTCPeerConnection")
        if self._entered:
            raise RuntimeError(
                "a peer connection can have only one 'async with' block; create another connection"
            )
        if self._parts.context.is_closed:
            raise mark_connection_ended(InvalidStateError("the peer connection is closed"))
        self._entered = True
        self._block = self._scope.run(self._parts.start, self.close, self._parts.transports.shutdown)
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
        """Close at once: all states are ``closed`` when this returns, and no events follow (W3C webrtc section 4.4.2).

        The peer is notified in the background; ``aclose`` and the end of the block wait for that. Idempotent.
        """
        if self._parts.context.is_closed:
            return
        self._parts.context.is_closed = True
        self._end_events()
        self._runner.end()
        self._parts.close()
        self._scope.request_close()

    async def aclose(self) -> None:
        """Close, and wait until the peer has been notified and every task and socket is closed."""
        require_trio("RTCPeerConnection.aclose")
        self.close()
        await self._scope.wait_closed()

    async def peer_closed(self) -> None:
        """Wait until the peer has left. Not W3C's.

        The peer has left when it has closed the connection (by DTLS close_notify, or, if only data channels were
        negotiated, by ending the SCTP association), or when the connection has failed. This returns at once if the peer
        has left already. A failure does not count any more after a successful ICE restart.

        W3C has no such state: ``connection_state`` remains ``"connected"`` until ICE detects the loss seconds later.

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
        # After an ICE restart, the state is updated on a later turn than that of set_local_description().
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
            success_callback: Legacy: called with the offer, which is then not returned.
            failure_callback: Legacy: called with the error, which is then not raised.
            ice_restart: Whether to restart ICE with new credentials.
            offer_to_receive_audio: Legacy: ``True`` to offer to receive audio, ``False`` to offer not to.
            offer_to_receive_video: Legacy: the same for video.

        Raises:
            InvalidStateError: The connection is closed.
            RTCError: The identity provider has failed.
            trio.ClosedResourceError: The connection was closed during the operation.
        """
        require_trio("RTCPeerConnection.create_offer")
        _warn_of_callbacks("create_offer", success_callback, failure_callback)

        async def create() -> RTCSessionDescription:
            return await self._parts.methods.create_offer(ice_restart=ice_restart)

        for kind, receive in (("audio", offer_to_receive_audio), ("video", offer_to_receive_video)):
            if receive is None:
                continue
            warn_obsolete(
                f"offer_to_receive_{kind} of RTCPeerConnection.create_offer()",
                "add_transceiver(), and its direction",
            )
            if not self._parts.context.is_closed:
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
            success_callback: Legacy: called with the answer, which is then not returned.
            failure_callback: Legacy: called with the error, which is then not raised.

        Raises:
            InvalidStateError: There is no offer to answer, or the connection is closed.
            RTCError: The identity provider has failed.
            trio.ClosedResourceError: The connection was closed during the operation.
        """
        require_trio("RTCPeerConnection.create_answer")
        _warn_of_callbacks("create_answer", success_callback, failure_callback)
        return await settle(self._parts.methods.create_answer, success_callback, failure_callback)

    async def set_local_description(
        self,
        description: RTCSessionDescription | Mapping[str, Any] | None = None,
        success_callback: Callable[[], object] | None = None,
        failure_callback: ErrorCallback | None = None,
    ) -> None:
        """Apply a local description, and start gathering (W3C webrtc section 4.4.2).

        Args:
            description: The description created last, possibly changed as far as Chromium permits it; ``None`` to
                create the offer or answer for the signaling state. In a dictionary, ``type`` and ``sdp`` may be
                missing, and are then created in the same way.
            success_callback: Legacy: called when the operation is complete.
            failure_callback: Legacy: called with the error, which is then not raised.

        Raises:
            RuntimeError: Outside of the ``async with`` block.
            InvalidStateError: The description is invalid in the signaling state, or the connection is closed.
            InvalidModificationError: The description differs from the result of ``create_offer`` or ``create_answer``
                in a line that must not be changed, which the message names.
            trio.ClosedResourceError: The connection was closed during the operation.
        """
        require_trio("RTCPeerConnection.set_local_description")
        _warn_of_callbacks("set_local_description", success_callback, failure_callback)

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
        """Apply a remote description (W3C webrtc section 4.4.2).

        An offer that collides with a local offer rolls the local offer back first, even if the remote offer is invalid.

        Args:
            description: The peer's description, or a dictionary as returned by a browser's ``toJSON``.
            success_callback: Legacy: called when the operation is complete.
            failure_callback: Legacy: called with the error, which is then not raised.

        Raises:
            RuntimeError: Outside of the ``async with`` block.
            RTCError: The SDP does not parse; ``sdp_line_number`` is the number of the line.
            InvalidStateError: The description is invalid in the signaling state, or the connection is closed.
            InvalidAccessError: The description lacks required information, such as a fingerprint or ICE credentials.
            OperationError: Two media sections have the same track, or the peer's identity is not the target peer
                identity; an ``RTCError`` if the identity provider has failed.
        """
        require_trio("RTCPeerConnection.set_remote_description")
        _warn_of_callbacks("set_remote_description", success_callback, failure_callback)

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
        """Add a remote ICE candidate (W3C webrtc section 4.4.2).

        Args:
            candidate: The candidate, or a dictionary as returned by a browser's ``toJSON``; ``None`` for the end of
                candidates. A candidate of an unsupported kind (a host name, a transport other than UDP) is ignored, and
                counted in the statistics of the layer ``ice``.
            success_callback: Legacy: called when the operation is complete.
            failure_callback: Legacy: called with the error, which is then not raised.

        Raises:
            RuntimeError: Outside of the ``async with`` block.
            InvalidStateError: There is no remote description yet, or the connection is closed.
            OperationError: The candidate does not parse, or has an unknown media section.
            TypeError: The candidate has neither ``sdp_mid`` nor ``sdp_m_line_index``.
            trio.ClosedResourceError: The connection was closed during the operation.
        """
        require_trio("RTCPeerConnection.add_ice_candidate")
        _warn_of_callbacks("add_ice_candidate", success_callback, failure_callback)

        async def add() -> None:
            chosen = as_candidate(candidate)
            self._require_block("add_ice_candidate")
            await self._parts.methods.add_ice_candidate(chosen)

        await settle_without_value(add, success_callback, failure_callback)

    def restart_ice(self) -> None:
        """Restart ICE with the next offer, for which ``negotiation_needed`` is fired (W3C webrtc section 4.4.2)."""
        if not self._parts.context.is_closed:
            self._parts.methods.restart_ice()

    # -- descriptions and states -----------------------------------------------------------------------------------

    @property
    def local_description(self) -> RTCSessionDescription | None:
        """The local description: the pending one, else the current one, with the candidates gathered so far."""
        return self.pending_local_description or self.current_local_description

    @property
    def current_local_description(self) -> RTCSessionDescription | None:
        """The local description of the last completed negotiation."""
        return self._parts.negotiation.description(self._parts.negotiation.session.current_local)

    @property
    def pending_local_description(self) -> RTCSessionDescription | None:
        """The local description of the negotiation in progress."""
        return self._parts.negotiation.description(self._parts.negotiation.session.pending_local)

    @property
    def remote_description(self) -> RTCSessionDescription | None:
        """The remote description: the pending one, else the current one."""
        return self.pending_remote_description or self.current_remote_description

    @property
    def current_remote_description(self) -> RTCSessionDescription | None:
        """The remote description of the last completed negotiation."""
        return self._parts.negotiation.description(self._parts.negotiation.session.current_remote)

    @property
    def pending_remote_description(self) -> RTCSessionDescription | None:
        """The remote description of the negotiation in progress."""
        return self._parts.negotiation.description(self._parts.negotiation.session.pending_remote)

    @property
    def can_trickle_ice_candidates(self) -> bool | None:
        """Whether the peer accepts trickled candidates; ``None`` before the first remote description."""
        return self._parts.negotiation.can_trickle

    @property
    def signaling_state(self) -> RTCSignalingState:
        """The state of the offer/answer negotiation."""
        return self._parts.methods.signaling_state

    @property
    def ice_gathering_state(self) -> RTCIceGatheringState:
        """The state of candidate gathering."""
        return self._parts.states.ice_gathering_state

    @property
    def ice_connection_state(self) -> RTCIceConnectionState:
        """The state of the ICE transports."""
        return self._parts.states.ice_connection_state

    @property
    def connection_state(self) -> RTCPeerConnectionState:
        """The state of the ICE and DTLS transports."""
        return self._parts.states.connection_state

    @property
    def sctp(self) -> RTCSctpTransport | None:
        """The SCTP transport of the data channels; ``None`` until either side offers one."""
        return self._parts.states.sctp_transport

    # -- configuration -----------------------------------------------------------------------------------------------

    def get_configuration(self) -> RTCConfiguration:
        """Return the present configuration."""
        return self._parts.negotiation.configuration

    def set_configuration(self, configuration: RTCConfiguration | None = None) -> None:
        """Change the configuration (W3C webrtc section 4.4.2).

        The ICE servers and the ICE transport policy are used from the next gathering on: that of
        ``set_local_description`` or of an ICE restart. Candidates of the pool are gathered again at once.

        Raises:
            InvalidStateError: The connection is closed.
            InvalidModificationError: Certificates, a policy, the pool size or the peer identity differ, and can no
                longer be changed.
        """
        self._require_open()
        new, old = configuration or RTCConfiguration(), self._parts.negotiation.configuration
        # A missing member has its default, so the configuration's certificates must be passed again.
        if new.certificates != old.certificates:
            raise InvalidModificationError(
                "certificates must be those of the present configuration, as get_configuration() returns them"
            )
        if new.bundle_policy is not old.bundle_policy:
            raise InvalidModificationError(
                f"bundle_policy must be {old.bundle_policy.value!r} as before, not {new.bundle_policy.value!r}"
            )
        if (
            new.ice_candidate_pool_size != old.ice_candidate_pool_size
            and self._parts.methods.local_description_requested
        ):
            raise InvalidModificationError(
                "ice_candidate_pool_size cannot be changed after set_local_description(); it must be "
                f"{old.ice_candidate_pool_size}, not {new.ice_candidate_pool_size}"
            )
        target = self._parts.identity.target
        if new.peer_identity is not None and new.peer_identity != target:
            raise InvalidModificationError(
                f"peer_identity must be the target peer identity {target!r}, not {new.peer_identity!r}"
            )
        # W3C's target peer identity cannot be changed once it is set.
        wanted = new.peer_identity or old.peer_identity
        self._parts.negotiation.configuration = attrs.evolve(new, peer_identity=wanted)
        self._parts.negotiation.fill_pool()
        if wanted is not None:
            self._parts.transceivers.isolate(wanted)

    @staticmethod
    async def generate_certificate(
        key_generation_algorithm: str | Mapping[str, Any] = "ECDSA",
    ) -> RTCCertificate:
        """Generate a certificate for configurations (W3C webrtc section 4.9.1).

        Args:
            key_generation_algorithm: ``"ECDSA"`` (on P-256), ``"RSASSA-PKCS1-v1_5"`` (2,048 bits), or a mapping
                with ``name``, the algorithm's parameters and ``expires``, the lifetime in milliseconds: by default
                30 days, at most 365.

        Raises:
            NotSupportedError: The algorithm is not supported.
            TypeError: The algorithm has no name, or ``expires`` is negative or not a number.
        """
        require_trio("RTCPeerConnection.generate_certificate")
        if not needs_thread(key_generation_algorithm):
            await trio.lowlevel.checkpoint()
            return generate_certificate(key_generation_algorithm)
        return await trio.to_thread.run_sync(generate_certificate, key_generation_algorithm)

    # -- identity ----------------------------------------------------------------------------------------------------

    @property
    def peer_identity(self) -> Awaitable[RTCIdentityAssertion]:
        """The validated identity of the peer, to be awaited (W3C webrtc-identity section 8).

        It resolves once, when an assertion in a remote description was validated, and stays the same. If validation
        fails, it is rejected with ``OperationError``, which is an ``RTCError`` if the provider has failed; without a
        target peer identity, this property then returns another awaitable. It is rejected with
        ``trio.ClosedResourceError`` when the connection is closed before.
        """
        return self._parts.identity.promise

    @property
    def idp_login_url(self) -> str | None:
        """The page on which the user can log in, from the identity provider that failed last."""
        return self._parts.identity.login_url

    @property
    def idp_error_info(self) -> str | None:
        """Information of the identity provider that failed last, in a form of its own."""
        return self._parts.identity.error_info

    @strict_arguments
    def set_identity_provider(
        self,
        provider: str,
        *,
        protocol: str = "default",
        username_hint: str | None = None,
        peer_identity: str | None = None,
    ) -> None:
        """Set the identity provider of this side (W3C webrtc-identity section 8).

        Offers and answers created afterwards have an assertion of it (``a=identity``). It is looked up in
        ``Settings.identity`` when an assertion is needed.

        Args:
            provider: Domain of the provider.
            protocol: Its protocol.
            username_hint: The user for whom assertions are requested.
            peer_identity: The identity of the peer, for providers that bind assertions to it; by default the
                ``peer_identity`` of the configuration.

        Raises:
            InvalidStateError: The connection is closed.
            SyntaxError: The protocol contains a slash or a backslash, or the domain is malformed.
        """
        self._require_open()
        options = RTCIdentityProviderOptions(protocol, username_hint, peer_identity)
        self._parts.identity.set_provider(provider, options)

    async def get_identity_assertion(self) -> str:
        """Return an assertion of this side's identity, as in ``a=identity`` (W3C webrtc-identity section 8).

        It is kept for offers and answers, which request one themselves if this was not called.

        Raises:
            InvalidStateError: The connection is closed, or no identity provider is set.
            RTCError: The identity provider has failed.
            trio.ClosedResourceError: The connection was closed during the operation.
        """
        require_trio("RTCPeerConnection.get_identity_assertion")
        self._require_open()
        await trio.lowlevel.checkpoint()
        return await self._parts.identity.request()

    # -- audio and video -----------------------------------------------------------------------------------------

    def add_track(self, track: MediaStreamTrack, *streams: MediaStream) -> RTCRtpSender:
        """Send a track to the peer (W3C webrtc section 5.1).

        Args:
            track: The track.
            streams: The streams of the track at the peer.

        Raises:
            InvalidStateError: The connection is closed.
            InvalidAccessError: The track already has a sender.
        """
        self._require_open()
        sender = self._parts.transceivers.add_track(track, streams)
        self._parts.context.negotiation_needed.update()
        return sender

    def remove_track(self, sender: RTCRtpSender) -> None:
        """Stop sending a sender's track (W3C webrtc section 5.1). The sender remains, and can send another one.

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
        """Create a transceiver (W3C webrtc section 5.1).

        Args:
            track_or_kind: The track to send, or ``"audio"`` or ``"video"`` for a transceiver without a track.
            direction: The preferred direction.
            streams: The streams of the track at the peer.
            send_encodings: The encodings of the sender; several, each with a ``rid``, for simulcast.

        Raises:
            InvalidStateError: The connection is closed.
            TypeError: The kind or direction is invalid, or the RIDs of the encodings are.
            ValueError: A number of an encoding is out of range.
            OperationError: A codec cannot be sent.
        """
        self._require_open()
        initial_direction = member_of(RTCRtpTransceiverDirection, direction)
        transceiver = self._parts.transceivers.add_transceiver(
            track_or_kind, initial_direction, streams, send_encodings
        )
        self._parts.context.negotiation_needed.update()
        return transceiver

    def get_transceivers(self) -> list[RTCRtpTransceiver]:
        """Return the transceivers in the order of their creation, without those whose stop was negotiated."""
        table = self._parts.transceivers
        return [table.w3c_object(each) for each in table.records]

    def get_senders(self) -> list[RTCRtpSender]:
        """Return the senders of the transceivers."""
        table = self._parts.transceivers
        return [table.w3c_object(each).sender for each in table.live]

    def get_receivers(self) -> list[RTCRtpReceiver]:
        """Return the receivers of the transceivers."""
        table = self._parts.transceivers
        return [table.w3c_object(each).receiver for each in table.live]

    def add_stream(self, stream: MediaStream) -> None:
        """Obsolete: add every track of a stream that is not being sent yet.

        Raises:
            InvalidStateError: The connection is closed.
        """
        warn_obsolete("RTCPeerConnection.add_stream()", "add_track()")
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
        warn_obsolete("RTCPeerConnection.remove_stream()", "remove_track()")
        self._require_open()
        tracks = stream.get_tracks()
        for sender in self.get_senders():
            if sender.track in tracks:
                self.remove_track(sender)
        self._local_streams.pop(stream.id, None)

    def get_local_streams(self) -> list[MediaStream]:
        """Obsolete: return the streams that ``add_stream`` has added."""
        warn_obsolete("RTCPeerConnection.get_local_streams()", "get_senders()")
        return list(self._local_streams.values())

    def get_remote_streams(self) -> list[MediaStream]:
        """Obsolete: return the streams that the peer sends."""
        warn_obsolete(
            "RTCPeerConnection.get_remote_streams()", "get_receivers(), and the streams of 'track' events"
        )
        return self._parts.transceivers.remote_streams

    def get_stream_by_id(self, stream_id: str) -> MediaStream | None:
        """Obsolete: return the local or remote stream with an id, or ``None``."""
        warn_obsolete("RTCPeerConnection.get_stream_by_id()", "get_senders() and get_receivers()")
        streams = (*self._local_streams.values(), *self._parts.transceivers.remote_streams)
        return next((stream for stream in streams if stream.id == stream_id), None)

    def create_dtmf_sender(self, track: MediaStreamTrack) -> RTCDTMFSender:
        """Obsolete: return the sender of DTMF tones beside an audio track: ``dtmf`` of the track's ``RTCRtpSender``.

        Raises:
            InvalidStateError: The connection is closed.
            InvalidAccessError: The connection does not send the track, or it is a video track.
        """
        warn_obsolete("RTCPeerConnection.create_dtmf_sender()", "sender.dtmf")
        self._require_open()
        sender = next((each for each in self.get_senders() if each.track is track), None)
        if sender is None or sender.dtmf is None:
            raise InvalidAccessError(
                f"track must be an audio track that this connection sends, not {track!r}"
            )
        return sender.dtmf

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

        If the SCTP association has failed, or the peer has left, the channel is closed with an ``error`` event.

        Args:
            label: The label, which need not be unique.
            ordered: Whether messages arrive in the order in which they were sent.
            max_packet_life_time: Milliseconds during which a message is transmitted and retransmitted; ``None`` for no
                limit.
            max_retransmits: Maximum number of retransmissions of a message; ``None`` for no limit.
            protocol: The name of the subprotocol.
            negotiated: Whether the applications negotiate the channel: the peer creates it too, with the same ``id``.
            id: The SCTP stream identifier of a negotiated channel.
            priority: The priority relative to other channels.

        Raises:
            InvalidStateError: The connection is closed.
            TypeError: An argument has the wrong type, is out of range, or contradicts another one.
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
        """Return statistics of transports, data channels and media (W3C webrtc-stats).

        Args:
            selector: A track, to return only the statistics of its sender or receiver; ``None`` for all.

        Raises:
            InvalidAccessError: The track does not have exactly one sender or receiver in this connection.
        """
        require_trio("RTCPeerConnection.get_stats")
        if selector is not None:
            ends: list[RTCRtpSender | RTCRtpReceiver] = [*self.get_senders(), *self.get_receivers()]
            owners = [each for each in ends if each.track is selector]
            if len(owners) != 1:
                raise InvalidAccessError(
                    f"selector must be a track with one sender or receiver in this connection, not {len(owners)}"
                )
            return await owners[0].get_stats()
        return await self._parts.statistics.collect()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _require_open(self) -> None:
        self._parts.context.require_open()

    def _require_block(self, method: str) -> None:
        if self._scope.transports is None and not self._parts.context.is_closed:
            raise RuntimeError(
                f"{method}() needs the network: call it inside the block of 'async with RTCPeerConnection() as pc:'"
            )


def _warn_of_callbacks(
    method: str, success_callback: Callable[..., object] | None, failure_callback: ErrorCallback | None
) -> None:
    if success_callback is not None or failure_callback is not None:
        warn_obsolete(
            f"the form of RTCPeerConnection.{method}() with callbacks", f"'await {method}()' without them"
        )
