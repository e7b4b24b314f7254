"""What an agent knows: roles, parameters, candidates of both sides and the pairs of them."""

import math
from enum import StrEnum

import attrs

from trio_rtc.enums import RTCIceProtocol
from trio_rtc.protocols._contract import Address

from .candidate import Candidate


class IceRole(StrEnum):
    """Which agent nominates (RFC 8445 section 6.1.1)."""

    CONTROLLING = "controlling"
    CONTROLLED = "controlled"

    @property
    def opposite(self) -> "IceRole":
        """The other role."""
        return IceRole.CONTROLLED if self is IceRole.CONTROLLING else IceRole.CONTROLLING


@attrs.frozen
class IceParameters:
    """Short-term credentials of one agent and one generation.

    Attributes:
        username_fragment: 4 to 256 ICE characters.
        password: 22 to 256 ICE characters; the secret that authenticates checks to this agent.
        ice_lite: Whether the agent is a lite one, which only answers.
    """

    username_fragment: str
    password: str = attrs.field(repr=False)
    ice_lite: bool = False


@attrs.frozen
class LocalCandidate:
    """A candidate of ours with what the peer need not know.

    Attributes:
        candidate: As told to the peer.
        base: The socket (later: or relay) that packets of this candidate are sent from.
        local_preference: From 0 to 65535; the preference among candidates of one type.
    """

    candidate: Candidate
    base: Address
    local_preference: int

    @property
    def is_base(self) -> bool:
        """Whether it can be paired: a reflexive candidate would only repeat the pairs of its base."""
        return self.candidate.transport_address == self.base


@attrs.frozen
class RemoteCandidate:
    """A candidate of the peer with the numeric address that it has, found by name if need be."""

    candidate: Candidate
    address: Address

    @property
    def protocol(self) -> RTCIceProtocol:
        """The transport protocol."""
        return self.candidate.protocol


@attrs.frozen
class CandidatePair:
    """A local and a remote candidate that can send to each other.

    Attributes:
        local: Our candidate: how the peer sees us.
        remote: The peer's candidate; its address may be a ``.local`` name.
        local_base: The address of the socket to send from.
        remote_address: The numeric address to send to.
    """

    local: Candidate
    remote: Candidate
    local_base: Address
    remote_address: Address


class CheckState(StrEnum):
    """State of a pair in the check list (RFC 8445 section 6.1.2.6), spelled as W3C statistics do."""

    FROZEN = "frozen"
    WAITING = "waiting"
    IN_PROGRESS = "in-progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


UNFINISHED = (CheckState.FROZEN, CheckState.WAITING, CheckState.IN_PROGRESS)
"""The states in which a pair may still become valid."""


@attrs.define
class PairStatistics:
    """Counters of one pair, named after W3C's RTCIceCandidatePairStats."""

    requests_sent: int = 0
    requests_received: int = 0
    responses_sent: int = 0
    responses_received: int = 0
    consent_requests_sent: int = 0
    current_round_trip_time: float | None = None
    total_round_trip_time: float = 0.0

    def count_response(self, round_trip_time: float | None) -> None:
        """Count a response to a request of ours; the time is None when it cannot be told."""
        self.responses_received += 1
        if round_trip_time is not None:
            self.current_round_trip_time = round_trip_time
            self.total_round_trip_time += round_trip_time


@attrs.define(eq=False)
class CheckedPair:
    """An entry of the check list. Read only outside of the agent.

    Attributes:
        local: Our candidate, always one that is its own base.
        remote: The peer's.
        priority: Of the pair (RFC 8445 section 6.1.2.3).
        state: Of the check.
        transaction_id: Of the newest check.
        superseded_ids: Of the checks before it, whose responses are still accepted.
        valid_local: Once valid: our candidate as the peer sees it, which may be a peer-reflexive one.
        checked_at: When our last check was sent.
        answered_at: When the last response to a check of ours came.
        replaced: Whether another pair carries data in its place, because its checks were not answered, and none has
            been answered since.
        consent_expired: Consent was lost: only a restart may bring the pair back.
        nominated: Whether it was nominated and is valid.
        nominated_at: When the last nomination of it came (controlled) or succeeded (controlling).
        nominate_on_success: The controlling peer has nominated it before our check succeeded.
        statistics: Counters.
    """

    local: LocalCandidate
    remote: RemoteCandidate
    priority: int
    state: CheckState = CheckState.FROZEN
    transaction_id: bytes | None = None
    superseded_ids: list[bytes] = attrs.field(factory=list)
    valid_local: Candidate | None = None
    checked_at: float = -math.inf
    answered_at: float = -math.inf
    replaced: bool = False
    consent_expired: bool = False
    nominated: bool = False
    nominated_at: float = -math.inf
    nominate_on_success: bool = False
    statistics: PairStatistics = attrs.field(factory=PairStatistics)

    @property
    def key(self) -> tuple[Address, Address]:
        """What identifies the pair: where it is sent from and to."""
        return self.local.base, self.remote.address

    @property
    def foundation(self) -> tuple[str, str]:
        """Foundation of the pair."""
        return self.local.candidate.foundation, self.remote.candidate.foundation

    @property
    def pair(self) -> CandidatePair:
        """The pair as others see it."""
        return CandidatePair(
            local=self.valid_local or self.local.candidate,
            remote=self.remote.candidate,
            local_base=self.local.base,
            remote_address=self.remote.address,
        )
