"""The statistics report, and the selection of those of a sender or receiver."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class

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
"""Any object of a report."""


@strict_class
class RTCStatsReport(dict[str, RTCStats]):
    """W3C's RTCStatsReport: id → statistics (W3C webrtc section 8.3)."""

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Return the report as in a browser: id → W3C's members, without those that are ``None``.

        A hidden address of a candidate is ``None``, as W3C requires.

        ``json.dumps`` accepts the result, and tools that read the statistics of browsers read it.
        """
        return {name: _to_json(stats) for name, stats in self.items()}


_NULLABLE = {"address"}
"""Members that are null in W3C where others are absent: the hidden address of a candidate."""


def _to_json(stats: RTCStats) -> dict[str, Any]:
    values = ((field.name, getattr(stats, field.name)) for field in attrs.fields(type(stats)))
    return {
        _idl_name(name): _json_value(value)
        for name, value in values
        if value is not None or name in _NULLABLE
    }


def _idl_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _json_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _json_value(each) for name, each in value.items()}
    return str(value) if isinstance(value, str) else value


def references(stats: RTCStats) -> Iterator[str]:
    """Yield the ids of the objects to which an object refers: the values of its members that end in ``_id``."""
    for field in attrs.fields(type(stats)):
        if field.name.endswith("_id") and (referred := getattr(stats, field.name)) is not None:
            yield referred


def select_stats(report: RTCStatsReport, mid: str | None, *, sending: bool) -> RTCStatsReport:
    """Return the statistics of a sender or receiver (W3C webrtc section 8.4, "stats selection algorithm").

    These are its RTP streams, and all objects to which they refer directly or indirectly.

    Args:
        report: The report of the connection.
        mid: The MID of the sender or receiver; ``None`` before it has one.
        sending: Whether to select those of a sender.
    """
    kind = RTCOutboundRtpStreamStats if sending else RTCInboundRtpStreamStats
    waiting = [stats.id for stats in report.values() if isinstance(stats, kind) and stats.mid == mid]
    selected: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in selected:
            selected.add(name)
            waiting.extend(references(report[name]))
    return RTCStatsReport((name, stats) for name, stats in report.items() if name in selected)
