"""Congestion control of media: send-side bandwidth estimation, pacing, bitrate allocation, receiver feedback.

``BandwidthEstimator`` computes a target bitrate from feedback, ``Pacer`` paces packets, ``allocate`` divides the target
among streams, ``FeedbackGenerator`` reports arrival times at the receiver. All are pure and independent of RTP: packets
are unwrapped transport-wide sequence numbers and sizes.
"""

from typing import TYPE_CHECKING

from trio_rtc.protocols._lazy import lazy_names

from .options import BandwidthEstimationOptions

__all__ = [
    "PRIORITY_WEIGHTS",
    "BandwidthEstimator",
    "BandwidthEstimationOptions",
    "BandwidthEstimationStatistics",
    "Encoding",
    "FeedbackGenerator",
    "FeedbackResults",
    "FeedbackToSend",
    "LimitedBy",
    "LossState",
    "OveruseState",
    "PacketKind",
    "Pacer",
    "ProbeCluster",
    "ProbePurpose",
    "RateState",
    "ReceivedPacket",
    "SentPacket",
    "SentPackets",
    "allocate",
]

if TYPE_CHECKING:
    from .allocation import PRIORITY_WEIGHTS, Encoding, allocate
    from .estimator import BandwidthEstimator
    from .feedback import FeedbackGenerator, FeedbackToSend
    from .pacer import Pacer, PacketKind
    from .probe_cluster import ProbeCluster, ProbePurpose
    from .sent_packets import FeedbackResults, ReceivedPacket, SentPacket, SentPackets
    from .state import BandwidthEstimationStatistics, LimitedBy, LossState, OveruseState, RateState
else:
    # RTP's options contain those of the estimator; a connection without media does not import the rest.
    __getattr__ = lazy_names(
        __name__,
        {
            "allocation": (
                "PRIORITY_WEIGHTS",
                "Encoding",
                "allocate",
            ),
            "estimator": ("BandwidthEstimator",),
            "feedback": (
                "FeedbackGenerator",
                "FeedbackToSend",
            ),
            "pacer": (
                "Pacer",
                "PacketKind",
            ),
            "probe_cluster": (
                "ProbeCluster",
                "ProbePurpose",
            ),
            "sent_packets": (
                "FeedbackResults",
                "ReceivedPacket",
                "SentPacket",
                "SentPackets",
            ),
            "state": (
                "BandwidthEstimationStatistics",
                "LimitedBy",
                "LossState",
                "OveruseState",
                "RateState",
            ),
        },
    )
