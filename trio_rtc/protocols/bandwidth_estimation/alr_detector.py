"""Detection of application-limited regions (ALR), in which the application sends much less than the target."""

from .options import BandwidthEstimationOptions


class AlrDetector:
    """A budget that grows by a part of the target and is reduced by bytes sent (goog_cc's ``AlrDetector``).

    ``since`` is the start of the current region, ``None`` outside of one, ``ended_at`` the end of the last one.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._options = options
        self.target = options.start_bitrate
        self._budget = 0.0
        self._updated_at: float | None = None
        self.since: float | None = None
        self.ended_at: float | None = None

    def sent(self, size: int, now: float) -> None:
        """Record ``size`` bytes sent; 0 only updates the budget."""
        options = self._options
        rate = options.alr_usage * self.target / 8
        maximum = rate * options.alr_window
        if self._updated_at is not None:
            elapsed = min(max(now - self._updated_at, 0.0), options.alr_window)
            self._budget = min(self._budget + rate * elapsed, maximum)
        self._updated_at = now
        self._budget = max(self._budget - size, -maximum)
        unused = self._budget / maximum
        if self.since is None and unused > options.alr_start:
            self.since = now
        elif self.since is not None and unused < options.alr_stop:
            self.since = None
            self.ended_at = now
