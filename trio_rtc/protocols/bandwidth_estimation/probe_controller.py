"""Probe controller: when to probe, and at which rate.

Initial probes have multiples of the start bitrate, further ones twice the result, as long as results are close to the
probed rate. After a drop, recovery probes are repeated until the previous rate is reached or expires. In an
application-limited region probes are sent periodically, since nothing else would raise the target.
"""

import math

from trio_rtc import _attrs as attrs

from .options import BandwidthEstimationOptions
from .probe_cluster import ProbeCluster, ProbePurpose

# A drop below this part of the previous rate causes recovery probes. goog_cc has 0.66; after two back-offs (0.72) the
# rate grows back too slowly without probes.
_DROPPED = 0.75
# Probes are longer after one without a result, or with a larger relative error because of jitter.
_PRECISE = 0.1
_MAX_STRETCH = 4.0
# Time after an overuse for the queue to drain (goog_cc delays ALR and recovery probes by as much).
_MIN_AFTER_DECREASE = 1.0


@attrs.frozen
class ProbeConditions:
    """The state of the path that determines probes; bitrates are in bits a second.

    ``application_limited_since`` is ``None`` outside of such a region. ``settled_since`` is the end of the last
    overuse, ``math.inf`` during one.
    """

    bitrate: float
    max_bitrate: float
    capacity_known: bool
    application_limited_since: float | None
    settled_since: float


class ProbeController:
    """Creates probe clusters, which ``take_clusters`` returns."""

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._options = options
        self._next_id = 0
        self._pending: list[ProbeCluster] = []
        self._started = False
        self._interval = options.probe_retry_interval
        self._result_deadline = -math.inf
        self._further_threshold = math.inf
        self._last_probe_at = -math.inf
        self._best = 0.0
        self._best_at = -math.inf
        self._stretch = 1.0
        self._has_result = True
        self.created = 0

    def take_clusters(self) -> list[ProbeCluster]:
        pending, self._pending = self._pending, []
        return pending

    def start(self, start_bitrate: float, max_bitrate: float, now: float) -> None:
        self._started = True
        self._probe([start_bitrate * factor for factor in self._options.probe_factors], max_bitrate, now)

    def result(self, bitrate: float, error: float, max_bitrate: float, now: float) -> None:
        """Handle the result of a probe and its relative standard error; create a further one if it is high enough."""
        self._has_result = True
        # The error falls with the duration to the power of 3/2: twice the time, twice the packets.
        self._stretch = min(max((error / _PRECISE) ** (2 / 3), 1.0), _MAX_STRETCH)
        if now <= self._result_deadline and bitrate >= self._further_threshold:
            self._interval = self._options.probe_retry_interval
            self._probe(
                [bitrate * self._options.probe_further_factor], max_bitrate, now, ProbePurpose.FURTHER
            )

    def bound_raised(self, bitrate: float, max_bitrate: float, now: float) -> None:
        """Create a probe, because the upper bound that limited the target was raised."""
        if self._started:
            self._probe(
                [bitrate * self._options.probe_further_factor], max_bitrate, now, ProbePurpose.FURTHER
            )

    def estimate_changed(self, bitrate: float, now: float) -> None:
        """Record the target, for the rate before a drop."""
        if bitrate >= self._best or now - self._best_at > self._options.probe_recovery_memory:
            self._best = bitrate
            self._best_at = now

    def process(self, path: ProbeConditions, now: float) -> None:
        """Create a probe that is due, if the path is settled."""
        if not self._started or now < self._result_deadline or path.bitrate >= path.max_bitrate:
            return
        if now < path.settled_since + _MIN_AFTER_DECREASE:
            return
        options = self._options
        limited_since = path.application_limited_since
        if limited_since is not None:
            if now >= max(limited_since, self._last_probe_at) + options.probe_alr_interval:
                rate = path.bitrate * options.probe_alr_factor
                self._probe([rate], path.max_bitrate, now, ProbePurpose.APPLICATION_LIMITED)
        elif self._worth_retrying(path) and now >= self._last_probe_at + self._interval:
            self._interval = min(2 * self._interval, options.probe_recovery_interval)
            rate = path.bitrate * options.probe_recovery_factor
            self._probe([rate], path.max_bitrate, now, ProbePurpose.RECOVERY)

    def _worth_retrying(self, path: ProbeConditions) -> bool:
        return not path.capacity_known or path.bitrate < _DROPPED * self._best

    def abort(self) -> None:
        """Discard pending probes, because the path is overused."""
        self._pending.clear()
        self._result_deadline = -math.inf

    def _probe(
        self, rates: list[float], max_bitrate: float, now: float, purpose: ProbePurpose = ProbePurpose.START
    ) -> None:
        options = self._options
        if not self._has_result:
            self._stretch = min(2 * self._stretch, _MAX_STRETCH)
        self._has_result = False
        duration = options.probe_min_duration * self._stretch
        rate = 0.0
        for probed in rates:
            if rate >= max_bitrate:
                break
            rate = min(probed, max_bitrate)
            size = math.ceil(min(rate * duration / 8, options.probe_max_bytes * self._stretch))
            expires = now + options.probe_result_timeout
            packets = math.ceil(options.probe_min_packets * self._stretch)
            cluster = ProbeCluster(self._next_id, rate, packets, size, expires, purpose)
            self._pending.append(cluster)
            self._next_id += 1
            self.created += 1
        self._last_probe_at = now
        self._result_deadline = now + options.probe_result_timeout
        further = options.probe_further_threshold * rate
        self._further_threshold = further if rate < max_bitrate else math.inf
