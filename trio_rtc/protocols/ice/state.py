"""Data of an agent: roles, parameters, candidates of both sides and candidate pairs."""

import math
from enum import StrEnum

from trio_rtc import _attrs as attrs
from trio_rtc.protocols._contract import Address

from .candidate import Candidate


class IceRole(StrEnum):
    """Role of an agent (RFC 8445 section 6.1.1): the controlling one nominates."""

    CONTROLLING = "controlling"
    CONTROLLED = "controlled"

    @property
    def opposite(self) -> "IceRole":
        """The other role."""
        return IceRole.CONTROLLED if self is IceRole.CONTROLLING else IceRole.CONTROLLING


@attrs.frozen
class IceParameters:
    """Short-term credentials of an agent in one generation.

    Attributes:
        username_fragment: 4 to 256 ICE characters.
        password: 22 to 256 ICE characters; the secret that authenticates checks to this agent.
        ice_lite: Whether the agent is a lite agent, which only answers checks.
    """

    username_fragment: str
    password: str = attrs.field(repr=False)
    ice_lite: bool = False


@attrs.frozen
class LocalCandidate:
    """A local candidate.

    Attributes:
        candidate: The candidate as signaled to the peer.
        base: Local address of the socket from which its packets are sent; of a relayed candidate, its own address.
        local_preference: From 0 to 65535; preference among candidates of one type.
    """

    candidate: Candidate
    base: Address
    local_preference: int

    @property
    def is_base(self) -> bool:
        """Whether it is its own base. Only bases are paired: others would repeat the pairs of their base."""
        return self.candidate.transport_address == self.base


@attrs.frozen
class RemoteCandidate:
    """A candidate of the peer with its numeric address, which may be the resolution of a name."""

    candidate: Candidate
    address: Address


@attrs.frozen
class CandidatePair:
    """A candidate pair.

    Attributes:
        local: Local candidate, by the address that the peer sees.
        remote: The peer's candidate; its address may be a ``.local`` name.
        local_base: Local address of the socket to send from.
        remote_address: Numeric address to send to.
    """

    local: Candidate
    remote: Candidate
    local_base: Address
    remote_address: Address

    @property
    def path(self) -> tuple[Address, Address]:
        """The addresses at both ends."""
        return self.local_base, self.remote_address


class CheckState(StrEnum):
    """State of a pair in the check list (RFC 8445 section 6.1.2.6), spelled as W3C statistics do."""

    FROZEN = "frozen"
    WAITING = "waiting"
    IN_PROGRESS = "in-progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


UNFINISHED = (CheckState.FROZEN, CheckState.WAITING, CheckState.IN_PROGRESS)
"""States in which a pair may still become valid."""


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
        """Count a response; the round-trip time is ``None`` if the request was retransmitted."""
        self.responses_received += 1
        if round_trip_time is not None:
            self.current_round_trip_time = round_trip_time
            self.total_round_trip_time += round_trip_time


@attrs.define(eq=False)
class CheckedPair:
    """An entry of the check list. Read-only outside of the agent.

    Attributes:
        local: Local candidate, always its own base.
        remote: Remote candidate.
        priority: Pair priority (RFC 8445 section 6.1.2.3).
        state: State of the check.
        transaction_id: Transaction ID of the newest check.
        superseded_ids: Transaction IDs of earlier checks, whose responses are still accepted.
        valid_local: Once valid, the local candidate that the peer sees, which may be peer-reflexive.
        checked_at: Time of the last check sent.
        answered_at: Time of the last response received.
        replaced: Whether another pair is selected in its place because its checks were unanswered, and none has been
            answered since.
        consent_expired: Whether consent has expired, so that only a restart recovers the pair.
        nominated: Whether it is nominated and valid.
        nominated_at: Time of its last nomination: received (controlled) or successful (controlling).
        nominate_on_success: Whether the controlling peer has nominated it before the local check succeeded.
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
        """Base and remote address, which identify the pair."""
        return self.local.base, self.remote.address

    @property
    def foundation(self) -> tuple[str, str]:
        """Pair foundation."""
        return self.local.candidate.foundation, self.remote.candidate.foundation

    @property
    def pair(self) -> CandidatePair:
        """The candidate pair without the state of its check."""
        return CandidatePair(
            local=self.valid_local or self.local.candidate,
            remote=self.remote.candidate,
            local_base=self.local.base,
            remote_address=self.remote.address,
        )
