"""Congestion control of media: bandwidth estimation at the sender, pacing, feedback from the receiver.

``BandwidthEstimator`` turns feedback into a target, ``Pacer`` spreads packets in time, ``allocate`` divides the target
among streams, ``FeedbackGenerator`` says at the receiving side what arrived when. All are pure and know nothing of
RTP: packets are transport-wide sequence numbers (unwrapped) and sizes.
"""

from .allocation import PRIORITY_WEIGHTS, Encoding, allocate
from .estimator import BandwidthEstimator
from .feedback import FeedbackGenerator, FeedbackToSend
from .options import BandwidthEstimationOptions
from .pacer import Pacer, PacketKind
from .probe_cluster import ProbeCluster, ProbePurpose
from .sent_packets import FeedbackResults, ReceivedPacket, SentPacket, SentPackets
from .state import BandwidthEstimationStatistics, LimitedBy, LossState, OveruseState, RateState

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
