"""The small states of bandwidth estimation, and what of it is shown in statistics."""

import enum

import attrs


class OveruseState(enum.Enum):
    """What the delay gradient says of the path (GCC section 5.4)."""

    NORMAL = "normal"
    OVERUSING = "overusing"
    UNDERUSING = "underusing"


class RateState(enum.Enum):
    """What the delay-based rate control does (GCC section 5.5)."""

    HOLD = "hold"
    INCREASE = "increase"
    DECREASE = "decrease"


class LossState(enum.Enum):
    """Whether loss limits the target."""

    UNLIMITED = "unlimited"
    INCREASING = "increasing"
    DECREASING = "decreasing"


class LimitedBy(enum.Enum):
    """What the target follows at the moment."""

    START = "start"
    DELAY = "delay"
    LOSS = "loss"
    REMB = "remb"
    BOUNDS = "bounds"


@attrs.frozen
class BandwidthEstimationStatistics:
    """A look at a bandwidth estimator.

    Attributes:
        target_bitrate: What to send, in bits a second.
        available_outgoing_bitrate: W3C ``availableOutgoingBitrate``: the same without the upper bound of the
            application, ``None`` before any feedback.
        acknowledged_bitrate: What arrives at the peer, in bits a second; ``None`` before it was measured.
        delay_based_bitrate: What delays allow.
        loss_based_bitrate: What losses allow; ``None`` when they do not limit.
        remb_bitrate: What the peer allows; ``None`` without REMB.
        overuse: What the delay gradient says.
        limited_by: What the target follows.
        application_limited: Whether the application sends much less than it may.
        queue_delay: What queues add to the delay of the path, in seconds: a lower bound.
        round_trip_time: Smoothed, in seconds; ``None`` before it was measured.
        loss_fraction: Recent loss, from 0 to 1.
        bytes_in_flight: Sent, and neither acknowledged nor lost nor forgotten.
        packets_forgotten: Packets that left the bounded history without feedback.
        probes_sent: Number of probe clusters asked for.
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
