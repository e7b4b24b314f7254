"""AIMD rate control of the delay-based estimate (GCC section 5.5).

Three states. *Increase*: by 8 % a second while the capacity is unknown, by about a packet per response time near a
known one. *Decrease*: to 85 % of the acknowledged bitrate, then *hold* until queues have drained: the underuse signal
keeps it there, the normal signal leads to *increase*.
"""

import math

from .link_capacity import LinkCapacityEstimator
from .options import BandwidthEstimationOptions
from .state import OveruseState, RateState

_FRAME_RATE = 30.0
_PACKET_BITS = 1200 * 8
_MIN_INCREASE = 4000.0  # bits a second, a second (goog_cc)
_RESPONSE_TIME = 0.1  # in addition to a round trip: time to detect overuse (GCC section 5.5)
_MAX_STEP = 1.0  # longest time for which one update increases the rate
_SAME_CAPACITY = 0.9
_INCREASE_OFFSET = 10_000.0


class AimdRateControl:
    """Additive and multiplicative increase, multiplicative decrease of ``bitrate``, in bits a second."""

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._options = options
        self.bitrate = options.start_bitrate
        self.state = RateState.HOLD
        self.capacity = LinkCapacityEstimator()
        self.round_trip = 0.2
        self.decreased_at = -math.inf
        self._changed_at: float | None = None

    def set_bitrate(self, bitrate: float, now: float) -> None:
        self.bitrate = bitrate
        self._changed_at = now

    def may_decrease(self, acknowledged: float | None, now: float) -> bool:
        """Return whether the last decrease has taken effect, or was much too small."""
        if now - self.decreased_at >= min(max(self.round_trip, 0.01), 0.2):
            return True
        return acknowledged is not None and acknowledged < self.bitrate / 2

    def update(
        self, overuse: OveruseState, acknowledged: float | None, application_limited: bool, now: float
    ) -> float:
        """Update the rate by the overuse signal and the acknowledged bitrate, and return it.

        ``application_limited``: the application sends too little to test a higher rate.
        """
        self._change_state(overuse, now)
        if self.state is RateState.INCREASE:
            self._increase(acknowledged, application_limited, now)
        elif self.state is RateState.DECREASE:
            self._decrease(acknowledged, now)
            self.state = RateState.HOLD
        return self.bitrate

    def _change_state(self, overuse: OveruseState, now: float) -> None:
        if overuse is OveruseState.OVERUSING:
            self.state = RateState.DECREASE
        elif overuse is OveruseState.UNDERUSING:
            self.state = RateState.HOLD
        elif self.state is RateState.HOLD:
            self.state = RateState.INCREASE
            self._changed_at = now

    def _increase(self, acknowledged: float | None, application_limited: bool, now: float) -> None:
        elapsed = min(now - self._changed_at, _MAX_STEP) if self._changed_at is not None else 0.0
        self._changed_at = now
        if acknowledged is not None and acknowledged > self.capacity.upper_bound:
            self.capacity.reset()
        if application_limited or elapsed <= 0:
            return
        if self.capacity.estimate is None:
            grown = max(self.bitrate * self._options.increase_factor**elapsed, self.bitrate + 1000 * elapsed)
        else:
            grown = self.bitrate + self.additive_increase() * elapsed
        limit = math.inf
        if acknowledged is not None:
            limit = self._options.max_acknowledged_ratio * acknowledged + _INCREASE_OFFSET
        self.bitrate = max(self.bitrate, min(grown, limit))

    def additive_increase(self) -> float:
        """Return the additive increase, in bits a second per second: a packet per response time."""
        frame_bits = self.bitrate / _FRAME_RATE
        packet_bits = frame_bits / math.ceil(max(frame_bits, 1.0) / _PACKET_BITS)
        return max(_MIN_INCREASE, packet_bits / (self.round_trip + _RESPONSE_TIME))

    def _decrease(self, acknowledged: float | None, now: float) -> None:
        measured = acknowledged if acknowledged is not None else self.bitrate
        known = self.capacity.estimate
        if known is not None and _SAME_CAPACITY * known < measured < known:
            # The difference is noise of the measurement; the average is more precise.
            measured = known
        lowered = self._options.backoff * measured
        if lowered > self.bitrate and self.capacity.estimate is not None:
            lowered = self._options.backoff * self.capacity.estimate
        self.bitrate = min(self.bitrate, lowered)
        if acknowledged is not None:
            if acknowledged < self.capacity.lower_bound:
                self.capacity.reset()
            self.capacity.overuse_at(acknowledged)
        self.decreased_at = now
        self._changed_at = now
