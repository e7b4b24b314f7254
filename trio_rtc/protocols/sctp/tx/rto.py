"""The retransmission time-out from measured round trips (RFC 9260 section 6.3.1)."""

import attrs


@attrs.define
class RetransmissionTimeout:
    """Smoothed round-trip time and the time-out that follows from it; all in seconds.

    Attributes:
        value: The time-out for the next timer.
        minimum: Its lower bound.
        maximum: Its upper bound.
        variance_floor: Least allowance over the smoothed round trip. It stands for the peer's delayed
            acknowledgement, which a measurement may or may not contain.
        smoothed: Smoothed round-trip time; None before the first measurement.
    """

    value: float
    minimum: float
    maximum: float
    variance_floor: float
    smoothed: float | None = None
    _variance: float = 0.0
    _measured: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._measured = self.value

    def update(self, round_trip: float) -> None:
        """Take a measurement of a packet that was sent once (Karn's rule is the caller's)."""
        if self.smoothed is None:
            self.smoothed = round_trip
            self._variance = round_trip / 2
        else:
            self._variance += (abs(self.smoothed - round_trip) - self._variance) / 4
            self.smoothed += (round_trip - self.smoothed) / 8
        allowance = max(4 * self._variance, self.variance_floor)
        self._measured = min(max(self.smoothed + allowance, self.minimum), self.maximum)
        self.value = self._measured

    def back_off(self) -> None:
        """Double the time-out after it has expired (section 6.3.3, E2)."""
        self.value = min(self.value * 2, self.maximum)

    def reset_back_off(self) -> None:
        """Return to the measured value: new data was acknowledged, so the path is alive."""
        self.value = self._measured
