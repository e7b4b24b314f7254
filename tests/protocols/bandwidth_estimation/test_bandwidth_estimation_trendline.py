"""The trendline."""

import pytest

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
)
from trio_rtc.protocols.bandwidth_estimation.trendline import TrendlineEstimator

OPTIONS = BandwidthEstimationOptions()


def feed(line: TrendlineEstimator, growth: float, count: int = 40) -> float:
    for number in range(count):
        line.add(0.01, 0.01 * (1 + growth), 0.01 * (1 + growth) * number)
    return line.trend


@pytest.mark.parametrize("growth", [0.0, 0.1, -0.1])
def test_the_trend_is_the_growth_of_the_delay(growth: float) -> None:
    # Smoothing lags at first, so that it comes near from below.
    assert feed(TrendlineEstimator(OPTIONS), growth, 200) == pytest.approx(growth / (1 + growth), abs=0.002)


def test_no_trend_before_the_window_is_full() -> None:
    assert feed(TrendlineEstimator(OPTIONS), 0.5, OPTIONS.trendline_window - 1) == 0
