"""Whether a keyframe is wanted of a source, and when it may be asked for."""

import math


class KeyframeRequestLimiter:
    """Lets a keyframe be asked for once in an interval, however often it is wanted.

    Args:
        interval: Seconds.

    Attributes:
        is_wanted: Whether one is wanted that was not asked for yet.
    """

    __slots__ = ("_asked_at", "_interval", "is_wanted")

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._asked_at = -math.inf
        self.is_wanted = False

    def take(self, now: float) -> bool:
        """Return whether to ask now, which counts as done."""
        if not self.is_wanted or now < self._asked_at + self._interval:
            return False
        self.is_wanted = False
        self._asked_at = now
        return True

    def next_timer(self) -> float:
        """Return when to ask, ``math.inf`` if nothing is wanted."""
        return self._asked_at + self._interval if self.is_wanted else math.inf
