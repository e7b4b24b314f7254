"""Options of send-side bandwidth estimation, of pacing and of feedback."""

import attrs


def _positive(instance: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    if not value > 0:
        raise ValueError(f"{attribute.name} must be positive, not {value}")


def _not_negative(instance: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    if not value >= 0:
        raise ValueError(f"{attribute.name} must not be negative, not {value}")


def _fraction(instance: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} must be between 0 and 1, not {value}")


def _positive_fraction(instance: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    if not 0 < value <= 1:
        raise ValueError(f"{attribute.name} must be above 0 and at most 1, not {value}")


def _above_one(instance: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    if not value > 1:
        raise ValueError(f"{attribute.name} must be above 1, not {value}")


def _half_of_sequence_numbers(instance: object, attribute: "attrs.Attribute[int]", value: int) -> None:
    if not 1 <= value <= 1 << 15:
        raise ValueError(f"{attribute.name} must be from 1 to 32768, not {value}")


def _at_least_one(instance: object, attribute: "attrs.Attribute[int]", value: int) -> None:
    if value < 1:
        raise ValueError(f"{attribute.name} must be at least 1, not {value}")


def _at_least_three(instance: object, attribute: "attrs.Attribute[int]", value: int) -> None:
    if value < 3:
        raise ValueError(f"{attribute.name} must be at least 3, not {value}")


@attrs.frozen
class BandwidthEstimationOptions:
    """What can be chosen. Times are in seconds, rates in bits a second, sizes in bytes.

    "GCC" is draft-ietf-rmcat-gcc-02, "goog_cc" what libwebrtc has made of it since, "TWCC" is
    draft-holmer-rmcat-transport-wide-cc-extensions-01.

    Attributes:
        min_bitrate: Least target.
        start_bitrate: First target (300 kbit/s in libwebrtc).
        max_bitrate: Largest target.
        history_time: How long a sent packet waits for feedback, then it is forgotten.
        history_packets: Most packets that wait; the oldest is forgotten. At most half of the 16-bit number space.
        loss_delay: How much later another packet must have been sent, and have arrived, for one that the peer
            misses to count as lost. Tolerates reordering.
        burst_time: Packets that are sent within it are one group (GCC section 5.2: 5 ms).
        max_burst_duration: Longest group that arrives as one burst (goog_cc: 100 ms).
        max_arrival_jump: Groups whose arrival differs this much from their sending mean that the clock of the
            peer jumped (goog_cc: 3 s).
        trendline_window: Number of groups that the trend is fitted to (goog_cc: 20).
        trendline_smoothing: Weight of the past in the smoothed delay (goog_cc: 0.9).
        trendline_gain: What the trend is multiplied by for the threshold (goog_cc: 4).
        trendline_max_deltas: The trend counts more with the number of deltas, up to this one (goog_cc: 60).
        threshold_initial: First threshold of the weighed trend (GCC section 5.4: 12.5, in ms there).
        threshold_min: Least threshold (GCC section 5.4: 6).
        threshold_max: Largest threshold (GCC section 5.4: 600).
        threshold_gain_up: How fast the threshold grows, per millisecond (goog_cc: 0.0087).
        threshold_gain_down: How fast it shrinks, per millisecond (goog_cc: 0.039).
        threshold_max_excess: A trend this far above the threshold does not move it (GCC section 5.4: 15).
        overuse_time: How long the trend must stay above the threshold (GCC section 5.4: 10 ms).
        queue_gate: Queueing delay below which a rising trend is taken as jitter; what exceeds the least delay of
            the last ``base_delay_window``. Ours: it tells random jitter from a growing queue.
        queue_gate_groups: Number of groups of which the least delay counts for it.
        queue_jump: Jitter that is believed at most: the queueing delay is no less than what the least delay of the
            last ``queue_jump_groups`` has on top of it. Ours: when a link falls to a fraction, the groups that are
            needed to tell jitter from a queue take a second to arrive.
        queue_jump_least: Jitter that is believed where none was seen: what a keyframe may queue.
        queue_jump_groups: Number of groups for it.
        base_delay_window: How long the least delay of the path is remembered; bounds what clock skew does.
        backoff: Part of the acknowledged rate that is left by a decrease (GCC section 5.5: 0.85).
        increase_factor: Multiplicative increase per second (GCC section 5.5: 1.08).
        max_acknowledged_ratio: The delay-based rate grows to this multiple of what arrives (GCC section 5.5: 1.5).
        drain_threshold: Queueing delay above which less than the estimate is sent, until the queue has drained.
            Ours, in place of goog_cc's congestion window.
        drain_time: The target is 0 at the threshold plus this, but for ``drain_least``.
        drain_least: Least part of the estimate that is sent while a queue drains.
        drain_floor: Least rate that is sent then, if the estimate is not below it: what keeps sound and a small picture
            going, for video that stops begins again with a keyframe.
        queue_limit: Queueing delay that is overuse while it grows, whatever the trend says.
        acknowledged_window: Length of a measurement of the acknowledged rate (goog_cc: 150 ms).
        acknowledged_first_window: The same for the first one (goog_cc: 500 ms).
        loss_observation_time: Least time that is one observation of loss (goog_cc: 250 ms).
        loss_observations: Number of observations that are kept (goog_cc: 20).
        loss_weight: What each observation counts in proportion to the next newer one (goog_cc: 0.9).
        loss_tolerated: Loss that is believed to be the path's own at any rate. goog_cc has 0.05; ours lets a
            radio link with 10 % of random loss run at its rate.
        loss_balance: Further loss that is tolerated is this rate over the sending rate (goog_cc: 75 kbit/s).
        loss_compensated: Most of the path's own loss that is added to the acknowledged rate to know what the
            bottleneck carried. Small enough for the back-off to stay below what arrives.
        report_low_loss: Fraction in receiver reports below which the rate grows (GCC section 6: 2 %).
        report_high_loss: Fraction above which it falls (GCC section 6: 10 %).
        report_decrease_interval: Least time between two decreases for reports (goog_cc: 300 ms).
        remb_timeout: How long a REMB message holds; 0 is until the next one.
        feedback_timeout: Silence of the peer, with packets under way, after which the target falls.
        feedback_decay: What it is multiplied by then, each ``feedback_decay_interval`` (goog_cc: 0.8).
        feedback_decay_interval: See there (goog_cc: 500 ms).
        process_interval: Pace of the estimator's timer while packets are sent and no feedback does its work.
        settled_interval: The same while there was no back-off whose effect is not known yet. What follows on silence
            comes in time all the same.
        idle_time: How long after the last packet that timer rests.
        probe_factors: The first probes, in multiples of the start bitrate (goog_cc: 3 and 6).
        probe_further_factor: Next probe, as a multiple of a result that came close to its probe (goog_cc: 2).
        probe_further_threshold: Part of its rate that a probe must reach for a further one (goog_cc: 0.7).
        probe_min_packets: Least packets of a cluster (goog_cc: 5).
        probe_min_duration: Least duration of a cluster (goog_cc: 15 ms; longer is more robust to jitter).
        probe_max_bytes: Most bytes of a cluster, whatever the path was believed to carry. Beyond 32 Mbit/s clusters
            are shorter for it.
        probe_result_timeout: How long the result of a probe is awaited (goog_cc: 1 s).
        probe_min_received: Part of a cluster that must have arrived (goog_cc: 0.8).
        probe_alr_interval: Time between probes while the application sends little (goog_cc: 5 s).
        probe_alr_factor: Rate of those as a multiple of the target (goog_cc: 2).
        probe_guard: How long after the last packet of a probe the queue is forgiven that the probe made. Ours: an
            overuse of our own making is no reason to send less.
        probe_retry_interval: The first time between those; doubles up to ``probe_recovery_interval``.
        probe_recovery_interval: Time between probes after a drop, and while the capacity is unknown. Ours: to
            grow by 8 % a second, or by a packet per response time, takes minutes.
        probe_recovery_factor: Rate of those as a multiple of the target.
        probe_recovery_memory: How long the rate before a drop is remembered as worth probing for.
        alr_usage: Part of the target that counts as the whole of it (goog_cc: 0.65).
        alr_window: Time over which unused budget is added up (goog_cc: 500 ms).
        alr_start: Part of that budget unused which begins the application-limited region (goog_cc: 0.8).
        alr_stop: Part unused which ends it (goog_cc: 0.5).
        pacing_factor: Pacer's rate as a multiple of the target (libwebrtc: 2.5).
        pacing_burst: How far packets may be ahead of the pacer's rate where the path limits the target: a whole frame
            at once would be a queue of its own before the bottleneck.
        pacing_burst_unlimited: The same where the path has room for more (libwebrtc: 40 ms, on every path). A usual
            frame then leaves at once, and is not spread over its pacing time at the peer.
        train_gap: Packets that are sent with no longer pauses are a train. At ``pacing_factor`` times 400 kbit/s a full
            packet takes as long.
        trains: Number of trains over which the median of their arrival rates is taken.
        train_memory: How long trains count while no others are sent.
        train_headroom: The path has room for bursts if trains arrive at this multiple of the target. Less than
            ``pacing_factor``, at which they are sent.
        pacer_max_packets: Most packets in the pacer; a further one is refused.
        pacer_max_bytes: Most bytes in the pacer; a further packet is refused.
        pacing_catch_up: How much of the time by which the pacer is called too late it makes up for at once.
        pacer_queue_time: Age of the oldest packet from which on the queue is drained faster; a retransmission that is
            older is dropped. Retransmissions may be ahead of the target by as much.
        retransmission_share: Part of the target that retransmissions may take.
        feedback_interval_min: Least time between two feedback messages (TWCC section 4: 50 ms).
        feedback_interval_max: Largest one (libwebrtc: 250 ms; 100 ms keeps the sender's delay estimate fresh).
        feedback_bandwidth: Part of the received bandwidth that feedback may take (RFC 3550 section 6.2: 5 %).
        feedback_packets: So many packets are worth a feedback of their own: with fewer it waits for more, up to the
            largest interval.
        feedback_max_packets: Most packets in one feedback; more packets become more messages.
        feedback_pending: Most packets that wait for feedback; the oldest is forgotten.
        feedback_history: How long an arrival is kept, to be told again when an earlier packet arrives late.
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
