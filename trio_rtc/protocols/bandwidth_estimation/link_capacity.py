"""What the path carried when it was last overused: an average with a deviation (goog_cc, GCC section 5.5)."""

import math

_SMOOTHING = 0.05
# Bounds of the normalised variance: between 0.6 and 1.6 kbit/s at 1 kbit/s, as goog_cc has them.
_MIN_DEVIATION = 0.4
_MAX_DEVIATION = 2.5
_BOUND_DEVIATIONS = 3.0


class LinkCapacityEstimator:
    """An estimate of the capacity from the acknowledged rates at which overuse began.

    Attributes:
        estimate: In bits a second; ``None`` when nothing is known.
    """

    def __init__(self) -> None:
        self.estimate: float | None = None
        self._deviation = _MIN_DEVIATION

    def reset(self) -> None:
        """Forget it: the path has changed."""
        self.estimate = None

    @property
    def upper_bound(self) -> float:
        """A rate above it says that the path has changed; infinite when nothing is known."""
        return math.inf if self.estimate is None else self.estimate + _BOUND_DEVIATIONS * self._spread()

    @property
    def lower_bound(self) -> float:
        """A rate below it says that the path has changed; 0 when nothing is known."""
        return 0.0 if self.estimate is None else max(0.0, self.estimate - _BOUND_DEVIATIONS * self._spread())

    def overuse_at(self, acknowledged: float) -> None:
        """Take the rate that arrived when overuse was detected."""
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
