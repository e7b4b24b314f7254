"""W3C's chained negotiation methods (webrtc section 4.4.1.2) and the signaling state."""

from trio_rtc.descriptions import RTCSessionDescription
from trio_rtc.enums import RTCSdpType, RTCSignalingState
from trio_rtc.jsep import ApplyResult
from trio_rtc.transceivers.connection_context import ConnectionContext

from .identity import ConnectionIdentity
from .negotiation import CandidateInit, Negotiation
from .rtp_loading import load_rtp


class NegotiationMethods:
    """W3C's chained negotiation methods of one peer connection, and its signaling state.

    Args:
        negotiation: Creates and applies descriptions.

    Attributes:
        signaling_state: W3C's ``[[SignalingState]]``.
        local_description_requested: Whether ``set_local_description`` has been called.
    """

    def __init__(
        self, negotiation: Negotiation, context: ConnectionContext, identity: ConnectionIdentity
    ) -> None:
        self._negotiation = negotiation
        self._identity = identity
        self._context = context
        self._chain = context.chain
        self.signaling_state = RTCSignalingState.STABLE
        self.local_description_requested = False
        context.negotiation_needed.on_check = self._is_negotiation_needed
        context.negotiation_needed.on_set = lambda: context.fire_simple("negotiation_needed")

    def _is_negotiation_needed(self) -> bool | None:
        if self.signaling_state is not RTCSignalingState.STABLE:
            return None
        return self._negotiation.is_needed()

    def close(self) -> None:
        """Set the signaling state of a closed connection."""
        self.signaling_state = RTCSignalingState.CLOSED

    def restart_ice(self) -> None:
        """Restart ICE with the next offer, which is then needed."""
        self._negotiation.request_ice_restart()
        self._context.negotiation_needed.update()

    async def create_offer(self, *, ice_restart: bool) -> RTCSessionDescription:
        """Create an offer as a chained operation.

        Raises:
            InvalidStateError: The connection is closed; also for the other operations.
            trio.ClosedResourceError: The connection was closed during the operation; also for the other operations.
        """
        async with self._chain.operation(self._negotiation.check_offerable):
            await self._request_assertion()
            return self._negotiation.create_offer(ice_restart=ice_restart)

    async def create_answer(self) -> RTCSessionDescription:
        """Create an answer as a chained operation.

        Raises:
            InvalidStateError: There is no offer to answer.
        """
        async with self._chain.operation(self._negotiation.check_answerable):
            await self._request_assertion()
            return self._negotiation.create_answer()

    async def set_local_description(self, kind: RTCSdpType | None, sdp: str) -> None:
        """Apply a local description as a chained operation; missing parts are created then."""
        self.local_description_requested = True
        async with self._chain.operation(lambda: self._negotiation.check_local(kind, sdp)):
            await self._load_media("")
            if kind is not RTCSdpType.ROLLBACK and not sdp:
                await self._request_assertion()
            self._run_earlier_tasks()
            # No checkpoint from here to the caller, which gets the description before any candidate event.
            self._applied(self._negotiation.apply_local(self._negotiation.complete(kind, sdp)))
            self._negotiation.transports.wake()

    async def set_remote_description(self, description: RTCSessionDescription) -> None:
        """Apply a remote description as a chained operation; a colliding local offer is rolled back."""
        async with self._chain.operation(lambda: self._negotiation.check_remote(description)):
            await self._load_media(description.sdp)
            self._run_earlier_tasks()
            if self._negotiation.collides(description):
                # W3C 4.4.2, setRemoteDescription: the rollback precedes all checks of the remote offer's content, so
                # an invalid one leaves no offer. No checkpoint follows, so the caller cannot be cancelled in between.
                rollback = RTCSessionDescription(RTCSdpType.ROLLBACK)
                self._applied(self._negotiation.apply_local(rollback))
                self._chain.check_open()
            if self._identity.target is not None:
                await self._validate_identity(description)
                self._run_earlier_tasks()
            self._applied(self._negotiation.apply_remote(description))
            remote = self._negotiation.remote_description()
            if remote is not None and description.type is not RTCSdpType.ROLLBACK:
                self._identity.validate_later(remote)
            self._negotiation.transports.wake()

    async def add_ice_candidate(self, candidate: CandidateInit) -> None:
        """Add a remote candidate as a chained operation."""
        async with self._chain.operation(lambda: self._negotiation.check_candidate(candidate)):
            self._negotiation.add_candidate(candidate)
            self._negotiation.transports.wake()

    def _run_earlier_tasks(self) -> None:
        """Run the tasks that were queued before that of a description, so that none runs within it."""
        self._context.runner.run_queued_tasks()
        self._chain.check_open()

    async def _load_media(self, sdp: str) -> None:
        """Import RTP before the first description with audio or video."""
        if self._negotiation.transceivers.records or "m=audio" in sdp or "m=video" in sdp:
            await load_rtp()
            self._chain.check_open()

    async def _request_assertion(self) -> None:
        """Request an assertion of the local identity for a description, if an identity provider is set."""
        self._negotiation.assertion = await self._identity.for_description()
        self._chain.check_open()

    async def _validate_identity(self, description: RTCSessionDescription) -> None:
        """Validate the identity in a remote description, if there is a target peer identity."""
        if description.type is not RTCSdpType.ROLLBACK:
            await self._identity.validate(self._negotiation.preview_remote(description))
            self._chain.check_open()

    def _applied(self, applied: ApplyResult) -> None:
        """Update the signaling state and the negotiation-needed flag, then finish the description."""
        if applied.signaling_state is RTCSignalingState.STABLE:
            self._context.negotiation_needed.clear()
        if applied.signaling_state is not self.signaling_state:
            self.signaling_state = applied.signaling_state
            self._context.fire_simple("signaling_state_change")
        if not self._context.is_closed:
            self._negotiation.finish(applied)
