"""Consent freshness (RFC 7675) and detection of a disconnected path.

The selected pair is checked every 4 to 6 seconds. A response renews consent for 30 seconds; without one, consent
*expires*. If nothing authentic was received on the pair for a while, it is checked immediately and then every half
second; if these checks remain unanswered, the pair is *disconnected* until a response arrives. Every check is a
separate transaction that is never retransmitted (RFC 7675 section 5.1).

Consent belongs to the pair, not to its selection: it begins with the last response on the pair. A pair that replaces a
disconnected one is disconnected until a check on it is answered.
"""

import math
import random

from .options import IceOptions


class Consent:
    """Consent timers of one selected pair; consent begins with the last response on the pair.

    A pair that replaces a disconnected one is checked immediately.

    Attributes:
        unanswered_since: Time of the first unanswered check, infinite if there is none.
        missed: Whether the pair is disconnected: checks were unanswered for ``disconnected_patience``.
    """

    def __init__(
        self, options: IceOptions, rng: random.Random, *, answered_at: float, disconnected: bool
    ) -> None:
        self._options = options
        self._rng = rng
        self._last_received = answered_at
        self._next_check = math.inf
        self.unanswered_since = math.inf
        self.expires = math.inf
        self.renew(answered_at)
        self.missed = disconnected
        if disconnected:
            self._next_check = answered_at

    def renew(self, now: float) -> None:
        """Renew consent after a response."""
        self.missed = False
        self.expires = now + self._options.consent_timeout
        self.unanswered_since = math.inf
        self._next_check = now + self._options.consent_interval * self._rng.uniform(0.8, 1.2)
        self._last_received = now

    def record_peer_check(self, now: float) -> None:
        """Record an authentic check of the peer, which shows liveness but does not renew consent."""
        self._last_received = now

    def is_silent(self, now: float) -> bool:
        """Return whether a response is overdue: the retry interval has passed since an unanswered check."""
        return now >= self.unanswered_since + self._options.consent_retry_interval

    @property
    def check_due(self) -> float:
        if self.unanswered_since != math.inf:
            return self._next_check
        quiet_for = self._options.disconnected_timeout - self._options.disconnected_patience
        return min(
            self._next_check, self._last_received + max(quiet_for, self._options.consent_retry_interval)
        )

    def check_sent(self, now: float) -> None:
        self.unanswered_since = min(self.unanswered_since, now)
        self._next_check = now + self._options.consent_retry_interval

    def update(self, now: float) -> None:
        """Mark the pair as disconnected if checks were unanswered for too long."""
        if now >= self._miss_deadline:
            self.missed = True

    @property
    def next_timer(self) -> float:
        miss = math.inf if self.missed else self._miss_deadline
        return min(self.check_due, miss, self.expires)

    @property
    def _miss_deadline(self) -> float:
        return self.unanswered_since + self._options.disconnected_patience
