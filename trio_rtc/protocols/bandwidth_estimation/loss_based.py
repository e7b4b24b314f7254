"""Loss-based estimation: separates the inherent loss of a path from the loss of a full queue (LossBasedBweV2).

The two thresholds of GCC section 6 (2 % and 10 %) cannot do that: at 10 % of random loss the rate falls without end. As
in goog_cc's LossBasedBweV2, loss is modelled with two unknowns, the inherent loss p and the bandwidth b: sending at s >
b loses p + (1 - p)(s - b)/s. Each quarter of a second of sending is an observation. Of a few candidates for b, each
with its most likely p, the one of maximum likelihood is chosen, with a bias to higher rates. So loss that is
independent of the sending rate is attributed to p, loss that grows with the rate to b.

p is bounded, and the bound falls with the rate: a path that was full from the start, and never observed at a lower
rate, cannot be distinguished from a lossy one.
"""

import math
from collections import deque
from collections.abc import Sequence

from trio_rtc import _attrs as attrs

from .options import BandwidthEstimationOptions
from .sent_packets import ReceivedPacket, SentPacket
from .state import LossState

_MIN_OBSERVATIONS = 3
_MIN_INHERENT = 1e-3
_CANDIDATE_FACTORS = (1.02, 1.0, 0.95)
_BACKOFF = 0.85
_MAX_GROWTH = 1.3
_GROWTH_WINDOW = 0.3
_BISECTIONS = 10
# Bias to higher rates: prior log-likelihood per weighted packet and natural logarithm of the rate.
_BIAS = 0.004
# Difference of the log-likelihoods that a limit must have over no limit.
_EVIDENCE = 4.0
# Average loss up to this factor and offset above the inherent loss equals it.
_SAME_LOSS_FACTOR = 1.2
_SAME_LOSS = 0.01


@attrs.frozen
class _Observation:
    packets: int
    lost: int
    sending_rate: float


class LossBasedEstimator:
    """Estimates the rate up to which there is only the inherent loss of the path.

    ``bitrate`` is infinite while loss does not limit it. ``inherent_loss`` and the recent ``loss`` are from 0 to 1.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._options = options
        self._observations: deque[_Observation] = deque(maxlen=options.loss_observations)
        self._packets = 0
        self._lost = 0
        self._bytes = 0
        self._first_sent = math.inf
        self._last_sent = -math.inf
        self._limit = math.inf
        self._growth_limit = math.inf
        self._growth_at = -math.inf
        self.bitrate = math.inf
        self.state = LossState.UNLIMITED
        self.inherent_loss = 0.01
        self.loss = 0.0

    def raise_to(self, bitrate: float) -> None:
        if bitrate > self._limit:
            self._limit = bitrate
            self.bitrate = max(self.bitrate, bitrate)

    def update(
        self,
        received: Sequence[ReceivedPacket],
        lost: Sequence[SentPacket],
        delay_based: float,
        acknowledged: float | None,
    ) -> float:
        """Update the rate from one feedback, and return it, limited by ``delay_based``."""
        if not self._observe(received, lost) or len(self._observations) < _MIN_OBSERVATIONS:
            return min(self.bitrate, delay_based)
        self.loss = self._average_loss()
        current = min(self._limit, delay_based)
        best, inherent = self._best(current, delay_based, acknowledged)
        if best > current and self.loss > _SAME_LOSS_FACTOR * inherent + _SAME_LOSS:
            best = current
        best = min(self._bound_growth(best, acknowledged), self._instant_bound(), delay_based)
        if acknowledged is not None:
            # The path carries the acknowledged bitrate: do not fall below it by more than one back-off.
            best = max(best, min(_BACKOFF * acknowledged, delay_based))
        self.inherent_loss = inherent
        self._settle(best, current, delay_based)
        return min(self.bitrate, delay_based)

    def _settle(self, best: float, before: float, delay_based: float) -> None:
        self._limit = best
        if best >= delay_based:
            self.state = LossState.UNLIMITED
            self._limit = self.bitrate = math.inf
            self._growth_limit = math.inf
            return
        if best != before:
            self.state = LossState.DECREASING if best < before else LossState.INCREASING
        self.bitrate = best
        if self._last_sent >= self._growth_at + _GROWTH_WINDOW:
            self._growth_at = self._last_sent
            self._growth_limit = best * _MAX_GROWTH

    def _observe(self, received: Sequence[ReceivedPacket], lost: Sequence[SentPacket]) -> bool:
        times = [packet.send_time for packet in received]
        times += [packet.send_time for packet in lost]
        if not times:
            return False
        self._first_sent = min(self._first_sent, *times)
        self._last_sent = max(self._last_sent, *times)
        self._bytes += sum([packet.size for packet in received]) + sum([packet.size for packet in lost])
        self._packets += len(received) + len(lost)
        self._lost += len(lost)
        duration = self._last_sent - self._first_sent
        if duration < self._options.loss_observation_time:
            return False
        self._observations.append(_Observation(self._packets, self._lost, 8 * self._bytes / duration))
        self._packets = self._lost = self._bytes = 0
        # The next observation starts where this one ended, so that its first packet has a duration.
        self._first_sent = self._last_sent
        return True

    def _weighted_observations(self) -> list[tuple[float, float, float]]:
        weight = 1.0
        result: list[tuple[float, float, float]] = []
        for observation in reversed(self._observations):
            lost = weight * observation.lost
            result.append((lost, weight * observation.packets - lost, observation.sending_rate))
            weight *= self._options.loss_weight
        return result

    def _average_loss(self) -> float:
        weighted = self._weighted_observations()
        lost = sum(observation[0] for observation in weighted)
        total = lost + sum(observation[1] for observation in weighted)
        return lost / total if total > 0 else 0.0

    def _best(self, current: float, delay_based: float, acknowledged: float | None) -> tuple[float, float]:
        candidates = {current * factor for factor in _CANDIDATE_FACTORS}
        candidates.add(delay_based)
        if acknowledged is not None:
            candidates.add(acknowledged * _BACKOFF)
            candidates.add(acknowledged)
        weighted = self._weighted_observations()
        if not self.loss:
            # Without loss the highest rate has the maximum likelihood.
            return delay_based, self._fit(_LossModel.at(delay_based, weighted), delay_based)
        packets = sum(lost + received for lost, received, _ in weighted)
        best = (-math.inf, current, self.inherent_loss)
        for candidate in candidates:
            rate = min(max(candidate, self._options.min_bitrate), delay_based)
            model = _LossModel.at(rate, weighted)
            inherent = self._fit(model, rate)
            objective = model.likelihood(inherent) + _BIAS * packets * math.log(rate)
            if rate >= delay_based:
                objective += _EVIDENCE
            best = max(best, (objective, rate, inherent))
        return best[1], best[2]

    def _fit(self, model: "_LossModel", rate: float) -> float:
        """Return the most likely inherent loss if the bandwidth is ``rate``."""
        low, high = _MIN_INHERENT, self._max_inherent(rate)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if model.slope(middle) > 0:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    def _max_inherent(self, rate: float) -> float:
        return min(self._options.loss_tolerated + self._options.loss_balance / rate, 0.9)

    def _instant_bound(self) -> float:
        excess = self.loss - self._options.loss_tolerated
        return self._options.loss_balance / excess if excess > 0 else math.inf

    def _bound_growth(self, best: float, acknowledged: float | None) -> float:
        if self.state is LossState.UNLIMITED:
            return best
        best = min(best, max(self._growth_limit, self._limit))
        if acknowledged is not None:
            best = min(best, max(self._limit, self._options.max_acknowledged_ratio * acknowledged))
        return best


@attrs.frozen
class _LossModel:
    """The observations under the assumption of a bandwidth.

    Observations below the bandwidth, which are most of them, have only inherent loss: their weighted packets are
    summed up. ``full`` has weighted packets lost and received, and the excess part, of each observation above it.
    """

    free_lost: float
    free_received: float
    full: list[tuple[float, float, float]]

    @classmethod
    def at(cls, rate: float, weighted: list[tuple[float, float, float]]) -> "_LossModel":
        """Return the model of a bandwidth from weighted packets lost and received and the rate, of each observation."""
        free_lost = free_received = 0.0
        full: list[tuple[float, float, float]] = []
        for lost, received, sending_rate in weighted:
            if sending_rate > rate:
                full.append((lost, received, (sending_rate - rate) / sending_rate))
            else:
                free_lost += lost
                free_received += received
        return cls(free_lost, free_received, full)

    def likelihood(self, inherent: float) -> float:
        total = self.free_lost * math.log(inherent) + self.free_received * math.log(1 - inherent)
        for lost, received, part in self.full:
            loss = inherent + (1 - inherent) * part
            total += lost * math.log(loss) + received * math.log(1 - loss)
        return total

    def slope(self, inherent: float) -> float:
        passed = 1 - inherent
        total = self.free_lost / inherent - self.free_received / passed
        for lost, received, part in self.full:
            total += lost * (1 - part) / (inherent + passed * part) - received / passed
        return total
