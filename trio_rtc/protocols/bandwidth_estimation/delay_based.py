"""Delay-based estimation: inter-arrival, trendline, overuse detector and rate control (GCC section 5)."""

from collections import deque
from collections.abc import Sequence

from .aimd_rate_control import AimdRateControl
from .inter_arrival import InterArrival
from .options import BandwidthEstimationOptions
from .overuse_detector import OveruseDetector, QueueDelayEstimator
from .sent_packets import ReceivedPacket
from .state import OveruseState
from .trendline import TrendlineEstimator

# goog_cc: after a longer pause of feedback the trendline starts again.
_STREAM_TIMEOUT = 2.0
# Probes whose feedback may be outstanding.
_MAX_PROBE_TIMES = 8
# goog_cc: overuse halves the rate while the acknowledged bitrate is unknown.
_BLIND_BACKOFF = 0.5


class DelayBasedEstimator:
    """Estimates the rate at which the delay does not grow.

    ``queue_delay`` is a lower bound of the queueing delay in seconds.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._options = options
        self._feedback_at: float | None = None
        self._probe_times: deque[tuple[float, float]] = deque(maxlen=_MAX_PROBE_TIMES)
        self.rate = AimdRateControl(options)
        self._reset()

    def _reset(self) -> None:
        self._groups = InterArrival(self._options)
        self._trendline = TrendlineEstimator(self._options)
        self._detector = OveruseDetector(self._options)
        self._queue_delay_estimator = QueueDelayEstimator(self._options)
        self.queue_delay = 0.0

    @property
    def overuse(self) -> OveruseState:
        return self._detector.state

    @property
    def congested(self) -> bool:
        """Whether the queue is growing or still long."""
        return self.overuse is OveruseState.OVERUSING or self.queue_delay > self._options.drain_threshold / 2

    def probe_sent(self, now: float) -> None:
        until = now + self._options.probe_guard
        times = self._probe_times
        if times and now <= times[-1][1]:
            times[-1] = (times[-1][0], until)
        else:
            times.append((now, until))

    def draining_bitrate(self, unseen: float = 0.0) -> float:
        """Return the rate, reduced while a queue must drain; feedback cannot show ``unseen`` seconds of it yet."""
        options, rate = self._options, self.rate.bitrate
        excess = (max(self.queue_delay, unseen) - options.drain_threshold) / options.drain_time
        least = max(options.drain_least * rate, options.drain_floor)
        return min(max((1 - excess) * rate, least), rate)

    def update(
        self,
        received: Sequence[ReceivedPacket],
        acknowledged: float | None,
        probe: float | None,
        application_limited: bool,
        now: float,
    ) -> float:
        """Update the rate from one feedback, and return it; all rates are in bits a second.

        ``received`` is in order of arrival. ``acknowledged`` and ``probe``, the result of a probe, may be unknown.
        """
        if self._feedback_at is not None and now - self._feedback_at > _STREAM_TIMEOUT:
            self._reset()
        self._feedback_at = now
        before = self.queue_delay
        overused = self._detect(received)
        state = OveruseState.OVERUSING if overused else self._detector.state
        if state is OveruseState.NORMAL and self.queue_delay > max(self._options.queue_limit, before):
            # Jitter has raised the threshold of the detector, but does not cause such a queue.
            state = OveruseState.OVERUSING
        if state is OveruseState.NORMAL and self.queue_delay > self._options.drain_threshold:
            # Hold until the queue has drained.
            state = OveruseState.UNDERUSING
        return self._control(state, acknowledged, probe, application_limited, now)

    def _detect(self, received: Sequence[ReceivedPacket]) -> bool:
        overused = False
        add = self._groups.add
        for _, send_time, arrival_time, _, _ in received:
            delta = add(send_time, arrival_time)
            if delta is None:
                continue
            self.queue_delay = self._queue_delay_estimator.add(delta.delay, delta.arrival_time)
            if self._belongs_to_probe(delta.send_time):
                # The probe has caused this queue; a queue of another cause keeps growing after the probe.
                continue
            trend = self._trendline.add(delta.send_delta, delta.arrival_delta, delta.arrival_time)
            state = self._detector.update(
                trend, self._trendline.deltas, delta.send_delta, self.queue_delay, delta.arrival_time
            )
            overused = overused or state is OveruseState.OVERUSING
        return overused and self._detector.state is not OveruseState.UNDERUSING

    def _belongs_to_probe(self, send_time: float) -> bool:
        return any(begin <= send_time <= end for begin, end in self._probe_times)

    def _control(
        self,
        state: OveruseState,
        acknowledged: float | None,
        probe: float | None,
        application_limited: bool,
        now: float,
    ) -> float:
        rate = self.rate
        if state is OveruseState.OVERUSING:
            if not rate.may_decrease(acknowledged, now):
                return rate.bitrate
            if acknowledged is None:
                acknowledged = rate.bitrate * _BLIND_BACKOFF / self._options.backoff
        elif probe is not None and probe > rate.bitrate:
            # A probe only raises the rate: jitter makes its result too low much more often than too high.
            rate.set_bitrate(probe, now)
            return rate.bitrate
        return rate.update(state, acknowledged, application_limited, now)
