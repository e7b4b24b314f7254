"""A timer: a deadline with optional exponential back-off."""

import math

from trio_rtc import _attrs as attrs


@attrs.define
class Timer:
    """A deadline in monotonic seconds.

    A timer never fires by itself: a core returns ``deadline`` from ``next_timer`` and calls ``expire`` in
    ``handle_timer``.

    Attributes:
        duration: First interval, in seconds.
        factor: Factor of the interval at each expiration; 1 for a constant interval.
        maximum: Upper bound of the interval, in seconds.
        deadline: Time at which it expires; ``math.inf`` while stopped.
        expirations: Number of expirations since it was started.
    """

    duration: float
    factor: float = 2.0
    maximum: float = math.inf
    deadline: float = attrs.field(default=math.inf, init=False)
    expirations: int = attrs.field(default=0, init=False)
    _interval: float = attrs.field(default=0.0, init=False)

    @property
    def running(self) -> bool:
        return self.deadline != math.inf

    def start(self, now: float, duration: float | None = None) -> None:
        """Set the deadline to ``now`` plus a duration, by default the last one, and reset the expirations."""
        if duration is not None:
            self.duration = duration
        self.expirations = 0
        self._interval = min(self.duration, self.maximum)
        self.deadline = now + self._interval

    def stop(self) -> None:
        """Unset the deadline. Idempotent."""
        self.deadline = math.inf
        self.expirations = 0

    def expire(self, now: float) -> bool:
        """Return whether the deadline has passed; if so, count the expiration and set the next deadline.

        The next interval begins at ``now``, not at the deadline: a process that was suspended does not resume with a
        burst of overdue expirations.
        """
        if now < self.deadline:
            return False
        self.expirations += 1
        self._interval = min(self._interval * self.factor, self.maximum)
        self.deadline = now + self._interval
        return True
