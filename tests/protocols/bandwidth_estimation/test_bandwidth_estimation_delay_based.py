"""The delay-based estimate."""

import random

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
    ReceivedPacket,
)
from trio_rtc.protocols.bandwidth_estimation.delay_based import DelayBasedEstimator

OPTIONS = BandwidthEstimationOptions()


def test_a_long_queue_is_overuse_though_jitter_hides_the_trend() -> None:
    delay = DelayBasedEstimator(OPTIONS)
    delay.rate.set_bitrate(1e6, 0.0)
    rng = random.Random(5)
    for number in range(900):
        now = number / 100
        queue = max(now - 6.0, 0.0) / 6
        packet = ReceivedPacket(number, now, 100 + now + queue + rng.uniform(0.0, 0.06), 1200, None)
        delay.update([packet], 9e5, None, False, now)
        if now < 6:
            assert delay.rate.bitrate >= 9e5
    assert delay.rate.bitrate < 8e5
