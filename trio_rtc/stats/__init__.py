"""Statistics of transports, candidates, data channels and media (W3C webrtc-stats).

A report maps ids to frozen objects with W3C's members in snake_case. The object ``layers``, which is not W3C's, has the
counters of the layers, such as the numbers of dropped packets by reason.
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
