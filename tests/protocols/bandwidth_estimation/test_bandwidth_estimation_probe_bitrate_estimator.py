"""Probe bitrate estimation."""

import random
import statistics

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
    sending: float,
    carried: float,
    count: int = 10,
    jitter: float = 0.0,
    lost: frozenset[int] = frozenset(),
    seed: int = 1,
) -> float | None:
    rng = random.Random(seed)
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


@pytest.mark.parametrize("count", [10, 20, 40])
def test_jitter_seldom_makes_it_higher_than_the_link(count: int) -> None:
    rates = [measure(8e6, 2e6, count, jitter=0.03, seed=seed) for seed in range(500)]
    # Two standard errors of ten values: 4 % (of Student's distribution); with one error it was 17 %.
    assert sum(rate is not None and rate > 2e6 for rate in rates) < 0.04 * 500
    # A longer probe is more precise, and finds most of the link.
    assert statistics.median(rate or 0.0 for rate in rates) > {10: 0.5, 20: 0.75, 40: 0.85}[count] * 2e6


def test_loss_without_jitter_costs_little_precision() -> None:
    rng = random.Random(1)
    rates = []
    for _ in range(500):
        lost = frozenset(number for number in range(20) if rng.random() < 0.1)
        rates.append(measure(8e6, 2e6, 20, lost=lost) or 0.0)
    assert statistics.median(rates) > 0.85 * 2e6


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
