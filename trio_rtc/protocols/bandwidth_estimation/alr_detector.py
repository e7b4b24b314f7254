"""Application-limited regions: whether the application sends much less than it may."""

from .options import BandwidthEstimationOptions


class AlrDetector:
    """A budget that fills with a part of the target and is emptied by what is sent (goog_cc's detector).

    Attributes:
        since: When the region began; ``None`` outside of one.
        ended_at: When the last one ended; ``None`` before.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._options = options
        self._target = options.start_bitrate
        self._budget = 0.0
        self._updated_at: float | None = None
        self.since: float | None = None
        self.ended_at: float | None = None

    def set_target(self, bitrate: float) -> None:
        """Take the rate, in bits a second, that the application may send."""
        self._target = bitrate

    def sent(self, size: int, now: float) -> None:
        """Take a packet of ``size`` bytes; 0 only lets time pass."""
        options = self._options
        rate = options.alr_usage * self._target / 8
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
