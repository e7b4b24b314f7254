"""The trend of the one-way delay: the slope of a line through the last smoothed delays (goog_cc)."""

from collections import deque

from .options import BandwidthEstimationOptions


class TrendlineEstimator:
    """Accumulates and smooths the delay variations of groups, and fits a line to them by least squares.

    The trend is in seconds per second: 0 on an idle path, positive while a queue grows.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._smoothing = options.trendline_smoothing
        self._points: deque[tuple[float, float]] = deque(maxlen=options.trendline_window)
        self._first_arrival: float | None = None
        self._accumulated = 0.0
        self._smoothed = 0.0
        self.trend = 0.0
        self.deltas = 0

    def add(self, send_delta: float, arrival_delta: float, arrival_time: float) -> float:
        """Add the deltas of a group that arrived at ``arrival_time``; return the trend."""
        if self._first_arrival is None:
            self._first_arrival = arrival_time
        self.deltas += 1
        self._accumulated += arrival_delta - send_delta
        self._smoothed = self._smoothing * self._smoothed + (1 - self._smoothing) * self._accumulated
        self._points.append((arrival_time - self._first_arrival, self._smoothed))
        if len(self._points) == self._points.maxlen:
            self.trend = self._slope()
        return self.trend

    def _slope(self) -> float:
        count = len(self._points)
        # One pass, relative to the first point, so that precision is not lost after hours.
        origin_x, origin_y = self._points[0]
        sum_x = sum_y = sum_xx = sum_xy = 0.0
        for x, y in self._points:
            right = x - origin_x
            up = y - origin_y
            sum_x += right
            sum_y += up
            sum_xx += right * right
            sum_xy += right * up
        denominator = count * sum_xx - sum_x * sum_x
        return (count * sum_xy - sum_x * sum_y) / denominator if denominator > 0 else self.trend
