"""States and statistics of bandwidth estimation."""

import enum

from trio_rtc import _attrs as attrs


class OveruseState(enum.Enum):
    """Signal of the overuse detector (GCC section 5.4)."""

    NORMAL = "normal"
    OVERUSING = "overusing"
    UNDERUSING = "underusing"


class RateState(enum.Enum):
    """State of the AIMD rate control (GCC section 5.5)."""

    HOLD = "hold"
    INCREASE = "increase"
    DECREASE = "decrease"


class LossState(enum.Enum):
    """State of the loss-based estimate."""

    UNLIMITED = "unlimited"
    INCREASING = "increasing"
    DECREASING = "decreasing"


class LimitedBy(enum.Enum):
    """The component that determines the target."""

    START = "start"
    DELAY = "delay"
    LOSS = "loss"
    REMB = "remb"
    BOUNDS = "bounds"


@attrs.frozen
class BandwidthEstimationStatistics:
    """Statistics of a bandwidth estimator.

    Attributes:
        target_bitrate: The target, in bits a second.
        available_outgoing_bitrate: W3C ``availableOutgoingBitrate``: the target without the application's bounds;
            ``None`` before any feedback.
        acknowledged_bitrate: Rate of arrival at the peer, in bits a second; ``None`` before the first measurement.
        delay_based_bitrate: The delay-based estimate.
        loss_based_bitrate: The loss-based estimate; ``None`` if loss does not limit the target.
        remb_bitrate: The peer's REMB; ``None`` without one.
        overuse: Signal of the overuse detector.
        limited_by: The component that determines the target.
        application_limited: Whether the application sends much less than the target.
        queue_delay: Queueing delay of the path, in seconds: a lower bound.
        round_trip_time: Smoothed, in seconds; ``None`` before the first measurement.
        loss_fraction: Recent loss, from 0 to 1.
        bytes_in_flight: Bytes sent, and neither acknowledged nor lost nor discarded.
        packets_forgotten: Packets discarded from the history without feedback.
        probes_sent: Number of probe clusters created.
        probes_succeeded: Number of those with a result.
    """

    target_bitrate: float
    available_outgoing_bitrate: float | None
    acknowledged_bitrate: float | None
    delay_based_bitrate: float
    loss_based_bitrate: float | None
    remb_bitrate: float | None
    overuse: OveruseState
    limited_by: LimitedBy
    application_limited: bool
    queue_delay: float
    round_trip_time: float | None
    loss_fraction: float
    bytes_in_flight: int
    packets_forgotten: int
    probes_sent: int
    probes_succeeded: int
