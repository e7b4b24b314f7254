"""A token bucket, which limits how much a client may send and how often it may connect. Pure: time is passed in."""

from trio_rtc import _attrs as attrs


@attrs.define
class TokenBucket:
    """Allows an amount of ``burst`` at once, after a long silence, and ``rate`` per second in the long run."""

    rate: float
    burst: float
    _tokens: float = attrs.field(init=False)
    _updated: float = attrs.field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self._tokens = self.burst

    def consume(self, now: float, amount: float = 1.0) -> float:
        """Consume an amount at time ``now`` in seconds, and return the seconds to pause afterwards."""
        elapsed = max(0.0, now - self._updated)
        self._tokens = min(self.burst, self._tokens + elapsed * self.rate) - amount
        self._updated = now
        return max(0.0, -self._tokens / self.rate)

    def admit(self, now: float, amount: float = 1.0) -> bool:
        """Consume an amount at time ``now`` if it is available without a pause; return whether it was."""
        self.consume(now, 0.0)
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True
