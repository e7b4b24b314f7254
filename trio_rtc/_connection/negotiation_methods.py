"""The operations that negotiate: one after another, each with what follows of it for the signaling state."""

from collections.abc import Callable

from trio_rtc.descriptions import RTCSessionDescription
from trio_rtc.enums import RTCSdpType, RTCSignalingState
from trio_rtc.event_target import HandlerRunner
from trio_rtc.jsep import ApplyResult

from .negotiation import CandidateInit, Negotiation
from .operations_chain import NegotiationNeed, OperationsChain


class NegotiationMethods:
    """W3C's chained operations of one peer connection, its signaling state, and its need of negotiation.

    Args:
        negotiation: Creates and applies descriptions.
        runner: Runs the checks whether negotiation is needed.
        announce: Fires an event at the connection, by its name.
        is_closed: Tells whether the connection is closed.

    Attributes:
        chain: The order of the operations.
        signaling_state: Where the exchange of offer and answer stands.
    """

    def __init__(
        self,
        negotiation: Negotiation,
        runner: HandlerRunner,
        announce: Callable[[str], None],
        is_closed: Callable[[], bool],
    ) -> None:
        self._negotiation = negotiation
        self._announce = announce
        self._is_closed = is_closed
        self._need = NegotiationNeed(
            runner,
            lambda: self.signaling_state is RTCSignalingState.STABLE,
            negotiation.is_needed,
            lambda: announce("negotiation_needed"),
        )
        self.chain = OperationsChain(is_closed, self._need.chain_emptied)
        self.signaling_state = RTCSignalingState.STABLE
        self._need.watch(self.chain)

    def close(self) -> None:
        """Hear that the connection is closed."""
        self.signaling_state = RTCSignalingState.CLOSED

    def update_need(self) -> None:
        """Look again whether negotiation is needed."""
        self._need.update()

    def restart_ice(self) -> None:
        """Let the next offer have new ICE credentials, and ask for that offer."""
        self._negotiation.want_ice_restart()
        self._need.update()

    async def create_offer(self, *, ice_restart: bool) -> RTCSessionDescription:
        """Create an offer in its turn.

        Raises:
            InvalidStateError: The connection is closed; so from the other operations.
            trio.ClosedResourceError: It was closed meanwhile; so from the other operations.
        """
        async with self.chain.operation():
            return self._negotiation.create_offer(ice_restart=ice_restart)

    async def create_answer(self) -> RTCSessionDescription:
        """Create an answer in its turn.

        Raises:
            InvalidStateError: There is no offer to answer.
        """
        async with self.chain.operation():
            return self._negotiation.create_answer()

    async def set_local_description(self, kind: RTCSdpType | None, sdp: str) -> None:
        """Apply a description of ours in its turn; what is left open is chosen then."""
        async with self.chain.operation():
            # No checkpoint from here to the caller: it has the description before any candidate is told.
            self._applied(self._negotiation.apply_local(self._negotiation.complete(kind, sdp)))
            self._negotiation.transports.wake()

    async def set_remote_description(self, description: RTCSessionDescription) -> None:
        """Apply a description of the peer's in its turn; an offer of ours that it collides with is rolled back."""
        async with self.chain.operation():
            if self._negotiation.collides(description):
                rollback = RTCSessionDescription(RTCSdpType.ROLLBACK)
                self._applied(self._negotiation.apply_local(rollback))
                self.chain.check_not_cut_off()
            self._applied(self._negotiation.apply_remote(description))
            self._negotiation.transports.wake()

    async def add_ice_candidate(self, candidate: CandidateInit) -> None:
        """Take a candidate of the peer's in its turn."""
        async with self.chain.operation():
            self._negotiation.add_candidate(candidate)
            self._negotiation.transports.wake()

    def _applied(self, applied: ApplyResult) -> None:
        """Show the new signaling state, and look again whether negotiation is needed."""
        if applied.signaling_state is RTCSignalingState.STABLE:
            self._need.forget()
        if applied.signaling_state is not self.signaling_state:
            self.signaling_state = applied.signaling_state
            self._announce("signaling_state_change")
        if not self._is_closed():
            self._negotiation.finish(applied)
