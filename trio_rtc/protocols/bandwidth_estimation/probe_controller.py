"""When to probe, and at which rate.

At the start with multiples of the start bitrate; again, with twice the result, as long as results come close to
what was probed for. After a drop repeatedly, until the rate before it is reached again or forgotten. While the
application sends little now and then, so that the target stays true although nothing else would raise it.
"""

import math

import attrs

from .options import BandwidthEstimationOptions
from .probe_cluster import ProbeCluster, ProbePurpose

# A drop below this part of the remembered rate is worth probing for. goog_cc has 0.66; what two back-offs leave
# (0.72) grows back too slowly to wait for it.
_DROPPED = 0.75
# A probe that gave no result, or one less precise than this because of jitter, is followed by longer ones.
_PRECISE = 0.1
_MAX_STRETCH = 4.0
# How long after an overuse the queue may still be draining (goog_cc: alr and recovery probes wait as long).
_MIN_AFTER_DECREASE = 1.0


@attrs.frozen
class ProbeConditions:
    """What decides on probes.

    Attributes:
        bitrate: The target, in bits a second.
        max_bitrate: Largest target.
        capacity_known: Whether the path has been full at about this rate.
        application_limited_since: Since when the application sends little, ``None`` if it does not.
        settled_since: Since when the path shows no sign of overuse; ``inf`` while it does.
    """

    bitrate: float
    max_bitrate: float
    capacity_known: bool
    application_limited_since: float | None
    settled_since: float


class ProbeController:
    """Decides on probes. ``take`` returns what is to be sent.

    Attributes:
        asked: Number of clusters so far.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._options = options
        self._next_id = 0
        self._pending: list[ProbeCluster] = []
        self._started = False
        self._interval = options.probe_retry_interval
        self._waiting_until = -math.inf
        self._further_threshold = math.inf
        self._last_probe_at = -math.inf
        self._best = 0.0
        self._best_at = -math.inf
        self._stretch = 1.0
        self._answered = True
        self.asked = 0

    def take(self) -> list[ProbeCluster]:
        """Return new clusters: a second call returns none."""
        pending, self._pending = self._pending, []
        return pending

    def start(self, start_bitrate: float, max_bitrate: float, now: float) -> None:
        """Probe for the capacity of a path that nothing is known of."""
        self._started = True
        self._probe([start_bitrate * factor for factor in self._options.probe_factors], max_bitrate, now)

    def result(self, bitrate: float, error: float, max_bitrate: float, now: float) -> None:
        """Take the result of a probe and its relative standard error; go on if there seems to be more."""
        self._answered = True
        # The error falls with the duration to the power of 3/2: twice the time, twice the packets.
        self._stretch = min(max((error / _PRECISE) ** (2 / 3), 1.0), _MAX_STRETCH)
        if now <= self._waiting_until and bitrate >= self._further_threshold:
            self._interval = self._options.probe_retry_interval
            self._probe(
                [bitrate * self._options.probe_further_factor], max_bitrate, now, ProbePurpose.FURTHER
            )

    def bound_raised(self, bitrate: float, max_bitrate: float, now: float) -> None:
        """Probe because the application may now send more than the target, which its old bound held down."""
        if self._started:
            self._probe(
                [bitrate * self._options.probe_further_factor], max_bitrate, now, ProbePurpose.FURTHER
            )

    def estimate_changed(self, bitrate: float, now: float) -> None:
        """Take the target, to know what it was before a drop."""
        if bitrate >= self._best or now - self._best_at > self._options.probe_recovery_memory:
            self._best = bitrate
            self._best_at = now

    def process(self, path: ProbeConditions, now: float) -> None:
        """Let time pass: probe if the path is settled and there is a reason to."""
        if not self._started or now < self._waiting_until or path.bitrate >= path.max_bitrate:
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
        """Give up what has not been taken: the path is overused, a probe would add to it."""
        self._pending.clear()
        self._waiting_until = -math.inf

    def _probe(
        self, rates: list[float], max_bitrate: float, now: float, purpose: ProbePurpose = ProbePurpose.START
    ) -> None:
        options = self._options
        if not self._answered:
            self._stretch = min(2 * self._stretch, _MAX_STRETCH)
        self._answered = False
        duration = options.probe_min_duration * self._stretch
        rate = 0.0
        for wanted in rates:
            if rate >= max_bitrate:
                break
            rate = min(wanted, max_bitrate)
            size = math.ceil(min(rate * duration / 8, options.probe_max_bytes * self._stretch))
            expires = now + options.probe_result_timeout
            packets = math.ceil(options.probe_min_packets * self._stretch)
            cluster = ProbeCluster(self._next_id, rate, packets, size, expires, purpose)
            self._pending.append(cluster)
            self._next_id += 1
            self.asked += 1
        self._last_probe_at = now
        self._waiting_until = now + options.probe_result_timeout
        further = options.probe_further_threshold * rate
        self._further_threshold = further if rate < max_bitrate else math.inf
