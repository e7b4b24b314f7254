"""Statistics: W3C's identifiers (webrtc-stats) for transports, candidates, channels and media.

A report is a mapping from an id to a frozen object with W3C's members in snake_case. Beyond W3C, the object
``layers`` has the counters of our own layers: what was dropped where, and why.
"""

from .connection_stats import (
    RTCCertificateStats,
    RTCDataChannelStats,
    RTCIceCandidatePairStats,
    RTCIceCandidateStats,
    RTCPeerConnectionStats,
    RTCTransportStats,
)
from .layer_stats import LayerStats
from .media_stats import (
    RTCAudioSourceStats,
    RTCCodecStats,
    RTCInboundRtpStreamStats,
    RTCMediaSourceStats,
    RTCOutboundRtpStreamStats,
    RTCRemoteInboundRtpStreamStats,
    RTCRemoteOutboundRtpStreamStats,
    RTCVideoSourceStats,
)
from .moment import Moment
from .report import RTCStats, RTCStatsReport, references, select_stats

__all__ = [
    "LayerStats",
    "Moment",
    "RTCAudioSourceStats",
    "RTCCertificateStats",
    "RTCCodecStats",
    "RTCDataChannelStats",
    "RTCIceCandidatePairStats",
    "RTCIceCandidateStats",
    "RTCInboundRtpStreamStats",
    "RTCMediaSourceStats",
    "RTCOutboundRtpStreamStats",
    "RTCPeerConnectionStats",
    "RTCRemoteInboundRtpStreamStats",
    "RTCRemoteOutboundRtpStreamStats",
    "RTCStats",
    "RTCStatsReport",
    "RTCTransportStats",
    "RTCVideoSourceStats",
    "references",
    "select_stats",
]
