"""Send-side bandwidth estimation: computes a target bitrate from the peer's feedback.

It follows draft-ietf-rmcat-gcc-02 and libwebrtc's goog_cc. Transport-wide feedback (or RFC 8888) of every packet is
processed by three parts: the delay-based estimate falls when queues grow, the loss-based estimate falls when loss
exceeds the inherent loss of the path, and probes find additional bandwidth. The target is the minimum of the first two,
the peer's REMB and the application's bounds. For a peer that sends only receiver reports and perhaps REMB, the two loss
thresholds of GCC section 6 apply. Once transport-wide feedback has arrived, receiver reports no longer affect the
target.

Without feedback while packets are in flight, the target falls step by step; when feedback returns, the previous target
is probed for.

The estimator neither sends nor paces: ``take_probes`` is for the pacer, ``target_bitrate`` for pacer and encoders.
Feedback on a queue is delayed by that queue: between a back-off and the first feedback on packets sent after it, the
bytes in flight show the length of the queue.

Left out: goog_cc's experimental congestion window pushback, and ECN.
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
# Part of the difference by which the least round-trip time grows with each longer one.
_LEAST_FORGOTTEN = 0.002
_INITIAL_ROUND_TRIP = 0.2
# A target above this part of the application's maximum is limited by it.
_AT_BOUND = 0.85


class BandwidthEstimator:
    """Combines the delay-based and the loss-based estimate, probes, REMB and bounds into one target.

    ``handle_feedback`` never raises for the peer's input. Arguments of the caller are validated.
    """

    def __init__(self, options: BandwidthEstimationOptions | None = None, probing: bool = True) -> None:
        """Start with ``start_bitrate``. Disable ``probing`` without transport-wide feedback, which measures probes."""
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
        self._feedback_missing_since: float | None = None
        self._decayed_at = -math.inf
        self._last_sent = -math.inf
        self._deadline = math.inf
        self._available = options.start_bitrate
        self._limited_by = LimitedBy.START
        self._target = options.start_bitrate

    # Input.

    def record_packet_sent(
        self,
        sequence_number: int,
        size: int,
        now: float,
        probe_cluster: int | None = None,
        padding: bool = False,
    ) -> None:
        """Record a packet sent now.

        Args:
            sequence_number: Transport-wide sequence number, unwrapped.
            size: Bytes on the wire.
            now: Monotonic time in seconds.
            probe_cluster: The probe cluster that it belongs to, if any.
            padding: Whether it has only padding.
        """
        self.record_packets_sent(((sequence_number, size, padding),), now, probe_cluster)

    def record_packets_sent(
        self, packets: Iterable[tuple[int, int, bool]], now: float, probe_cluster: int | None = None
    ) -> None:
        """Record packets sent together now: sequence number, size and whether it is padding, of each."""
        if self._last_sent == -math.inf and self._probing:
            self._probes.start(self._target, self._max, now)
        media_bytes = 0
        sent = self._packets.sent
        for sequence_number, size, padding in packets:
            sent(sequence_number, size, now, probe_cluster)
            if not padding:
                media_bytes += size
        if probe_cluster is not None:
            self._delay.probe_sent(now)
        if media_bytes:
            self._alr.sent(media_bytes, now)
        self._last_sent = now
        if self._feedback_missing_since is None:
            self._feedback_missing_since = now
        if self._deadline == math.inf:
            self._deadline = now + self._options.process_interval

    def handle_feedback(
        self, results: Sequence[tuple[int, float | None]], round_trip: float | None, now: float
    ) -> None:
        """Update the estimate from one decoded transport-wide feedback.

        Args:
            results: Unwrapped sequence numbers with their arrival time in seconds of the peer's clock, ``None`` for
                packets that have not arrived. Unknown and repeated ones are ignored.
            round_trip: In seconds, if the caller has measured it; ``None`` uses the time from the sending of the newest
                packet to its feedback, which includes the delay of the feedback at the peer.
            now: Monotonic time in seconds.
        """
        feedback = self._packets.feedback(results, now)
        if not feedback.received and not feedback.lost:
            return
        if feedback.received:
            self._feedback_missing_since = None
            self.update_round_trip(now - feedback.newest if round_trip is None else round_trip)
        self._feedback_seen = True
        self._alr.sent(0, now)
        self._estimate(feedback, now)
        # This has done the work of the timer, which need not expire while feedback arrives.
        self._deadline = self._next_deadline(now)

    def handle_receiver_report(self, fraction: float, now: float) -> None:
        """Update the estimate from the fraction lost, 0 to 1, of a receiver report, unless there is better feedback."""
        fraction = min(max(fraction, 0.0), 1.0) if math.isfinite(fraction) else 0.0
        self._reports.reported(fraction, self._round_trip or _INITIAL_ROUND_TRIP, now)
        self._combine(now)

    def handle_remb(self, bitrate: float, now: float) -> None:
        """Apply the bitrate of a REMB message, in bits a second (draft-alvestrand-rmcat-remb-03)."""
        if not math.isfinite(bitrate) or bitrate < 0:
            return
        self._remb = bitrate
        self._remb_at = now
        if not self._feedback_seen and not self._reports.any_loss:
            # Receiver reports raise the target much more slowly, and REMB is based on arrivals.
            self._reports.bitrate = max(self._reports.bitrate, min(bitrate, self._max))
        self._combine(now)

    def set_bounds(self, minimum: float, start: float | None, maximum: float, now: float = -math.inf) -> None:
        """Set the application's bounds in bits a second.

        Args:
            minimum: Lower bound of the target.
            start: New estimate; ``None`` keeps the current one.
            maximum: Upper bound of the target.
            now: Monotonic time in seconds.

        Raises:
            ValueError: They are not positive, finite and in order.
        """
        middle = minimum if start is None else start
        if not 0 < minimum <= middle <= maximum < math.inf:
            raise ValueError(
                "bitrates must be positive, finite and in order, minimum <= start <= maximum, "
                f"not {minimum}, {start}, {maximum}"
            )
        limited = self._target >= _AT_BOUND * self._max
        raised = maximum > self._max
        self._min, self._max = minimum, maximum
        if start is not None:
            self._delay.rate.set_bitrate(start, now)
            self._reports.bitrate = start
        self._combine(now)
        if raised and limited and self._feedback_seen and self._probing:
            self._probes.bound_raised(self._target, self._max, max(now, self._last_sent))

    # Output.

    @property
    def target_bitrate(self) -> float:
        """Bitrate to send, in bits a second, including all packets that are recorded as sent."""
        return self._target

    @property
    def path_limited(self) -> bool:
        """Whether a burst at the pacer's rate would queue on the path.

        It would not if the application's maximum limits the target, or if packet trains arrive much faster: then jitter
        and loss limit the target, and not the capacity.
        """
        return self._available <= self._max and not self._trains.have_room

    @property
    def round_trip_time(self) -> float | None:
        """Smoothed round-trip time in seconds; ``None`` before the first measurement."""
        return self._round_trip

    @property
    def current_round_trip(self) -> float:
        """The longer of the smoothed and the latest round-trip time, in seconds; 0 before the first measurement."""
        return max(self._round_trip or 0.0, self._latest_round_trip)

    def take_probes(self) -> list[ProbeCluster]:
        """Return and remove the probes to send."""
        clusters = self._probes.take_clusters()
        for cluster in clusters:
            self._results.expect(cluster)
        return clusters

    def next_timer(self) -> float:
        """Return when ``handle_timer`` is due; ``inf`` while nothing is sent."""
        return self._deadline

    def handle_timer(self, now: float) -> None:
        """Handle missing feedback and start probes, if the timer has expired."""
        if now < self._deadline:
            return
        self._packets.forget(now)
        self._alr.sent(0, now)
        self._decay(now)
        self._combine(now)
        self._process_probes(now)
        self._deadline = self._next_deadline(now)

    @property
    def path_loss(self) -> float | None:
        """The lost part of the packets, 0 to 1, by feedback about each packet; ``None`` without such feedback."""
        return self._loss.loss if self._feedback_seen else None

    def statistics(self) -> BandwidthEstimationStatistics:
        """Return the current statistics."""
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
            probes_sent=self._probes.created,
            probes_succeeded=self._results.succeeded,
        )

    # Estimation.

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
            feedback.received, self._delivered_bitrate(), probe, self._alr.since is not None, now
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

    def _delivered_bitrate(self) -> float | None:
        """Return the rate that passed the bottleneck: the acknowledged bitrate plus the inherent loss of the path."""
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
        self._alr.target = self._target
        self._probes.estimate_changed(self._target, now)

    def _unseen_queue(self) -> float:
        """Return the queueing delay, in seconds, until feedback on packets sent after the last back-off arrives.

        Feedback is delayed by the queue; the bytes in flight are current, although some of them may be lost.
        """
        if not self._back_off_pending:
            return 0.0
        carried = self._delay.rate.bitrate / self._options.backoff
        usual = self._least_round_trip + self._options.feedback_interval_max
        return 8 * self._packets.bytes_behind_newest / carried - usual

    @property
    def _back_off_pending(self) -> bool:
        """Whether there is no feedback on packets sent after the last back-off."""
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
        # Only the bytes in flight after a back-off must be examined frequently.
        deadline = now + (options.process_interval if self._back_off_pending else options.settled_interval)
        silence = self._next_decay()
        return silence if now < silence < deadline else deadline

    def _next_decay(self) -> float:
        """Return when the target falls next without feedback."""
        since = self._feedback_missing_since
        if not self._feedback_seen or since is None:
            return math.inf
        options = self._options
        return max(since + options.feedback_timeout, self._decayed_at + options.feedback_decay_interval)

    def _decay(self, now: float) -> None:
        options = self._options
        if now >= self._next_decay():
            self._decayed_at = now
            rate = self._delay.rate
            rate.set_bitrate(max(min(rate.bitrate, self._target) * options.feedback_decay, self._min), now)

    def update_round_trip(self, round_trip: float) -> None:
        """Update the round-trip time, in seconds, from feedback or from sender and receiver reports."""
        if not math.isfinite(round_trip):
            return
        measured = self._latest_round_trip = min(max(round_trip, 0.0), _MAX_ROUND_TRIP)
        longer = max(measured - self._least_round_trip, 0.0)
        self._least_round_trip = min(measured, self._least_round_trip + _LEAST_FORGOTTEN * longer)
        if self._round_trip is None:
            self._round_trip = measured
        else:
            self._round_trip += _ROUND_TRIP_SMOOTHING * (measured - self._round_trip)
        self._delay.rate.round_trip = self._round_trip
