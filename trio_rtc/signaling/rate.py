"""Bounds on how much a client may send, and how often it may connect. Pure: time is passed in."""

import attrs


@attrs.define
class TokenBucket:
    """Admits an amount of ``burst`` at once and ``rate`` a second in the long run.

    Attributes:
        rate: Amount a second.
        burst: Amount that may come without a pause after a long silence.
    """

    rate: float
    burst: float
    _tokens: float = attrs.field(init=False)
    _updated: float = attrs.field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self._tokens = self.burst

    def take(self, now: float, amount: float = 1.0) -> float:
        """Record an amount at time ``now`` (seconds) and return how many seconds to pause after it."""
        elapsed = max(0.0, now - self._updated)
        self._tokens = min(self.burst, self._tokens + elapsed * self.rate) - amount
        self._updated = now
        return max(0.0, -self._tokens / self.rate)

    def admit(self, now: float, amount: float = 1.0) -> bool:
        """Record an amount at time ``now`` if no pause is needed before it; return whether it was recorded."""
        self.take(now, 0.0)
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True
