"""The one timer: a deadline that can be started, stopped and asked, with optional exponential back-off."""

import math

import attrs


@attrs.define
class Timer:
    """A deadline in monotonic seconds.

    A timer never fires by itself: its owner reports ``deadline`` through ``next_timer`` and calls
    ``expire`` from ``handle_timer``.

    Attributes:
        duration: First interval, in seconds.
        factor: What the interval is multiplied by at each expiration. 1 repeats at a steady pace.
        maximum: Upper bound of the interval, in seconds.
        deadline: When it is due; ``math.inf`` while stopped.
        expirations: How often it has expired since it was started.
    """

    duration: float
    factor: float = 2.0
    maximum: float = math.inf
    deadline: float = attrs.field(default=math.inf, init=False)
    expirations: int = attrs.field(default=0, init=False)
    _interval: float = attrs.field(default=0.0, init=False)

    @property
    def running(self) -> bool:
        """Whether a deadline is set."""
        return self.deadline != math.inf

    def start(self, now: float, duration: float | None = None) -> None:
        """Set the deadline ``duration`` (default: the configured one) from now; forget past expirations."""
        if duration is not None:
            self.duration = duration
        self.expirations = 0
        self._interval = min(self.duration, self.maximum)
        self.deadline = now + self._interval

    def stop(self) -> None:
        """Unset the deadline. Harmless when it is not running."""
        self.deadline = math.inf
        self.expirations = 0

    def expire(self, now: float) -> bool:
        """Return whether the deadline has passed; if so, count it and set the next, backed-off one.

        The next deadline counts from ``now``, not from the missed one: a process that was asleep does not
        wake to a burst of overdue expirations.
        """
        if now < self.deadline:
            return False
        self.expirations += 1
        self._interval = min(self._interval * self.factor, self.maximum)
        self.deadline = now + self._interval
        return True
