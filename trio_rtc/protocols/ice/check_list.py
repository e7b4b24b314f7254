"""The check list: candidate pairs and their states (RFC 8445 section 6.1.2).

One data stream with one component has one check list. A pair is identified by its base and its remote address, so that
a pair learned from a check of the peer and one of its signaled candidates are the same entry.

A pair is *waiting*, or *frozen* while another pair of its foundation is waiting or being checked. Its check makes it
*in-progress*, then *succeeded* (valid, which unfreezes its foundation) or *failed*. A triggered check makes it
*waiting* again. After a nomination the list is *concluded*: only triggered checks are sent.
"""

import math
from collections.abc import Iterator

from trio_rtc.protocols._contract import Address

from .candidate import is_ipv6, is_link_local
from .destinations import is_loopback
from .state import UNFINISHED, CheckedPair, CheckState, IceRole, LocalCandidate, RemoteCandidate


def compute_pair_priority(role: IceRole, local_priority: int, remote_priority: int) -> int:
    """Return the priority of a pair, the same on both sides (RFC 8445 section 6.1.2.3)."""
    controlling, controlled = local_priority, remote_priority
    if role is IceRole.CONTROLLED:
        controlling, controlled = controlled, controlling
    lower, higher = min(controlling, controlled), max(controlling, controlled)
    return (lower << 32) + 2 * higher + (controlling > controlled)


def can_be_paired(local: LocalCandidate, remote: RemoteCandidate) -> bool:
    """Return whether two candidates are compatible (RFC 8445 section 6.1.2.2)."""
    return (
        local.is_base
        and local.candidate.protocol == remote.candidate.protocol
        and remote.candidate.tcp_type is None
        and remote.address.port != 0
        and is_ipv6(local.base.host) == is_ipv6(remote.address.host)
        and is_link_local(local.base.host) == is_link_local(remote.address.host)
        and (is_loopback(local.base.host) or not is_loopback(remote.address.host))
    )


class CheckList:
    """The pairs of one generation, at most ``max_pairs``."""

    def __init__(self, max_pairs: int) -> None:
        self._max_pairs = max_pairs
        self._pairs: dict[tuple[Address, Address], CheckedPair] = {}
        self._triggered: list[CheckedPair] = []
        self.concluded = False

    def __iter__(self) -> Iterator[CheckedPair]:
        return iter(self._pairs.values())

    def __len__(self) -> int:
        return len(self._pairs)

    def find(self, base: Address, remote: Address) -> CheckedPair | None:
        return self._pairs.get((base, remote))

    def add(
        self, local: LocalCandidate, remote: RemoteCandidate, role: IceRole, *, checked_by_peer: bool = False
    ) -> CheckedPair | None:
        """Add a pair; return ``None`` if it is in the list already, or the list is full of better ones.

        A full list drops its pair of lowest priority that is neither valid nor being checked. A pair on which a check
        of the peer has arrived replaces a pair of any priority: one direction is known to work.
        """
        priority = compute_pair_priority(role, local.candidate.priority, remote.candidate.priority)
        pair = CheckedPair(local, remote, priority)
        if pair.key in self._pairs:
            return None
        if len(self._pairs) >= self._max_pairs and not self._make_room(
            math.inf if checked_by_peer else priority
        ):
            return None
        self._pairs[pair.key] = pair
        if not self._is_foundation_busy(pair):
            pair.state = CheckState.WAITING
        return pair

    def replace_remote(self, remote: RemoteCandidate, role: IceRole) -> None:
        """Replace the peer-reflexive candidate at an address by the signaled one."""
        for pair in self:
            if pair.remote.address == remote.address:
                pair.remote = remote
        self.set_role(role)

    def set_role(self, role: IceRole) -> None:
        """Recompute all priorities, which depend on the role."""
        for pair in self:
            pair.priority = compute_pair_priority(
                role, pair.local.candidate.priority, pair.remote.candidate.priority
            )

    def remove_base(self, base: Address) -> list[CheckedPair]:
        removed = [pair for pair in self if pair.local.base == base]
        for pair in removed:
            del self._pairs[pair.key]
        self._triggered = [pair for pair in self._triggered if pair.local.base != base]
        return removed

    def trigger(self, pair: CheckedPair) -> None:
        """Add a pair to the triggered-check queue (RFC 8445 section 7.3.1.4)."""
        pair.state = CheckState.WAITING
        if pair not in self._triggered:
            self._triggered.append(pair)

    def succeed(self, pair: CheckedPair) -> None:
        """Mark a pair as valid and unfreeze pairs of its foundation (RFC 8445 section 7.2.5.3.3)."""
        pair.state = CheckState.SUCCEEDED
        if pair in self._triggered:
            self._triggered.remove(pair)
        for other in self:
            if other.state is CheckState.FROZEN and other.foundation == pair.foundation:
                other.state = CheckState.WAITING

    def fail(self, pair: CheckedPair) -> None:
        """Mark a pair as failed and remove it from the triggered-check queue."""
        pair.state = CheckState.FAILED
        if pair in self._triggered:
            self._triggered.remove(pair)

    @property
    def has_next_check(self) -> bool:
        if self._triggered:
            return True
        return not self.concluded and any(
            pair.state is CheckState.WAITING or pair.state is CheckState.FROZEN for pair in self
        )

    def pop_next_check(self) -> CheckedPair | None:
        """Return the next pair to check: triggered checks first, then by priority (RFC 8445 section 6.1.4.2)."""
        if self._triggered:
            return self._triggered.pop(0)
        if self.concluded:
            return None
        for state in (CheckState.WAITING, CheckState.FROZEN):
            candidates = [pair for pair in self if pair.state is state]
            if state is CheckState.FROZEN:
                candidates = [pair for pair in candidates if not self._is_foundation_busy(pair)] or candidates
            if candidates:
                return max(candidates, key=lambda pair: pair.priority)
        return None

    @property
    def unfinished(self) -> list[CheckedPair]:
        """Pairs that may still become valid."""
        return [pair for pair in self if pair.state in UNFINISHED]

    @property
    def unchecked(self) -> list[CheckedPair]:
        """Pairs that may still become valid and whose check is neither in flight nor queued."""
        idle = (CheckState.FROZEN, CheckState.WAITING)
        return [pair for pair in self if pair.state in idle and pair not in self._triggered]

    @property
    def active_count(self) -> int:
        """Number of pairs that are waiting or in progress, for the RTO of RFC 8445 section 14.3."""
        return sum(pair.state in (CheckState.WAITING, CheckState.IN_PROGRESS) for pair in self)

    @property
    def best_valid(self) -> CheckedPair | None:
        valid = (pair for pair in self if pair.state is CheckState.SUCCEEDED)
        return max(valid, key=lambda pair: pair.priority, default=None)

    @property
    def nominated(self) -> CheckedPair | None:
        return next((pair for pair in self if pair.nominated), None)

    def _is_foundation_busy(self, pair: CheckedPair) -> bool:
        """Whether another pair of the same foundation is waiting or being checked, so that this one stays frozen."""
        return any(
            other.state in (CheckState.WAITING, CheckState.IN_PROGRESS)
            and other.foundation == pair.foundation
            for other in self
        )

    def _make_room(self, priority: float) -> bool:
        idle = (CheckState.FROZEN, CheckState.WAITING, CheckState.FAILED)
        removable = [pair for pair in self if pair.state in idle and pair not in self._triggered]
        # Failed pairs are dropped first.
        worst = min(
            removable, key=lambda pair: (pair.state is not CheckState.FAILED, pair.priority), default=None
        )
        if worst is None or (worst.state is not CheckState.FAILED and worst.priority >= priority):
            return False
        del self._pairs[worst.key]
        return True
