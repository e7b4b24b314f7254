"""When statistics are taken, on both clocks."""

import attrs


@attrs.frozen
class Moment:
    """One moment.

    Attributes:
        now: On the monotonic clock that the layers have, in seconds.
        timestamp: The time of day, in milliseconds since 1970.
    """

    now: float
    timestamp: float

    def time_of_day(self, at: float) -> float:
        """Return the time of day of a moment of the monotonic clock, in milliseconds since 1970."""
        return self.timestamp - (self.now - at) * 1000
