"""Send-side bandwidth estimation: how much may be sent, from what the peer says of what arrived.

The sources are draft-ietf-rmcat-gcc-02 and what libwebrtc has made of it. With transport-wide feedback (or RFC 8888)
three parts look at every packet: the delay-based one falls when queues grow, the loss-based one when more is lost
than the path loses anyway, and probes measure what there is above. The target is the least of the first two, of the
peer's REMB and of the application's bounds. A peer that has only receiver reports and perhaps REMB is served by the
rule of two thresholds on the loss it reports. As soon as transport-wide feedback arrives, reports do not move the
target any more.

Silence is an answer too: when packets are on their way and no feedback comes, the target falls step by step, and
what it was before is probed for when feedback returns.

The estimator neither sends nor paces: ``take_probes`` goes to the pacer, ``target_bitrate`` to pacer and encoders.
Feedback tells of a queue as late as the queue is long: between a back-off and the first word of what was sent since,
what is under way tells how long it is.

Left out: pacing by a window, which goog_cc has as an experiment, and ECN.
"""

import math
from collections.abc import Iterable, Sequence

from .acknowledged_bitrate import AcknowledgedBitrateEstimator
from .alr_detector import AlrDetector
from .delay_based import DelayBasedEstimator
from .loss_based import LossBasedEstimator
from .options import BandwidthEstimationOptions
from .packet_trains import PacketTrains
from .probe_bitrate_estimator import ProbeBitrateEstimator
from .probe_cluster import ProbeCluster
from .probe_controller import ProbeConditions, ProbeController
from .receiver_report_loss import ReceiverReportLoss
from .sent_packets import FeedbackResults, SentPackets
from .state import BandwidthEstimationStatistics, LimitedBy, LossState, OveruseState

_ROUND_TRIP_SMOOTHING = 1 / 8  # RFC 6298 section 2.3
_MAX_ROUND_TRIP = 10.0
# How fast the least round-trip time is forgotten when all are longer: with every feedback by this part of the rest.
_LEAST_FORGOTTEN = 0.002
_INITIAL_ROUND_TRIP = 0.2
# A target above this part of the application's bound is held down by it.
_AT_BOUND = 0.85


class BandwidthEstimator:
    """Joins history, delay, loss, probes and bounds into one target.

    ``handle_feedback`` never raises for what the peer said. Arguments of our own caller are checked.
    """

    def __init__(self, options: BandwidthEstimationOptions | None = None, probing: bool = True) -> None:
        """Begin with ``start_bitrate``. Without transport-wide feedback, switch ``probing`` off: nothing measures."""
        options = options or BandwidthEstimationOptions()
        self._options = options
        self._probing = probing
        self._min = options.min_bitrate
        self._max = options.max_bitrate
        self._packets = SentPackets(options)
        self._acknowledged = AcknowledgedBitrateEstimator(options)
        self._delay = DelayBasedEstimator(options)
        self._loss = LossBasedEstimator(options)
        self._reports = ReceiverReportLoss(options)
        self._alr = AlrDetector(options)
        self._trains = PacketTrains(options)
        self._probes = ProbeController(options)
        self._results = ProbeBitrateEstimator(options)
        self._round_trip: float | None = None
        self._latest_round_trip = 0.0
        self._least_round_trip = _MAX_ROUND_TRIP
        self._remb: float | None = None
        self._remb_at = -math.inf
        self._feedback_seen = False
        self._unanswered_since: float | None = None
        self._decayed_at = -math.inf
        self._last_sent = -math.inf
        self._deadline = math.inf
        self._available = options.start_bitrate
        self._limited_by = LimitedBy.START
        self._target = options.start_bitrate

    # What the caller tells.

    def record_packet_sent(
        self,
        sequence_number: int,
        size: int,
        now: float,
        probe_cluster: int | None = None,
        padding: bool = False,
    ) -> None:
        """Remember a packet that leaves now.

        Args:
            sequence_number: Transport-wide, unwrapped.
            size: What it takes on the wire, in bytes.
            now: Monotonic time in seconds.
            probe_cluster: The cluster that it belongs to, if any.
            padding: Whether it carries nothing of the application.
        """
        self.record_packets_sent(((sequence_number, size, padding),), now, probe_cluster)

    def record_packets_sent(
        self, packets: Iterable[tuple[int, int, bool]], now: float, probe_cluster: int | None = None
    ) -> None:
        """Remember packets that leave now together: of each its number, its size and whether it is padding."""
        if self._last_sent == -math.inf and self._probing:
            self._probes.start(self._target, self._max, now)
        of_application = 0
        sent = self._packets.sent
        for sequence_number, size, padding in packets:
            sent(sequence_number, size, now, probe_cluster)
            if not padding:
                of_application += size
        if probe_cluster is not None:
            self._delay.probe_sent(now)
        if of_application:
            self._alr.sent(of_application, now)
        self._last_sent = now
        if self._unanswered_since is None:
            self._unanswered_since = now
        if self._deadline == math.inf:
            self._deadline = now + self._options.process_interval

    def handle_feedback(
        self, results: Sequence[tuple[int, float | None]], round_trip: float | None, now: float
    ) -> None:
        """Take one transport-wide feedback, decoded.

        Args:
            results: Unwrapped sequence numbers with their time of arrival in seconds of the peer's clock, ``None``
                for packets that have not arrived. Unknown and repeated ones are ignored.
            round_trip: In seconds, when the caller has measured it otherwise; ``None`` takes the time from the
                sending of the newest packet to its feedback, which includes how long the peer waited with it.
            now: Monotonic time in seconds.
        """
        feedback = self._packets.feedback(results, now)
        if not feedback.received and not feedback.lost:
            return
        if feedback.received:
            self._unanswered_since = None
            self._update_round_trip(now - feedback.newest if round_trip is None else round_trip)
        self._feedback_seen = True
        self._alr.sent(0, now)
        self._estimate(feedback, now)
        # All that the timer would do has been done: while feedback comes, the timer need not.
        self._deadline = self._next_deadline(now)

    def handle_receiver_report(self, fraction: float, now: float) -> None:
        """Take the fraction of loss, 0 to 1, of a receiver report. Without effect where there is better feedback."""
        fraction = min(max(fraction, 0.0), 1.0) if math.isfinite(fraction) else 0.0
        self._reports.reported(fraction, self._round_trip or _INITIAL_ROUND_TRIP, now)
        self._combine(now)

    def update_round_trip(self, round_trip: float) -> None:
        """Take a round-trip time in seconds, as sender and receiver reports give it."""
        self._update_round_trip(round_trip)

    def handle_remb(self, bitrate: float, now: float) -> None:
        """Take the limit, in bits a second, of a REMB message (draft-alvestrand-rmcat-remb-03)."""
        if not math.isfinite(bitrate) or bitrate < 0:
            return
        self._remb = bitrate
        self._remb_at = now
        if not self._feedback_seen and not self._reports.any_loss:
            # Nothing else raises the target of such a peer so fast, and it has looked at what arrives.
            self._reports.bitrate = max(self._reports.bitrate, min(bitrate, self._max))
        self._combine(now)

    def set_bounds(self, minimum: float, start: float | None, maximum: float, now: float = -math.inf) -> None:
        """Set the application's bounds in bits a second.

        Args:
            minimum: The target does not fall below it.
            start: The estimate to go on from; ``None`` keeps the present one.
            maximum: The target does not rise above it.
            now: Monotonic time in seconds.

        Raises:
            ValueError: They are not positive, finite and in order.
        """
        middle = minimum if start is None else start
        if not 0 < minimum <= middle <= maximum < math.inf:
            raise ValueError(f"bitrates must be positive, finite and in order: {minimum}, {start}, {maximum}")
        held_down = self._target >= _AT_BOUND * self._max
        raised = maximum > self._max
        self._min, self._max = minimum, maximum
        if start is not None:
            self._delay.rate.set_bitrate(start, now)
            self._reports.bitrate = start
        self._combine(now)
        if raised and held_down and self._feedback_seen and self._probing:
            self._probes.bound_raised(self._target, self._max, max(now, self._last_sent))

    # What the caller is told.

    @property
    def target_bitrate(self) -> float:
        """How much to send, in bits a second, everything included that ``record_packet_sent`` is told of."""
        return self._target

    @property
    def path_limited(self) -> bool:
        """Whether a burst at the pacer's rate would queue on the path.

        Not where the application's maximum limits the target, nor where trains of packets arrive much faster: jitter
        and loss limit the target there, and not the capacity.
        """
        return self._available <= self._max and not self._trains.have_room

    @property
    def round_trip_time(self) -> float | None:
        """Smoothed round-trip time in seconds, ``None`` before it was measured."""
        return self._round_trip

    @property
    def current_round_trip(self) -> float:
        """The smoothed round-trip time in seconds, or the latest where that is longer; 0 before it was measured."""
        return max(self._round_trip or 0.0, self._latest_round_trip)

    def take_probes(self) -> list[ProbeCluster]:
        """Take the probes that are to be sent: a second call returns none."""
        clusters = self._probes.take()
        for cluster in clusters:
            self._results.expect(cluster)
        return clusters

    def next_timer(self) -> float:
        """Return when ``handle_timer`` is due; ``inf`` while nothing is sent."""
        return self._deadline

    def handle_timer(self, now: float) -> None:
        """Let time pass: notice silence, begin probes. Acts only when it is due."""
        if now < self._deadline:
            return
        self._packets.forget(now)
        self._alr.sent(0, now)
        self._decay(now)
        self._combine(now)
        self._process_probes(now)
        self._deadline = self._next_deadline(now)

    def statistics(self) -> BandwidthEstimationStatistics:
        """Return what is known at the moment."""
        loss_limited = math.isfinite(self._loss.bitrate)
        return BandwidthEstimationStatistics(
            target_bitrate=self._target,
            available_outgoing_bitrate=None if self._limited_by is LimitedBy.START else self._available,
            acknowledged_bitrate=self._acknowledged.bitrate,
            delay_based_bitrate=self._delay.rate.bitrate,
            loss_based_bitrate=self._loss.bitrate if loss_limited else None,
            remb_bitrate=self._remb,
            overuse=self._delay.overuse,
            limited_by=self._limited_by,
            application_limited=self._alr.since is not None,
            queue_delay=self._delay.queue_delay,
            round_trip_time=self._round_trip,
            loss_fraction=self._loss.loss if self._feedback_seen else self._reports.fraction,
            bytes_in_flight=self._packets.bytes_in_flight,
            packets_forgotten=self._packets.forgotten,
            probes_sent=self._probes.asked,
            probes_succeeded=self._results.succeeded,
        )

    # How it is done.

    def _estimate(self, feedback: FeedbackResults, now: float) -> None:
        if feedback.gap:
            self._acknowledged.interrupted()
        self._acknowledged.received(feedback.received)
        self._trains.add(feedback.received, self._target)
        for packet in feedback.received:
            if packet.probe_cluster is not None:
                self._results.received(packet)
        acknowledged = self._acknowledged.bitrate
        probe = self._results.bitrate()
        rate = self._delay.rate
        rate.bitrate = max(rate.bitrate, self._min)
        delay_based = self._delay.update(
            feedback.received, self._carried(), probe, self._alr.since is not None, now
        )
        overusing = self._delay.overuse is OveruseState.OVERUSING
        if probe is not None and not overusing:
            self._loss.raise_to(probe)
        self._loss.update(feedback.received, feedback.lost, delay_based, acknowledged)
        self._combine(now)
        if overusing:
            self._probes.abort()
        elif probe is not None:
            self._probes.result(probe, self._results.error, self._max, now)
        self._process_probes(now)

    def _carried(self) -> float | None:
        """Return what passed the bottleneck: what arrived, and what the path lost without being full."""
        acknowledged = self._acknowledged.latest
        if acknowledged is None or self._loss.state is not LossState.UNLIMITED:
            return acknowledged
        return acknowledged / (
            1 - min(self._loss.inherent_loss, self._loss.loss, self._options.loss_compensated)
        )

    def _combine(self, now: float) -> None:
        if self._feedback_seen:
            available, limited_by = self._delay.draining_bitrate(self._unseen_queue()), LimitedBy.DELAY
            if self._loss.bitrate < available:
                available, limited_by = self._loss.bitrate, LimitedBy.LOSS
        else:
            available = self._reports.bitrate = min(max(self._reports.bitrate, self._min), self._max)
            limited_by = LimitedBy.START if available == self._options.start_bitrate else LimitedBy.LOSS
        timeout = self._options.remb_timeout
        if self._remb is not None and timeout and now > self._remb_at + timeout:
            self._remb = None
        if self._remb is not None and self._remb < available:
            available, limited_by = self._remb, LimitedBy.REMB
        self._available = available
        self._target = min(max(available, self._min), self._max)
        self._limited_by = limited_by if self._target == available else LimitedBy.BOUNDS
        self._alr.set_target(self._target)
        self._probes.estimate_changed(self._target, now)

    def _unseen_queue(self) -> float:
        """Return how long the queue is, in seconds, while no feedback tells of what was sent since the last back-off.

        What feedback tells is as old as the queue is long. What is under way is not, if some of it may be lost.
        """
        if not self._back_off_unanswered:
            return 0.0
        carried = self._delay.rate.bitrate / self._options.backoff
        usual = self._least_round_trip + self._options.feedback_interval_max
        return 8 * self._packets.bytes_behind_newest / carried - usual

    @property
    def _back_off_unanswered(self) -> bool:
        """Whether no feedback tells of what was sent since the last back-off."""
        return self._packets.newest_acknowledged < self._delay.rate.decreased_at

    def _process_probes(self, now: float) -> None:
        if not self._probing:
            return
        rate = self._delay.rate
        self._probes.process(
            ProbeConditions(
                bitrate=self._target,
                max_bitrate=self._max,
                capacity_known=rate.capacity.estimate is not None
                or self._loss.state is not LossState.UNLIMITED,
                application_limited_since=self._alr.since,
                settled_since=math.inf if self._delay.congested else rate.decreased_at,
            ),
            now,
        )

    def _next_deadline(self, now: float) -> float:
        if now > self._last_sent + self._options.idle_time:
            return math.inf
        options = self._options
        # Only what is under way after a back-off has to be followed from one moment to the next.
        deadline = now + (options.process_interval if self._back_off_unanswered else options.settled_interval)
        silence = self._silence_noticed_at()
        return silence if now < silence < deadline else deadline

    def _silence_noticed_at(self) -> float:
        """Return when the target falls next if the peer stays silent."""
        since = self._unanswered_since
        if not self._feedback_seen or since is None:
            return math.inf
        options = self._options
        return max(since + options.feedback_timeout, self._decayed_at + options.feedback_decay_interval)

    def _decay(self, now: float) -> None:
        options = self._options
        if now >= self._silence_noticed_at():
            self._decayed_at = now
            rate = self._delay.rate
            rate.set_bitrate(max(min(rate.bitrate, self._target) * options.feedback_decay, self._min), now)

    def _update_round_trip(self, measured: float) -> None:
        if not math.isfinite(measured):
            return
        measured = self._latest_round_trip = min(max(measured, 0.0), _MAX_ROUND_TRIP)
        longer = max(measured - self._least_round_trip, 0.0)
        self._least_round_trip = min(measured, self._least_round_trip + _LEAST_FORGOTTEN * longer)
        if self._round_trip is None:
            self._round_trip = measured
        else:
            self._round_trip += _ROUND_TRIP_SMOOTHING * (measured - self._round_trip)
        self._delay.rate.round_trip = self._round_trip
