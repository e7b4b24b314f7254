"""Consent freshness (RFC 7675), and how soon its absence shows.

The selected pair is checked every 5 seconds, more or less. A response renews consent for 30 seconds. Beside
that runs a closer watch: when nothing authentic was heard on the pair for a while, it is checked at once and
again every half second, and if that stays without answer the pair counts as disconnected until one comes.
Every check is a transaction of its own that is never retransmitted (RFC 7675 section 5.1).

Consent belongs to the pair, not to its selection: it begins with the last response on the pair. A pair that
replaces a disconnected one stays disconnected until a check on it is answered.
"""

import math
import random

from .options import IceOptions


class Consent:
    """The timers of one selected pair.

    Args:
        options: Times.
        rng: Randomizes the interval between checks.
        answered_at: When the last response on the pair came; consent begins there.
        disconnected: Whether the pair replaces one whose checks were not answered. Then it is checked at once and
            counts as disconnected until a response comes.

    Attributes:
        unanswered_since: When the first of the checks was sent that are unanswered, infinite if none is.
        missed: Whether checks have gone unanswered for so long that the pair counts as disconnected.
        expires: When consent is gone.
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
        """Note a response to a consent check."""
        self.missed = False
        self.expires = now + self._options.consent_timeout
        self.unanswered_since = math.inf
        self._next_check = now + self._options.consent_interval * self._rng.uniform(0.8, 1.2)
        self._last_received = now

    def record_peer_check(self, now: float) -> None:
        """Note an authentic check of the peer: a sign of life, though not of consent."""
        self._last_received = now

    def is_silent(self, now: float) -> bool:
        """Return whether an answer is overdue: a check was sent, and it is time for the next one."""
        return now >= self.unanswered_since + self._options.consent_retry_interval

    @property
    def check_due(self) -> float:
        """When the next check has to be sent."""
        if self.unanswered_since != math.inf:
            return self._next_check
        quiet_for = self._options.disconnected_timeout - self._options.disconnected_patience
        return min(
            self._next_check, self._last_received + max(quiet_for, self._options.consent_retry_interval)
        )

    def check_sent(self, now: float) -> None:
        """Note that a check was sent."""
        self.unanswered_since = min(self.unanswered_since, now)
        self._next_check = now + self._options.consent_retry_interval

    def update(self, now: float) -> None:
        """Notice that checks have gone unanswered for too long."""
        if now >= self._miss_deadline:
            self.missed = True

    @property
    def next_timer(self) -> float:
        """When there is something to do."""
        miss = math.inf if self.missed else self._miss_deadline
        return min(self.check_due, miss, self.expires)

    @property
    def _miss_deadline(self) -> float:
        return self.unanswered_since + self._options.disconnected_patience
