"""Probe bitrate estimation."""

import random

import pytest

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
    ProbeCluster,
    ProbePurpose,
    ReceivedPacket,
)
from trio_rtc.protocols.bandwidth_estimation.probe_bitrate_estimator import ProbeBitrateEstimator

OPTIONS = BandwidthEstimationOptions()


def measure(
    sending: float, carried: float, count: int = 10, jitter: float = 0.0, lost: frozenset[int] = frozenset()
) -> float | None:
    rng = random.Random(1)
    results = ProbeBitrateEstimator(OPTIONS)
    results.expect(ProbeCluster(1, sending, count, 1200 * count, 1.0, ProbePurpose.START))
    slowest = min(sending, carried)
    for number in range(count):
        if number not in lost:
            arrival = 9 + number * 9600 / slowest + rng.random() * jitter
            results.received(ReceivedPacket(number, number * 9600 / sending, arrival, 1200, 1))
    return results.bitrate()


def test_a_link_with_room_has_the_sending_rate_as_result() -> None:
    assert measure(2e6, 1e7) == pytest.approx(2e6)


def test_a_full_link_has_slightly_less_than_the_arrival_rate_as_result() -> None:
    assert measure(8e6, 4e6) == pytest.approx(0.95 * 4e6)


def test_jitter_does_not_make_it_too_high() -> None:
    measured = measure(8e6, 2e6, count=20, jitter=0.03)
    assert measured is not None
    assert 0.4 * 2e6 < measured < 1.2 * 2e6


def test_some_loss_is_tolerated_much_is_not() -> None:
    assert measure(2e6, 1e7, lost=frozenset({4, 7})) is not None
    assert measure(2e6, 1e7, lost=frozenset({4, 5, 7})) is None


def test_packets_that_arrive_much_faster_than_sent_are_ignored() -> None:
    results = ProbeBitrateEstimator(OPTIONS)
    results.expect(ProbeCluster(1, 1e6, 5, 6000, 1.0, ProbePurpose.START))
    for number in range(5):
        results.received(ReceivedPacket(number, number / 100, number / 10_000, 1200, 1))
    assert results.bitrate() is None


def test_a_result_is_returned_once_and_clusters_are_bounded() -> None:
    results = ProbeBitrateEstimator(OPTIONS)
    for number in range(100):
        results.expect(ProbeCluster(number, 1e6, 5, 6000, 1.0, ProbePurpose.START))
    for cluster in (3, 99):
        for number in range(5):
            results.received(ReceivedPacket(number, number * 0.0096, number * 0.0096, 1200, cluster))
    assert results.bitrate() == pytest.approx(1e6)
    assert results.bitrate() is None
    assert results.succeeded == 1
