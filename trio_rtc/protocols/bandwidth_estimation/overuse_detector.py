"""Overuse detection: the trend of the delay compared with an adaptive threshold (GCC section 5.4)."""

import math
from collections import deque

from .options import BandwidthEstimationOptions
from .state import OveruseState

# goog_cc: a longer pause does not change the threshold further.
_MAX_ADAPTATION_STEP_MS = 100.0
# Decay of the largest fall of the delay from one group to the next, and the multiple of it that jitter does not exceed.
_FALL_DECAY = 0.99
_FALLS = 2.0


class OveruseDetector:
    """Compares the trend, weighted by the number of deltas, with the threshold.

    The threshold follows the trend slowly, so that a loss-based flow in the same queue does not starve media.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._options = options
        self._time_over = -1.0
        self._times_over = 0
        self._previous_trend = 0.0
        self._updated_at: float | None = None
        self.state = OveruseState.NORMAL
        self.threshold = options.threshold_initial

    def update(
        self, trend: float, deltas: int, send_delta: float, queue_delay: float, now: float
    ) -> OveruseState:
        """Update the state from a new trend of the delay, in seconds per second; delays are in seconds.

        ``queue_delay`` is that above the least delay of the path, ``now`` the arrival time on the peer's clock.
        """
        options = self._options
        weighted = min(deltas, options.trendline_max_deltas) * trend * options.trendline_gain
        if deltas < 2:
            self.state = OveruseState.NORMAL
            return self.state
        if weighted > self.threshold:
            self._rise(trend, send_delta, queue_delay)
        else:
            self._time_over = -1.0
            self._times_over = 0
            self.state = OveruseState.UNDERUSING if weighted < -self.threshold else OveruseState.NORMAL
        self._previous_trend = trend
        self._adapt(weighted, now)
        return self.state

    def _rise(self, trend: float, send_delta: float, queue_delay: float) -> None:
        if self._time_over < 0:
            # Half of the delta: the threshold was exceeded between the two groups.
            self._time_over = send_delta / 2
        else:
            self._time_over += send_delta
        self._times_over += 1
        if (
            self._time_over > self._options.overuse_time
            and self._times_over > 1
            and trend >= self._previous_trend
            and queue_delay >= self._options.queue_gate
        ):
            self._time_over = 0.0
            self._times_over = 0
            self.state = OveruseState.OVERUSING

    def _adapt(self, weighted: float, now: float) -> None:
        options = self._options
        if self._updated_at is None:
            self._updated_at = now
        excess = abs(weighted) - self.threshold
        if excess <= options.threshold_max_excess:
            gain = options.threshold_gain_down if excess < 0 else options.threshold_gain_up
            elapsed = min(max((now - self._updated_at) * 1000, 0.0), _MAX_ADAPTATION_STEP_MS)
            threshold = self.threshold + gain * excess * elapsed
            self.threshold = min(max(threshold, options.threshold_min), options.threshold_max)
        self._updated_at = now


class QueueDelayEstimator:
    """Estimates the excess of the one-way delay over its minimum, with a clock of any offset and some skew.

    Jitter only adds to a delay, so the minimum of a few recent delays approximates the queueing delay. When the
    bandwidth drops, these few may take a second to arrive. So the minimum of only two delays counts as well, less an
    upper bound of jitter, which follows from past falls of the delay: a growing queue has none.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._window = options.base_delay_window
        # Increasing delays: the first is the minimum, each next one is the minimum of those after it.
        self._candidates: deque[tuple[float, float]] = deque()
        self._recent: deque[float] = deque(maxlen=options.queue_gate_groups)
        self._newest: deque[float] = deque(maxlen=options.queue_jump_groups)
        self._most_jitter = options.queue_jump
        self._least_jitter = options.queue_jump_least
        self._fall = 0.0
        self._before = math.inf

    def add(self, delay: float, now: float) -> float:
        """Add a delay measured at ``now``; return the current queueing delay, in seconds."""
        candidates = self._candidates
        while candidates and candidates[-1][1] >= delay:
            candidates.pop()
        candidates.append((now, delay))
        while candidates[0][0] < now - self._window:
            candidates.popleft()
        self._recent.append(delay)
        self._newest.append(delay)
        self._fall = max(_FALL_DECAY * self._fall, self._before - delay if self._before < math.inf else 0.0)
        self._before = delay
        jitter = min(self._least_jitter + _FALLS * self._fall, self._most_jitter)
        return max(min(self._recent), min(self._newest) - jitter) - candidates[0][1]
