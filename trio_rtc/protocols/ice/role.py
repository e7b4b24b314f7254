"""ICE roles and the resolution of role conflicts (RFC 8445 sections 7.2.5.1 and 7.3.1.1)."""

import random
from enum import Enum, auto

from trio_rtc.protocols.stun import AttributeType, Message, StunAttribute

from .state import IceRole

_TIE_BREAKER_BITS = 64


class ConflictOutcome(Enum):
    NO_CONFLICT = auto()
    SWITCH_ROLE = auto()
    SEND_487 = auto()


class RoleConflictResolver:
    """Role and tie-breaker of this agent.

    If the peer is a lite agent, this one is controlling (RFC 8445 section 6.1.1).
    """

    def __init__(self, role: IceRole, rng: random.Random) -> None:
        self.role = role
        self.peer_is_lite = False
        self._rng = rng
        self._tie_breaker = rng.getrandbits(_TIE_BREAKER_BITS)

    @property
    def attribute(self) -> StunAttribute:
        """ICE-CONTROLLING or ICE-CONTROLLED for a request."""
        controlling = self.role is IceRole.CONTROLLING
        attribute_type = AttributeType.ICE_CONTROLLING if controlling else AttributeType.ICE_CONTROLLED
        return StunAttribute(attribute_type, self._tie_breaker.to_bytes(8, "big"))

    def switch(self) -> None:
        """Switch the role after a 487 response, and change the tie-breaker (RFC 8445 section 7.2.5.1)."""
        self.role = self.role.opposite
        self._tie_breaker = self._rng.getrandbits(_TIE_BREAKER_BITS)

    def resolve(self, request: Message) -> ConflictOutcome:
        """Compare the role in the peer's request with ours; the agent with the larger tie-breaker is controlling."""
        controlling = self.role is IceRole.CONTROLLING
        theirs = request.ice_controlling if controlling else request.ice_controlled
        if theirs is None:
            return ConflictOutcome.NO_CONFLICT
        we_should_control = self._tie_breaker >= theirs
        if we_should_control == controlling:
            return ConflictOutcome.SEND_487
        return ConflictOutcome.SWITCH_ROLE
