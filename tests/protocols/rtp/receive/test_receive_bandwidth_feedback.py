"""Feedback for the peer's bandwidth estimation: RFC 8888 reports and REMB."""

import math

import pytest

from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions
from trio_rtc.protocols.rtp.receive.bandwidth_feedback import ArrivalReporter, RemoteBitrateEstimator


def test_arrival_reports_include_gaps_between_reports() -> None:
    reports = ArrivalReporter(2)
    assert reports.take_reports(1, 0, 0.0, 1000) == []
    reports.packet_received(7, 65534, 0.0)
    reports.packet_received(7, 65535, 0.01)
    assert reports.next_timer() == pytest.approx(0.05)
    (first,) = reports.take_reports(1, 0, 0.05, 1000)
    assert [stream.begin_sequence_number for stream in first.streams] == [65534]
    assert reports.next_timer() == math.inf
    reports.packet_received(7, 2, 0.06)
    reports.packet_received(8, 100, 0.06)
    reports.packet_received(9, 100, 0.06)
    (second,) = reports.take_reports(1, 0, 0.2, 1000)
    lost = [each is None for each in second.streams[0].reports]
    assert (second.streams[0].begin_sequence_number, lost) == (65535, [False, True, True, False])
    # A third SSRC exceeds the limit.
    assert [stream.ssrc for stream in second.streams] == [7, 8]
    reports.forget(7)
    reports.packet_received(9, 1, 0.3)
    assert [stream.ssrc for stream in reports.take_reports(1, 0, 0.4, 1000)[0].streams] == [9]


def test_arrival_reports_are_bounded() -> None:
    reports = ArrivalReporter(1)
    for number in range(10_000):
        reports.packet_received(7, number & 0xFFFF, 0.0)
    reported = reports.take_reports(1, 0, 1.0, 1000)
    assert sum(len(stream.reports) for packet in reported for stream in packet.streams) == 2048


def test_arrival_reports_are_bounded_over_all_sources() -> None:
    reports = ArrivalReporter(500)
    for number in range(100):
        for ssrc in range(400):
            reports.packet_received(ssrc, number, 0.0)
    reports.forget(0)
    reports.packet_received(0, 0, 0.0)
    reported = reports.take_reports(1, 0, 1.0, 1000)
    counts = [len(stream.reports) for packet in reported for stream in packet.streams]
    # Each SSRC has the newest of its packets. SSRC 0 had 41, and has one since it was forgotten.
    assert sum(counts) == 16_384 - 40
    assert max(counts) == 41
    # Reported packets make room.
    for number in range(2048):
        reports.packet_received(1, 100 + number, 1.1)
    (*_, last) = reports.take_reports(1, 0, 2.0, 1 << 16)
    assert len(last.streams[0].reports) >= 2048


def test_the_remote_bitrate_follows_a_slow_link() -> None:
    remote = RemoteBitrateEstimator(BandwidthEstimationOptions())
    assert remote.take_bitrate(0.0) is None
    now = free = 0.0
    reported: list[int] = []
    for number in range(6000):
        sent = number * 0.004  # 1200 bytes every 4 ms: 2.4 Mbit/s on a link of 1 Mbit/s.
        free = max(free, sent) + 1200 * 8 / 1e6
        now = free + 0.02
        remote.packet_received(round(sent * (1 << 18)) & 0xFFFFFF, 1200, now)
        if (bitrate := remote.take_bitrate(now)) is not None:
            reported.append(bitrate)
    assert reported
    assert min(reported) < 1_100_000


def test_the_remote_bitrate_is_sent_once_per_second() -> None:
    remote = RemoteBitrateEstimator(BandwidthEstimationOptions())
    reported = 0
    for number in range(500):
        now = number * 0.02
        remote.packet_received(round(now * (1 << 18)) & 0xFFFFFF, 500, now)
        reported += remote.take_bitrate(now) is not None
    assert 9 <= reported <= 14
