"""The report, and which part of it concerns a sender or a receiver."""

from collections.abc import Iterator
from typing import TypeAlias

import attrs

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
    RTCOutboundRtpStreamStats,
    RTCRemoteInboundRtpStreamStats,
    RTCRemoteOutboundRtpStreamStats,
    RTCVideoSourceStats,
)

RTCStats: TypeAlias = (
    RTCPeerConnectionStats
    | RTCTransportStats
    | RTCIceCandidateStats
    | RTCIceCandidatePairStats
    | RTCCertificateStats
    | RTCDataChannelStats
    | RTCCodecStats
    | RTCAudioSourceStats
    | RTCVideoSourceStats
    | RTCOutboundRtpStreamStats
    | RTCRemoteInboundRtpStreamStats
    | RTCInboundRtpStreamStats
    | RTCRemoteOutboundRtpStreamStats
    | LayerStats
)
"""Any of the objects of a report."""

RTCStatsReport: TypeAlias = dict[str, RTCStats]
"""W3C's RTCStatsReport: statistics by their id."""


def references(stats: RTCStats) -> Iterator[str]:
    """Yield the ids of the objects that one object refers to: what its members whose names end in ``_id`` hold."""
    for field in attrs.fields(type(stats)):
        if field.name.endswith("_id") and (referred := getattr(stats, field.name)) is not None:
            yield referred


def select_stats(report: RTCStatsReport, mid: str | None, *, sending: bool) -> RTCStatsReport:
    """Return what concerns a sender or receiver (W3C webrtc section 8.4, the stats selection algorithm).

    That is its streams, and everything that these refer to directly or indirectly.

    Args:
        report: Of the whole connection.
        mid: The section of the sender or receiver; ``None`` before it has one.
        sending: Whether it is a sender.
    """
    kind = RTCOutboundRtpStreamStats if sending else RTCInboundRtpStreamStats
    waiting = [stats.id for stats in report.values() if isinstance(stats, kind) and stats.mid == mid]
    selected: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in selected:
            selected.add(name)
            waiting.extend(references(report[name]))
    return {name: stats for name, stats in report.items() if name in selected}
