"""Link capacity estimate: average and deviation of the rates at overuse (goog_cc, GCC section 5.5)."""

import math

_SMOOTHING = 0.05
# Bounds of the normalised variance, as in goog_cc: deviations of 0.6 and 1.6 kbit/s at 1 kbit/s.
_MIN_DEVIATION = 0.4
_MAX_DEVIATION = 2.5
_BOUND_DEVIATIONS = 3.0


class LinkCapacityEstimator:
    """Estimates the link capacity, in bits a second, from the acknowledged bitrates at which overuse was detected."""

    def __init__(self) -> None:
        self.estimate: float | None = None
        self._deviation = _MIN_DEVIATION

    def reset(self) -> None:
        """Discard the estimate, because the path has changed."""
        self.estimate = None

    @property
    def upper_bound(self) -> float:
        """Rate above which the path must have changed; infinite if the capacity is unknown."""
        return math.inf if self.estimate is None else self.estimate + _BOUND_DEVIATIONS * self._spread()

    @property
    def lower_bound(self) -> float:
        """Rate below which the path must have changed; 0 if the capacity is unknown."""
        return 0.0 if self.estimate is None else max(0.0, self.estimate - _BOUND_DEVIATIONS * self._spread())

    def overuse_at(self, acknowledged: float) -> None:
        if self.estimate is None:
            self.estimate = acknowledged
        else:
            self.estimate = (1 - _SMOOTHING) * self.estimate + _SMOOTHING * acknowledged
        # The variance is normalised by the estimate, in kbit/s.
        estimate = max(self.estimate / 1000, 1.0)
        error = estimate - acknowledged / 1000
        self._deviation = (1 - _SMOOTHING) * self._deviation + _SMOOTHING * error * error / estimate
        self._deviation = min(max(self._deviation, _MIN_DEVIATION), _MAX_DEVIATION)

    def _spread(self) -> float:
        assert self.estimate is not None
        return 1000 * math.sqrt(self._deviation * self.estimate / 1000)
