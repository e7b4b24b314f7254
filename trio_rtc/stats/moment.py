"""The time of statistics, on the monotonic and the wall clock."""

from trio_rtc import _attrs as attrs


@attrs.frozen
class Moment:
    """One moment on two clocks.

    Attributes:
        now: The time of the monotonic clock, which the layers use, in seconds.
        timestamp: The time of the wall clock, in milliseconds since 1970.
    """

    now: float
    timestamp: float

    def time_of_day(self, at: float) -> float:
        """Return the wall clock time, in milliseconds since 1970, of a time of the monotonic clock."""
        return self.timestamp - (self.now - at) * 1000
