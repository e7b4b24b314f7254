"""Congestion control feedback of RFC 8888: encoded bytes, ages, and splitting by size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtcp import (
    ArrivalReport,
    CongestionControlFeedback,
    StreamReport,
    encode,
    parse,
)
from trio_rtc.protocols.rtcp.congestion_feedback import AGE_OVERFLOW, AGE_UNKNOWN, MAX_REPORTS, MIN_SIZE

VECTORS = [
    (CongestionControlFeedback(1, 0xAABBCCDD, ()), "8bcd0002 00000001 aabbccdd"),
    (
        CongestionControlFeedback(
            1,
            0xAABBCCDD,
            (
                StreamReport(2, 0xFFFF, (ArrivalReport(1, 0), None, ArrivalReport(0x1FFF, 3))),
                StreamReport(3, 7, (ArrivalReport(0x400, 1), ArrivalReport(0, 2))),
                StreamReport(4, 9, ()),
            ),
        ),
        "8bcd000b 00000001 00000002 ffff0003 80010000 ffff0000 00000003 00070002 a400c000 00000004 00090000 aabbccdd",
    ),
]


@pytest.mark.parametrize(("packet", "data"), VECTORS)
def test_encoded_bytes(packet: CongestionControlFeedback, data: str) -> None:
    assert encode([packet]) == bytes.fromhex(data)
    assert parse(bytes.fromhex(data)) == [packet]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("8bcd0001 00000001", id="too-short"),
        pytest.param("8bcd0003 00000001 00000002 aabbccdd", id="within-a-source"),
        pytest.param("8bcd0004 00000001 00000002 00000001 aabbccdd", id="report-missing"),
        pytest.param("8bcd0004 00000001 00000002 0000ffff aabbccdd", id="too-many-reports"),
    ],
)
def test_malformed_feedback(data: str) -> None:
    with pytest.raises(ProtocolError):
        parse(bytes.fromhex(data))


def test_more_reports_than_allowed_are_rejected() -> None:
    with pytest.raises(ValueError, match="at most 16384, not 16385"):
        encode([CongestionControlFeedback(1, 2, (StreamReport(3, 0, (None,) * (MAX_REPORTS + 1)),))])
    count = MAX_REPORTS + 1
    body = bytes(4) + bytes(6) + count.to_bytes(2, "big") + bytes((count + 1) // 2 * 4) + bytes(4)
    with pytest.raises(ProtocolError):
        parse(bytes([0x8B, 205]) + (len(body) // 4).to_bytes(2, "big") + body)


def test_ages() -> None:
    arrivals = {5: [(1, 10.0, 0), (2, 10.5, 0), (3, 11.5, 0), (4, 1.0, 0)]}
    (packet,) = CongestionControlFeedback.build(1, 2, 11.0, arrivals, 1200)
    reports = packet.streams[0].reports
    assert [report and report.age for report in reports] == [1024, 512, AGE_UNKNOWN, AGE_OVERFLOW]
    assert [report and report.seconds for report in reports] == [1.0, 0.5, None, None]


def test_first_duplicate_gives_time_and_any_gives_congestion_experienced() -> None:
    arrivals = {5: [(1, 10.0, 2), (1, 10.5, 3), (2, 10.0, 3), (2, 10.0, 2)]}
    (packet,) = CongestionControlFeedback.build(1, 2, 11.0, arrivals, 1200)
    assert packet.streams == (StreamReport(5, 1, (ArrivalReport(1024, 3), ArrivalReport(1024, 3))),)


def test_only_the_newest_of_too_many_packets_are_reported() -> None:
    packets = CongestionControlFeedback.build(1, 2, 1.0, {5: [(1, 1.0, 0), (100_000, 1.0, 0)]}, 1200)
    counts = [len(stream.reports) for packet in packets for stream in packet.streams]
    assert sum(counts) == MAX_REPORTS
    assert packets[-1].streams[-1].reports[-1] == ArrivalReport(0, 0)


def test_no_feedback_without_arrivals() -> None:
    assert CongestionControlFeedback.build(1, 2, 1.0, {}, 1200) == []
    assert CongestionControlFeedback.build(1, 2, 1.0, {5: []}, 1200) == []


def test_too_small_max_size_is_rejected() -> None:
    with pytest.raises(ValueError, match="max_size must be at least 24"):
        CongestionControlFeedback.build(1, 2, 1.0, {}, MIN_SIZE - 1)


@given(
    st.dictionaries(
        st.integers(0, 0xFFFF_FFFF),
        st.dictionaries(st.integers(65_400, 65_700), st.tuples(st.floats(1, 7), st.integers(0, 3))),
        max_size=5,
    ),
    st.integers(MIN_SIZE, 200),
)
def test_all_arrivals_are_reported_within_max_size(
    arrivals: dict[int, dict[int, tuple[float, int]]], max_size: int
) -> None:
    packets = CongestionControlFeedback.build(
        1,
        2,
        8.0,
        {ssrc: [(n, *about) for n, about in received.items()] for ssrc, received in arrivals.items()},
        max_size,
    )
    reported: dict[int, dict[int, ArrivalReport]] = {}
    for packet in packets:
        data = encode([packet])
        assert len(data) <= max_size
        assert parse(data) == [packet]
        for stream in packet.streams:
            for number, report in enumerate(stream.reports, stream.begin_sequence_number):
                if report is not None:
                    reported.setdefault(stream.ssrc, {})[number & 0xFFFF] = report
    assert reported == {
        ssrc: {
            n & 0xFFFF: ArrivalReport(round((8.0 - time) * 1024), ecn) for n, (time, ecn) in received.items()
        }
        for ssrc, received in arrivals.items()
        if received
    }
