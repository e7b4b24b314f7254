"""AIMD rate control."""

import pytest

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
    OveruseState,
    RateState,
)
from trio_rtc.protocols.bandwidth_estimation.aimd_rate_control import AimdRateControl

OPTIONS = BandwidthEstimationOptions()


def grow(control: AimdRateControl, begin: float, seconds: float, acknowledged: float | None = None) -> None:
    for step in range(int(seconds * 20) + 1):
        control.update(OveruseState.NORMAL, acknowledged, False, begin + step / 20)


def test_an_unknown_capacity_is_approached_by_eight_percent_a_second() -> None:
    control = AimdRateControl(OPTIONS)
    grow(control, 0.0, 5.0)
    assert control.bitrate == pytest.approx(300_000 * 1.08**5, rel=0.01)


def test_growth_stops_at_one_and_a_half_of_the_acknowledged_bitrate() -> None:
    control = AimdRateControl(OPTIONS)
    grow(control, 0.0, 20.0, 300_000)
    assert control.bitrate == pytest.approx(1.5 * 300_000 + 10_000)


def test_overuse_leaves_85_percent_of_the_acknowledged_bitrate_then_growth_is_additive() -> None:
    control = AimdRateControl(OPTIONS)
    control.set_bitrate(1e6, 0.0)
    control.round_trip = 0.1
    assert control.update(OveruseState.OVERUSING, 1e6, False, 0.1) == pytest.approx(850_000)
    assert control.state is RateState.HOLD
    assert not control.may_decrease(1e6, 0.15)
    assert control.may_decrease(1e5, 0.15)
    assert control.may_decrease(1e6, 0.25)
    control.update(OveruseState.UNDERUSING, 1e6, False, 0.3)
    assert control.bitrate == pytest.approx(850_000)
    grow(control, 0.4, 1.0, 0.9e6)
    # A packet of at most 1200 bytes in a response time of 200 ms.
    assert 30_000 <= control.bitrate - 850_000 <= 50_000


def test_overuse_never_raises_the_rate() -> None:
    control = AimdRateControl(OPTIONS)
    control.set_bitrate(1e6, 0.0)
    assert control.update(OveruseState.OVERUSING, 5e6, False, 0.1) <= 1e6


def test_no_growth_while_the_application_sends_little() -> None:
    control = AimdRateControl(OPTIONS)
    for step in range(100):
        control.update(OveruseState.NORMAL, 100_000.0, True, step / 20)
    assert control.bitrate == OPTIONS.start_bitrate
