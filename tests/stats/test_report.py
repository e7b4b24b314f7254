"""Selection of the statistics of a sender or receiver (W3C webrtc section 8.4)."""

from typing import Any, get_args

import attrs
import pytest

from tests.api.w3c_coverage import NOT_KNOWN, definitions
from trio_rtc.stats import LayerStats
from trio_rtc.stats.connection_stats import RTCIceCandidateStats, RTCPeerConnectionStats, RTCTransportStats
from trio_rtc.stats.media_stats import (
    RTCCodecStats,
    RTCInboundRtpStreamStats,
    RTCOutboundRtpStreamStats,
    RTCRemoteInboundRtpStreamStats,
)
from trio_rtc.stats.report import RTCStats, RTCStatsReport, references, select_stats


def make(kind: Any, name: str, /, **members: Any) -> RTCStats:
    """Return statistics whose other members are ``None``."""
    values = {
        field.name: None
        for field in attrs.fields(kind)
        if field.init and field.default is attrs.NOTHING and field.name not in ("id", "timestamp")
    }
    stats = object.__new__(kind)
    for field in attrs.fields(kind):
        default = None if field.default is attrs.NOTHING else field.default
        object.__setattr__(stats, field.name, {"id": name, **values, **members}.get(field.name, default))
    made: RTCStats = stats
    return made


def report_of(*stats: RTCStats) -> RTCStatsReport:
    return RTCStatsReport((each.id, each) for each in stats)


REPORT = report_of(
    make(RTCPeerConnectionStats, "P"),
    make(RTCTransportStats, "T"),
    make(RTCCodecStats, "C1", transport_id="T"),
    make(RTCCodecStats, "C2", transport_id="T"),
    make(RTCOutboundRtpStreamStats, "O1", mid="0", codec_id="C1", transport_id="T", remote_id="RI1"),
    make(RTCRemoteInboundRtpStreamStats, "RI1", local_id="O1", transport_id="T", codec_id="C1"),
    make(RTCOutboundRtpStreamStats, "O2", mid="1", codec_id="C2", transport_id="T"),
    make(RTCOutboundRtpStreamStats, "O3", mid="1", codec_id="C2", transport_id="T"),
    make(RTCInboundRtpStreamStats, "I1", mid="0", codec_id="C2", transport_id="T"),
)


@pytest.mark.parametrize(
    ("mid", "sending", "selected"),
    [
        ("0", True, ["T", "C1", "O1", "RI1"]),
        ("1", True, ["T", "C2", "O2", "O3"]),
        ("0", False, ["T", "C2", "I1"]),
        ("1", False, []),
        ("2", True, []),
        (None, True, []),
    ],
)
def test_streams_and_all_that_they_refer_to_are_selected(
    mid: str | None, sending: bool, selected: list[str]
) -> None:
    found = select_stats(REPORT, mid, sending=sending)
    assert list(found) == selected
    assert all(found[name] is REPORT[name] for name in found)


@pytest.mark.parametrize("kind", get_args(RTCStats), ids=lambda kind: kind.__name__)
def test_every_member_has_its_name_of_w3c_in_json(kind: Any) -> None:
    if kind is LayerStats:
        return
    # Absent members are left out, so each has a value here.
    members = {field.name: 1 for field in attrs.fields(kind) if field.name not in {"id", "type"}}
    dumped = report_of(make(kind, "S", **members)).to_json()["S"]
    definition = definitions()[kind.__name__]
    beyond = {
        "RTCOutboundRtpStreamStats": {"fecPacketsSent", "fecBytesSent"},
        "RTCInboundRtpStreamStats": {"rid"},
    }
    wanted = set(definition.members) - NOT_KNOWN.get(kind.__name__, {}).keys()
    inherited = {"id", "timestamp"} | ({"type"} if dumped.get("type") else set())
    assert dumped.keys() - beyond.get(kind.__name__, set()) - inherited == wanted - {
        "id",
        "timestamp",
        "type",
    }


def test_a_hidden_address_is_null_in_json() -> None:
    hidden = make(RTCIceCandidateStats, "C", port=1000)
    assert report_of(hidden).to_json()["C"] == {"id": "C", "address": None, "port": 1000}


def test_references_are_the_members_that_end_in_id() -> None:
    assert sorted(references(REPORT["O1"])) == ["C1", "RI1", "T"]
    assert list(references(REPORT["P"])) == []
    assert list(references(REPORT["C1"])) == ["T"]
