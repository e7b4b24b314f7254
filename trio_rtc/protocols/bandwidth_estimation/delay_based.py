"""The delay-based part: groups, trend, detector and rate control in a row (GCC section 5)."""

from collections import deque
from collections.abc import Sequence

from .aimd_rate_control import AimdRateControl
from .inter_arrival import InterArrival
from .options import BandwidthEstimationOptions
from .overuse_detector import OveruseDetector, QueueDelay
from .sent_packets import ReceivedPacket
from .state import OveruseState
from .trendline import TrendlineEstimator

# goog_cc: feedback that pauses longer than this makes the trend before it meaningless.
_STREAM_TIMEOUT = 2.0
# Probes whose feedback may still be on its way.
_MAX_PROBE_TIMES = 8
# goog_cc: while nothing is known of what arrives, overuse halves the rate.
_BLIND_BACKOFF = 0.5


class DelayBasedEstimator:
    """Estimates the rate at which the delay does not grow.

    Attributes:
        rate: The rate control.
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
        self._queue_delay = QueueDelay(self._options)
        self._queue = 0.0

    @property
    def overuse(self) -> OveruseState:
        """What the detector says."""
        return self._detector.state

    @property
    def congested(self) -> bool:
        """Whether the queue grows, or is still long."""
        return self.overuse is OveruseState.OVERUSING or self._queue > self._options.drain_threshold / 2

    @property
    def queue_delay(self) -> float:
        """How much of the delay is a queue, in seconds; a lower bound."""
        return self._queue

    def probe_sent(self, now: float) -> None:
        """Hear that a packet of a probe leaves now."""
        until = now + self._options.probe_guard
        times = self._probe_times
        if times and now <= times[-1][1]:
            times[-1] = (times[-1][0], until)
        else:
            times.append((now, until))

    def draining_bitrate(self, unseen: float = 0.0) -> float:
        """Return the rate, or as much less as it takes to drain what has been queued already.

        Args:
            unseen: Seconds of queue of which feedback cannot tell yet.
        """
        options, rate = self._options, self.rate.bitrate
        excess = (max(self._queue, unseen) - options.drain_threshold) / options.drain_time
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
        """Take the packets of one feedback, in order of arrival; return the rate.

        Args:
            received: Packets that arrived.
            acknowledged: What arrives, in bits a second.
            probe: What a probe measured, in bits a second, ``None`` without one.
            application_limited: Whether the application sends much less than it may.
            now: Monotonic time in seconds.
        """
        if self._feedback_at is not None and now - self._feedback_at > _STREAM_TIMEOUT:
            self._reset()
        self._feedback_at = now
        before = self._queue
        overused = self._detect(received)
        state = OveruseState.OVERUSING if overused else self._detector.state
        if state is OveruseState.NORMAL and self._queue > max(self._options.queue_limit, before):
            # Jitter has made the detector deaf, but no jitter makes so long a queue.
            state = OveruseState.OVERUSING
        if state is OveruseState.NORMAL and self._queue > self._options.drain_threshold:
            # What is queued already must drain first: hold.
            state = OveruseState.UNDERUSING
        return self._control(state, acknowledged, probe, application_limited, now)

    def _detect(self, received: Sequence[ReceivedPacket]) -> bool:
        overused = False
        add = self._groups.add
        for _, send_time, arrival_time, _, _ in received:
            delta = add(send_time, arrival_time)
            if delta is None:
                continue
            self._queue = self._queue_delay.add(delta.delay, delta.arrival_time)
            if self._belongs_to_probe(delta.send_time):
                # This queue is of our own making: where it is not, it goes on growing behind the probe.
                continue
            trend = self._trendline.add(delta.send_delta, delta.arrival_delta, delta.arrival_time)
            state = self._detector.update(
                trend, self._trendline.deltas, delta.send_delta, self._queue, delta.arrival_time
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
            # A probe only ever finds more: jitter makes its result too low much more often than too high.
            rate.set_bitrate(probe, now)
            return rate.bitrate
        return rate.update(state, acknowledged, application_limited, now)
