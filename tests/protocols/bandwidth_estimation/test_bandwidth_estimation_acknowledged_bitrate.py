"""The acknowledged bitrate."""

import pytest

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
    ReceivedPacket,
)
from trio_rtc.protocols.bandwidth_estimation.acknowledged_bitrate import AcknowledgedBitrateEstimator

OPTIONS = BandwidthEstimationOptions()


def receive(estimate: AcknowledgedBitrateEstimator, bitrate: float, begin: float, end: float) -> None:
    time = begin
    while time < end:
        estimate.received([ReceivedPacket(0, 0.0, time, 1000, None)])
        time += 8000 / bitrate


def test_the_acknowledged_bitrate_is_the_rate_of_arrival() -> None:
    estimate = AcknowledgedBitrateEstimator(OPTIONS)
    receive(estimate, 1e6, 0.0, 0.45)
    assert estimate.bitrate is None
    receive(estimate, 1e6, 0.45, 3.0)
    assert estimate.bitrate == pytest.approx(1e6, rel=0.05)
    assert estimate.latest == estimate.bitrate
    receive(estimate, 2e5, 3.0, 3.3)
    assert estimate.bitrate == pytest.approx(1e6, rel=0.3)
    assert estimate.latest == pytest.approx(2e5, rel=0.3)
    receive(estimate, 2e5, 3.3, 8.0)
    assert estimate.bitrate == pytest.approx(2e5, rel=0.3)
    receive(estimate, 4e6, 8.0, 8.2)
    assert estimate.bitrate is not None
    assert estimate.latest is not None
    assert estimate.bitrate < 2e6 < estimate.latest


def test_a_jump_of_the_clock_does_not_distort_it() -> None:
    estimate = AcknowledgedBitrateEstimator(OPTIONS)
    receive(estimate, 1e6, 100.0, 102.0)
    receive(estimate, 1e6, 0.0, 2.0)
    receive(estimate, 1e6, 900.0, 902.0)
    assert estimate.bitrate == pytest.approx(1e6, rel=0.05)


def test_half_a_window_detects_a_collapse_and_a_few_packets_do_not() -> None:
    estimate = AcknowledgedBitrateEstimator(OPTIONS)
    receive(estimate, 4e6, 0.0, 3.0)
    estimate.interrupted()
    receive(estimate, 4e5, 3.0, 3.05)
    assert estimate.latest is not None
    assert estimate.latest > 2e6
    receive(estimate, 4e5, 3.05, 3.13)
    assert estimate.latest < 1e6


def test_unknown_arrivals_do_not_lower_the_acknowledged_rate() -> None:
    estimate = AcknowledgedBitrateEstimator(OPTIONS)
    receive(estimate, 1e6, 0.0, 2.0)
    for second in range(2, 10):
        estimate.interrupted()
        receive(estimate, 1e6, second + 0.3, second + 1)
        assert estimate.latest == pytest.approx(1e6, rel=0.1)
