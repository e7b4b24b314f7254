"""Application-limited regions."""

import pytest

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
)
from trio_rtc.protocols.bandwidth_estimation.alr_detector import AlrDetector

OPTIONS = BandwidthEstimationOptions()


def test_sending_little_starts_a_region_and_sending_enough_ends_it() -> None:
    limited = AlrDetector(OPTIONS)
    limited.target = 1e6
    for step in range(100):
        limited.sent(125, step / 100)  # 100 kbit/s
    assert limited.since == pytest.approx(0.5, abs=0.2)
    for step in range(100, 200):
        limited.sent(1250, step / 100)  # 1 Mbit/s
    assert limited.since is None
    assert limited.ended_at == pytest.approx(1.6, abs=0.5)
