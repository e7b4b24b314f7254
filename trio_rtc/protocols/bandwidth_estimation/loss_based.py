"""The rate that losses allow, by telling a path's own loss from the loss that a full queue makes.

The rule of two thresholds (2 % and 10 %) cannot: at 10 % of random loss it gives way for ever. Like goog_cc of today
this takes loss as drawn from a model of two unknowns, the loss of the path itself, p, and the rate b at which it
is full: sending at s > b loses p + (1 - p)(s - b)/s. Every quarter of a second of sending is an observation; of a few
candidates for b, each with its likeliest p, the likeliest wins, with a bias to the higher. Loss that does not
change with the sending rate thus ends up in p, loss that comes with a higher rate in b.

What p may be is bounded, the less the higher the rate: a path that was full from the beginning, never observed at
less, looks just like a lossy one.
"""

import math
from collections import deque
from collections.abc import Sequence

import attrs

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
# How much likelier, per weighed packet and natural logarithm of the rate, a higher rate is held to be beforehand.
_BIAS = 0.004
# How much likelier than no limit at all a limit must be, as a natural logarithm, not to be chance.
_EVIDENCE = 4.0
# Average loss that exceeds the path's by no more is the same.
_SAME_LOSS_FACTOR = 1.2
_SAME_LOSS = 0.01


@attrs.frozen
class _Observation:
    packets: int
    lost: int
    sending_rate: float


class LossBasedEstimator:
    """Estimates the rate at which no more is lost than the path loses anyway.

    Attributes:
        bitrate: In bits a second; infinite while losses do not limit.
        state: Whether they limit.
        inherent_loss: What the path itself loses, from 0 to 1.
        loss: Recent loss.
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
        """Take a rate that a probe has shown to be carried."""
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
        """Take the results of one feedback; return the rate, at most ``delay_based``."""
        if not self._observe(received, lost) or len(self._observations) < _MIN_OBSERVATIONS:
            return min(self.bitrate, delay_based)
        self.loss = self._average_loss()
        current = min(self._limit, delay_based)
        best, inherent = self._best(current, delay_based, acknowledged)
        if best > current and self.loss > _SAME_LOSS_FACTOR * inherent + _SAME_LOSS:
            best = current
        best = min(self._bound_growth(best, acknowledged), self._instant_bound(), delay_based)
        if acknowledged is not None:
            # What arrives is carried: there is no reason to go below it by more than one back-off.
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
        # The next observation begins where this one ended, or its first packet would count for no time.
        self._first_sent = self._last_sent
        return True

    def _weighed(self) -> list[tuple[float, float, float]]:
        weight = 1.0
        result: list[tuple[float, float, float]] = []
        for observation in reversed(self._observations):
            lost = weight * observation.lost
            result.append((lost, weight * observation.packets - lost, observation.sending_rate))
            weight *= self._options.loss_weight
        return result

    def _average_loss(self) -> float:
        weighed = self._weighed()
        lost = sum(observation[0] for observation in weighed)
        total = lost + sum(observation[1] for observation in weighed)
        return lost / total if total > 0 else 0.0

    def _best(self, current: float, delay_based: float, acknowledged: float | None) -> tuple[float, float]:
        candidates = {current * factor for factor in _CANDIDATE_FACTORS}
        candidates.add(delay_based)
        if acknowledged is not None:
            candidates.add(acknowledged * _BACKOFF)
            candidates.add(acknowledged)
        weighed = self._weighed()
        if not self.loss:
            # The highest rate explains that best, and there is no need to compare it with others.
            return delay_based, self._fit(_LossModel.at(delay_based, weighed), delay_based)
        packets = sum(lost + received for lost, received, _ in weighed)
        best = (-math.inf, current, self.inherent_loss)
        for candidate in candidates:
            rate = min(max(candidate, self._options.min_bitrate), delay_based)
            explained = _LossModel.at(rate, weighed)
            inherent = self._fit(explained, rate)
            objective = explained.likelihood(inherent) + _BIAS * packets * math.log(rate)
            if rate >= delay_based:
                objective += _EVIDENCE
            best = max(best, (objective, rate, inherent))
        return best[1], best[2]

    def _fit(self, explained: "_LossModel", rate: float) -> float:
        """Return the likeliest loss of the path if it is full at ``rate``."""
        low, high = _MIN_INHERENT, self._max_inherent(rate)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if explained.slope(middle) > 0:
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
    """What was observed, as a path that is full at some rate would explain it.

    Most observations are of less than the path carries, and have but the path's own loss. They count together.

    Attributes:
        free_lost: Packets lost while the path was not full, weighed.
        free_received: Packets that came then, weighed.
        full: Of each other observation: packets lost and received, weighed, and the part that there was no room for.
    """

    free_lost: float
    free_received: float
    full: list[tuple[float, float, float]]

    @classmethod
    def at(cls, rate: float, weighed: list[tuple[float, float, float]]) -> "_LossModel":
        """Return the explanation; of each observation come packets lost and received, weighed, and the rate."""
        free_lost = free_received = 0.0
        full: list[tuple[float, float, float]] = []
        for lost, received, sending_rate in weighed:
            if sending_rate > rate:
                full.append((lost, received, (sending_rate - rate) / sending_rate))
            else:
                free_lost += lost
                free_received += received
        return cls(free_lost, free_received, full)

    def likelihood(self, inherent: float) -> float:
        """Return how likely it is, as a logarithm, if the path itself loses so much."""
        total = self.free_lost * math.log(inherent) + self.free_received * math.log(1 - inherent)
        for lost, received, part in self.full:
            loss = inherent + (1 - inherent) * part
            total += lost * math.log(loss) + received * math.log(1 - loss)
        return total

    def slope(self, inherent: float) -> float:
        """Return the derivative of the likelihood by the loss of the path itself."""
        passed = 1 - inherent
        total = self.free_lost / inherent - self.free_received / passed
        for lost, received, part in self.full:
            total += lost * (1 - part) / (inherent + passed * part) - received / passed
        return total
