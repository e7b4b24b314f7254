"""Options of send-side bandwidth estimation, of pacing and of feedback."""

from collections.abc import Callable
from typing import Any

from trio_rtc import _attrs as attrs


def _must(text: str, is_right: Callable[[float], bool]) -> Callable[[object, Any, float], None]:
    def check(_: object, attribute: Any, value: float) -> None:
        if not is_right(value):
            raise ValueError(f"{attribute.name} must {text}, not {value}")

    return check


_positive = _must("be positive", lambda value: value > 0)
_not_negative = _must("not be negative", lambda value: value >= 0)
_fraction = _must("be between 0 and 1", lambda value: 0 <= value <= 1)
_positive_fraction = _must("be above 0 and at most 1", lambda value: 0 < value <= 1)
_above_one = _must("be above 1", lambda value: value > 1)
_at_least_one = _must("be at least 1", lambda value: value >= 1)
_at_least_three = _must("be at least 3", lambda value: value >= 3)
_half_of_sequence_numbers = _must("be from 1 to 32768", lambda value: 1 <= value <= 1 << 15)


@attrs.frozen
class BandwidthEstimationOptions:
    """Options of bandwidth estimation. Times are in seconds, rates in bits a second, sizes in bytes.

    "GCC" is draft-ietf-rmcat-gcc-02, "goog_cc" libwebrtc's implementation, "TWCC" is
    draft-holmer-rmcat-transport-wide-cc-extensions-01.

    Attributes:
        min_bitrate: Lower bound of the target.
        start_bitrate: Initial target (libwebrtc: 300 kbit/s).
        max_bitrate: Upper bound of the target.
        history_time: How long a sent packet waits for feedback.
        history_packets: Packets that wait for feedback at most; the oldest is discarded. Up to half of the 16-bit
            range.
        loss_delay: A packet reported as missing is lost when one sent later by this time has arrived. Tolerates
            reordering.
        burst_time: Packets sent within this time are one group (GCC section 5.2: 5 ms).
        max_burst_duration: Longest group that arrives as one burst (goog_cc: 100 ms).
        max_arrival_jump: Difference of arrival and send deltas that means a jump of the peer's clock (goog_cc: 3 s).
        trendline_window: Number of groups that the trend is fitted to (goog_cc: 20).
        trendline_smoothing: Weight of the previous smoothed delay (goog_cc: 0.9).
        trendline_gain: Gain of the trend before it is compared with the threshold (goog_cc: 4).
        trendline_max_deltas: The weight of the trend grows with the number of deltas up to this one (goog_cc: 60).
        threshold_initial: Initial threshold of the weighted trend (GCC section 5.4: 12.5 ms).
        threshold_min: Lower bound of the threshold (GCC section 5.4: 6).
        threshold_max: Upper bound of the threshold (GCC section 5.4: 600).
        threshold_gain_up: Gain of an increasing threshold, per millisecond (goog_cc: 0.0087).
        threshold_gain_down: Gain of a decreasing threshold, per millisecond (goog_cc: 0.039).
        threshold_max_excess: A trend that exceeds the threshold by more does not change it (GCC section 5.4: 15).
        overuse_time: How long the trend must exceed the threshold (GCC section 5.4: 10 ms).
        queue_gate: Queueing delay, above the least delay of the last ``base_delay_window``, below which a rising trend
            counts as jitter. An addition to goog_cc, which distinguishes random jitter from a growing queue.
        queue_gate_groups: Number of groups whose least delay is used for it.
        queue_jump: Upper bound of jitter: the queueing delay is at least the least delay of the last
            ``queue_jump_groups`` less this. An addition to goog_cc: when the bandwidth drops to a fraction, the groups
            needed to distinguish jitter from a queue take a second to arrive.
        queue_jump_least: Lower bound of jitter: the queue that a keyframe may cause.
        queue_jump_groups: Number of groups whose least delay is used for it.
        base_delay_window: How long the least delay of the path is kept; limits the effect of clock skew.
        backoff: Factor of the acknowledged bitrate for a decrease (GCC section 5.5: 0.85).
        increase_factor: Multiplicative increase per second (GCC section 5.5: 1.08).
        max_acknowledged_ratio: Limit of the delay-based rate over the acknowledged bitrate (GCC section 5.5: 1.5).
        drain_threshold: Queueing delay above which less than the estimate is sent, until the queue has drained.
            Replaces goog_cc's congestion window.
        drain_time: The target would be 0 at the threshold plus this time, without ``drain_least``.
        drain_least: Part of the estimate that is sent while a queue drains, at least.
        drain_floor: Bitrate that is sent while a queue drains, at least, unless the estimate is lower. It suffices for
            audio and small video, because video that stops resumes with a keyframe.
        queue_limit: Queueing delay that is overuse while it grows, regardless of the trend.
        acknowledged_window: Length of a measurement of the acknowledged bitrate (goog_cc: 150 ms).
        acknowledged_first_window: Length of the first measurement (goog_cc: 500 ms).
        loss_observation_time: Least duration of an observation of loss (goog_cc: 250 ms).
        loss_observations: Number of observations kept (goog_cc: 20).
        loss_weight: Weight of each observation relative to the next newer one (goog_cc: 0.9).
        loss_tolerated: Upper bound of inherent loss at high rates. goog_cc has 0.05; 0.12 allows a radio link with 10 %
            of random loss to be used at its full rate.
        loss_balance: The bound of inherent loss is higher by this rate over the sending rate (goog_cc: 75 kbit/s).
        loss_compensated: Inherent loss, at most, that is added to the acknowledged bitrate for the rate at the
            bottleneck. Small enough that a back-off stays below the acknowledged bitrate.
        report_low_loss: Fraction lost in receiver reports up to which the rate grows (GCC section 6: 2 %).
        report_high_loss: Fraction lost above which the rate falls (GCC section 6: 10 %).
        report_decrease_interval: Least time between two decreases by receiver reports (goog_cc: 300 ms).
        remb_timeout: How long a REMB message is valid; 0 is until the next one.
        feedback_timeout: Time without feedback, with packets in flight, after which the target falls.
        feedback_decay: Factor of each of these decreases (goog_cc: 0.8).
        feedback_decay_interval: Time between these decreases (goog_cc: 500 ms).
        process_interval: Interval of the estimator's timer after a back-off whose effect is not known yet.
        settled_interval: Interval of that timer otherwise. Decreases without feedback are not delayed by it.
        idle_time: Time after the last packet until that timer stops.
        probe_factors: Initial probes, as multiples of the start bitrate (goog_cc: 3 and 6).
        probe_further_factor: Next probe, as a multiple of a result close to its probe (goog_cc: 2).
        probe_further_threshold: Part of its rate that a probe must reach for a further one (goog_cc: 0.7).
        probe_min_packets: Packets of a cluster, at least (goog_cc: 5).
        probe_min_duration: Duration of a cluster, at least (goog_cc: 15 ms; longer is more robust to jitter).
        probe_max_bytes: Bytes of a cluster, at most. Above 32 Mbit/s this makes clusters shorter.
        probe_result_timeout: How long to wait for the result of a probe (goog_cc: 1 s).
        probe_min_received: Part of a cluster that must have arrived (goog_cc: 0.8).
        probe_alr_interval: Time between probes in an application-limited region (goog_cc: 5 s).
        probe_alr_factor: Rate of these probes as a multiple of the target (goog_cc: 2).
        probe_guard: Time after the last packet of a probe in which delays are ignored by the overuse detector, since
            the probe has caused them. An addition to goog_cc.
        probe_retry_interval: Initial time between recovery probes; doubles up to ``probe_recovery_interval``.
        probe_recovery_interval: Time between probes after a drop, and while the capacity is unknown. An addition to
            goog_cc: growth by 8 % a second, or by a packet per response time, takes minutes.
        probe_recovery_factor: Rate of these probes as a multiple of the target.
        probe_recovery_memory: How long the rate before a drop is kept as a reason for probes.
        alr_usage: Part of the target that counts as full use of it (goog_cc: 0.65).
        alr_window: Time over which unused budget accumulates (goog_cc: 500 ms).
        alr_start: Unused part of the budget that starts an application-limited region (goog_cc: 0.8).
        alr_stop: Unused part of the budget that ends it (goog_cc: 0.5).
        pacing_factor: Pacing rate as a multiple of the target (libwebrtc: 2.5).
        pacing_burst: How far packets may be ahead of the pacing rate if the path limits the target: a whole frame at
            once would be a queue of its own before the bottleneck.
        pacing_burst_unlimited: The same if the path has room for more (libwebrtc: 40 ms, on every path). A usual frame
            then leaves at once, and is not spread over its pacing time at the peer.
        train_gap: Packets sent with pauses up to this time are a packet train. At ``pacing_factor`` times 400 kbit/s a
            full packet takes as long.
        trains: Number of trains for the median of the arrival rates.
        train_memory: How long trains are kept while no others are sent.
        train_headroom: The path has room for bursts if trains arrive at this multiple of the target. Less than
            ``pacing_factor``, at which they are sent.
        pacer_max_packets: Packets in the pacer at most; a further one is refused.
        pacer_max_bytes: Bytes in the pacer at most; a further packet is refused.
        pacing_catch_up: Delay of the pacer's timer that is compensated at once, at most.
        pacer_queue_time: Age of the oldest packet from which on the queue is drained faster; an older retransmission is
            dropped. Retransmissions may be ahead of their share of the target by as much.
        retransmission_share: Part of the target that retransmissions may use.
        feedback_interval_min: Least time between two feedback messages (TWCC section 4: 50 ms).
        feedback_interval_max: Largest time (libwebrtc: 250 ms; 100 ms keeps the sender's delay estimate current).
        feedback_bandwidth: Part of the received bandwidth that feedback may use (RFC 3550 section 6.2: 5 %).
        feedback_packets: Number of packets for which feedback is sent before the largest interval.
        feedback_max_packets: Packets in one feedback message at most; more are split among several.
        feedback_pending: Packets that wait for feedback at most; the oldest is discarded.
        feedback_history: How long an arrival is kept, to be reported again when an earlier packet arrives late.
    """

    min_bitrate: float = attrs.field(default=30_000.0, validator=_positive)
    start_bitrate: float = attrs.field(default=300_000.0, validator=_positive)
    max_bitrate: float = attrs.field(default=100_000_000.0, validator=_positive)
    history_time: float = attrs.field(default=10.0, validator=_positive)
    history_packets: int = attrs.field(default=16_384, validator=_half_of_sequence_numbers)
    loss_delay: float = attrs.field(default=0.1, validator=_not_negative)
    burst_time: float = attrs.field(default=0.005, validator=_positive)
    max_burst_duration: float = attrs.field(default=0.1, validator=_positive)
    max_arrival_jump: float = attrs.field(default=3.0, validator=_positive)
    trendline_window: int = attrs.field(default=20, validator=_at_least_three)
    trendline_smoothing: float = attrs.field(default=0.9, validator=_fraction)
    trendline_gain: float = attrs.field(default=4.0, validator=_positive)
    trendline_max_deltas: int = attrs.field(default=60, validator=_at_least_one)
    threshold_initial: float = attrs.field(default=12.5, validator=_positive)
    threshold_min: float = attrs.field(default=6.0, validator=_positive)
    threshold_max: float = attrs.field(default=600.0, validator=_positive)
    threshold_gain_up: float = attrs.field(default=0.0087, validator=_not_negative)
    threshold_gain_down: float = attrs.field(default=0.039, validator=_not_negative)
    threshold_max_excess: float = attrs.field(default=15.0, validator=_positive)
    overuse_time: float = attrs.field(default=0.01, validator=_not_negative)
    queue_gate: float = attrs.field(default=0.015, validator=_not_negative)
    queue_gate_groups: int = attrs.field(default=12, validator=_at_least_one)
    queue_jump: float = attrs.field(default=0.12, validator=_positive)
    queue_jump_least: float = attrs.field(default=0.05, validator=_positive)
    queue_jump_groups: int = attrs.field(default=2, validator=_at_least_one)
    base_delay_window: float = attrs.field(default=20.0, validator=_positive)
    backoff: float = attrs.field(default=0.85, validator=_positive_fraction)
    increase_factor: float = attrs.field(default=1.08, validator=_above_one)
    max_acknowledged_ratio: float = attrs.field(default=1.5, validator=_above_one)
    drain_threshold: float = attrs.field(default=0.1, validator=_positive)
    drain_time: float = attrs.field(default=0.5, validator=_positive)
    drain_floor: float = attrs.field(default=80_000.0, validator=_not_negative)
    queue_limit: float = attrs.field(default=0.1, validator=_positive)
    drain_least: float = attrs.field(default=0.2, validator=_positive_fraction)
    acknowledged_window: float = attrs.field(default=0.15, validator=_positive)
    acknowledged_first_window: float = attrs.field(default=0.5, validator=_positive)
    loss_observation_time: float = attrs.field(default=0.25, validator=_positive)
    loss_observations: int = attrs.field(default=20, validator=_at_least_three)
    loss_weight: float = attrs.field(default=0.9, validator=_positive_fraction)
    loss_tolerated: float = attrs.field(default=0.12, validator=_fraction)
    loss_balance: float = attrs.field(default=75_000.0, validator=_positive)
    loss_compensated: float = attrs.field(default=0.1, validator=_fraction)
    report_low_loss: float = attrs.field(default=0.02, validator=_fraction)
    report_high_loss: float = attrs.field(default=0.1, validator=_fraction)
    report_decrease_interval: float = attrs.field(default=0.3, validator=_positive)
    remb_timeout: float = attrs.field(default=0.0, validator=_not_negative)
    feedback_timeout: float = attrs.field(default=1.0, validator=_positive)
    feedback_decay: float = attrs.field(default=0.8, validator=_positive_fraction)
    feedback_decay_interval: float = attrs.field(default=0.5, validator=_positive)
    process_interval: float = attrs.field(default=0.1, validator=_positive)
    settled_interval: float = attrs.field(default=0.25, validator=_positive)
    idle_time: float = attrs.field(default=10.0, validator=_positive)
    probe_factors: tuple[float, ...] = (3.0, 6.0)
    probe_further_factor: float = attrs.field(default=2.0, validator=_above_one)
    probe_further_threshold: float = attrs.field(default=0.7, validator=_fraction)
    probe_min_packets: int = attrs.field(default=5, validator=_at_least_three)
    probe_min_duration: float = attrs.field(default=0.025, validator=_positive)
    probe_max_bytes: int = attrs.field(default=100_000, validator=_at_least_one)
    probe_result_timeout: float = attrs.field(default=1.0, validator=_positive)
    probe_min_received: float = attrs.field(default=0.8, validator=_fraction)
    probe_alr_interval: float = attrs.field(default=5.0, validator=_positive)
    probe_alr_factor: float = attrs.field(default=2.0, validator=_above_one)
    probe_guard: float = attrs.field(default=0.15, validator=_not_negative)
    probe_retry_interval: float = attrs.field(default=1.0, validator=_positive)
    probe_recovery_interval: float = attrs.field(default=3.0, validator=_positive)
    probe_recovery_factor: float = attrs.field(default=2.0, validator=_above_one)
    probe_recovery_memory: float = attrs.field(default=120.0, validator=_positive)
    alr_usage: float = attrs.field(default=0.65, validator=_positive_fraction)
    alr_window: float = attrs.field(default=0.5, validator=_positive)
    alr_start: float = attrs.field(default=0.8, validator=_fraction)
    alr_stop: float = attrs.field(default=0.5, validator=_fraction)
    pacing_factor: float = attrs.field(default=2.5, validator=_positive)
    pacing_burst: float = attrs.field(default=0.005, validator=_positive)
    pacing_burst_unlimited: float = attrs.field(default=0.04, validator=_positive)
    train_gap: float = attrs.field(default=0.01, validator=_positive)
    trains: int = attrs.field(default=16, validator=_at_least_three)
    train_memory: float = attrs.field(default=2.0, validator=_positive)
    train_headroom: float = attrs.field(default=1.75, validator=_above_one)
    pacing_catch_up: float = attrs.field(default=0.1, validator=_not_negative)
    pacer_max_packets: int = attrs.field(default=4_096, validator=_at_least_one)
    pacer_max_bytes: int = attrs.field(default=4 << 20, validator=_at_least_one)
    pacer_queue_time: float = attrs.field(default=0.25, validator=_positive)
    retransmission_share: float = attrs.field(default=0.5, validator=_positive_fraction)
    feedback_interval_min: float = attrs.field(default=0.05, validator=_positive)
    feedback_interval_max: float = attrs.field(default=0.1, validator=_positive)
    feedback_bandwidth: float = attrs.field(default=0.05, validator=_positive)
    feedback_packets: int = attrs.field(default=3, validator=_at_least_one)
    feedback_max_packets: int = attrs.field(default=1_024, validator=_at_least_one)
    feedback_pending: int = attrs.field(default=8_192, validator=_half_of_sequence_numbers)
    feedback_history: float = attrs.field(default=0.5, validator=_not_negative)

    def __attrs_post_init__(self) -> None:
        if not self.min_bitrate <= self.start_bitrate <= self.max_bitrate:
            raise ValueError("bitrates must be in order: min_bitrate <= start_bitrate <= max_bitrate")
        if not self.threshold_min <= self.threshold_initial <= self.threshold_max:
            raise ValueError("thresholds must be in order: minimum, initial, maximum")
        if self.feedback_interval_min > self.feedback_interval_max:
            raise ValueError("feedback_interval_min must not exceed feedback_interval_max")
