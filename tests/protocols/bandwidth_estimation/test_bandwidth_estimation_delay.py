import random

import pytest

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
    OveruseState,
    RateState,
    ReceivedPacket,
)
from trio_rtc.protocols.bandwidth_estimation.acknowledged_bitrate import AcknowledgedBitrateEstimator
from trio_rtc.protocols.bandwidth_estimation.aimd_rate_control import AimdRateControl
from trio_rtc.protocols.bandwidth_estimation.delay_based import DelayBasedEstimator
from trio_rtc.protocols.bandwidth_estimation.inter_arrival import GroupDelta, InterArrival
from trio_rtc.protocols.bandwidth_estimation.link_capacity import LinkCapacityEstimator
from trio_rtc.protocols.bandwidth_estimation.overuse_detector import OveruseDetector, QueueDelay
from trio_rtc.protocols.bandwidth_estimation.trendline import TrendlineEstimator

OPTIONS = BandwidthEstimationOptions()


def deltas(*packets: tuple[float, float]) -> list[GroupDelta]:
    groups = InterArrival(OPTIONS)
    return [delta for packet in packets if (delta := groups.add(*packet)) is not None]


# Groups.


def test_packets_within_five_milliseconds_are_one_group() -> None:
    (delta,) = deltas((0.0, 1.0), (0.004, 1.005), (0.02, 1.03), (0.024, 1.04), (0.04, 1.06))
    assert delta.send_delta == pytest.approx(0.02)
    assert delta.arrival_delta == pytest.approx(0.035)
    assert delta.delay == pytest.approx(1.016)


def test_what_was_held_back_and_let_go_at_once_is_one_group() -> None:
    packets = [(0.0, 1.0), (0.02, 1.02), (0.04, 1.1), (0.06, 1.101), (0.08, 1.102), (0.1, 1.12), (0.12, 1.14)]
    assert [round(delta.send_delta, 3) for delta in deltas(*packets)] == [0.02, 0.06, 0.02]


def test_overtaken_packets_are_left_out() -> None:
    packets = [(0.0, 1.0), (0.02, 1.02), (0.01, 1.03), (0.04, 1.04), (0.06, 1.06)]
    assert [round(delta.arrival_delta, 3) for delta in deltas(*packets)] == [0.02, 0.02]


@pytest.mark.parametrize("jump", [-50.0, 50.0])
def test_a_jump_of_the_peers_clock_begins_anew(jump: float) -> None:
    packets = [(0.02 * n, 1.0 + 0.02 * n + (jump if n >= 5 else 0.0)) for n in range(10)]
    assert all(delta.arrival_delta == pytest.approx(0.02) for delta in deltas(*packets))
    assert len(deltas(*packets)) == 3 + 3


# Trend.


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


# Detector.


def detect(trends: list[float], queue: float = 0.1) -> list[OveruseState]:
    detector = OveruseDetector(OPTIONS)
    return [detector.update(trend, 60, 0.01, queue, 0.01 * n) for n, trend in enumerate(trends)]


def test_a_trend_over_the_threshold_for_long_enough_is_overuse() -> None:
    assert detect([0.0, 0.1, 0.1, 0.1])[-1] is OveruseState.OVERUSING
    assert detect([0.0, 0.1])[-1] is OveruseState.NORMAL


def test_a_falling_trend_is_not_overuse() -> None:
    assert OveruseState.OVERUSING not in detect([0.0, 0.4, 0.3, 0.2, 0.1])


def test_a_negative_trend_is_underuse() -> None:
    assert detect([0.0, -0.1])[-1] is OveruseState.UNDERUSING


def test_without_a_queue_a_trend_is_jitter() -> None:
    assert OveruseState.OVERUSING not in detect([0.1] * 20, queue=0.0)


def test_the_threshold_adapts_within_its_bounds() -> None:
    detector = OveruseDetector(OPTIONS)
    for number in range(2000):
        detector.update(0.0, 60, 0.01, 0.0, 0.01 * number)
    assert detector.threshold == OPTIONS.threshold_min
    trend = 0.0
    for number in range(2000, 9000):
        trend = (detector.threshold + 10) / 240
        detector.update(trend, 60, 0.01, 0.0, 0.01 * number)
    assert 100 < detector.threshold <= OPTIONS.threshold_max


def test_an_outlier_does_not_move_the_threshold() -> None:
    detector = OveruseDetector(OPTIONS)
    detector.update(0.0, 60, 0.01, 0.0, 0.0)
    before = detector.threshold
    detector.update(10.0, 60, 0.01, 0.0, 0.01)
    assert detector.threshold == before


def test_queue_delay_is_the_least_of_the_recent_over_the_least_of_the_past() -> None:
    queue = QueueDelay(OPTIONS)
    rng = random.Random(1)
    calm = grown = -1.0
    for number in range(200):
        calm = queue.add(5.0 + rng.random() * 0.03, 0.01 * number)
    assert calm < 0.015
    for number in range(200, 240):
        grown = queue.add(5.2 + rng.random() * 0.03, 0.01 * number)
    assert grown == pytest.approx(0.2, abs=0.015)
    # A path that stays longer becomes the new least one, which also is why skew does not add up.
    for number in range(240, 2500):
        grown = queue.add(5.2, 0.01 * number)
    assert grown == 0


# Acknowledged rate.


def receive(estimate: AcknowledgedBitrateEstimator, bitrate: float, begin: float, end: float) -> None:
    time = begin
    while time < end:
        estimate.received([ReceivedPacket(0, 0.0, time, 1000, None)])
        time += 8000 / bitrate


def test_the_acknowledged_rate_is_what_arrives() -> None:
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


def test_a_jump_of_the_clock_does_not_spoil_it() -> None:
    estimate = AcknowledgedBitrateEstimator(OPTIONS)
    receive(estimate, 1e6, 100.0, 102.0)
    receive(estimate, 1e6, 0.0, 2.0)
    receive(estimate, 1e6, 900.0, 902.0)
    assert estimate.bitrate == pytest.approx(1e6, rel=0.05)


def test_half_a_window_tells_that_much_less_arrives_and_a_few_packets_do_not() -> None:
    estimate = AcknowledgedBitrateEstimator(OPTIONS)
    receive(estimate, 4e6, 0.0, 3.0)
    estimate.interrupted()
    receive(estimate, 4e5, 3.0, 3.05)
    assert estimate.latest is not None
    assert estimate.latest > 2e6
    receive(estimate, 4e5, 3.05, 3.13)
    assert estimate.latest < 1e6


def test_what_is_not_known_to_have_arrived_does_not_lower_the_acknowledged_rate() -> None:
    estimate = AcknowledgedBitrateEstimator(OPTIONS)
    receive(estimate, 1e6, 0.0, 2.0)
    for second in range(2, 10):
        estimate.interrupted()
        receive(estimate, 1e6, second + 0.3, second + 1)
        assert estimate.latest == pytest.approx(1e6, rel=0.1)


# Capacity and rate.


def test_capacity_is_an_average_with_bounds() -> None:
    capacity = LinkCapacityEstimator()
    assert (capacity.lower_bound, capacity.upper_bound) == (0.0, float("inf"))
    for _ in range(20):
        capacity.overuse_at(1e6)
    assert capacity.estimate == pytest.approx(1e6)
    assert 0.9e6 < capacity.lower_bound < 1e6 < capacity.upper_bound < 1.1e6
    capacity.reset()
    assert capacity.estimate is None


def grow(control: AimdRateControl, begin: float, seconds: float, acknowledged: float | None = None) -> None:
    for step in range(int(seconds * 20) + 1):
        control.update(OveruseState.NORMAL, acknowledged, False, begin + step / 20)


def test_an_unknown_capacity_is_approached_by_eight_percent_a_second() -> None:
    control = AimdRateControl(OPTIONS)
    grow(control, 0.0, 5.0)
    assert control.bitrate == pytest.approx(300_000 * 1.08**5, rel=0.01)


def test_growth_stops_at_one_and_a_half_of_what_arrives() -> None:
    control = AimdRateControl(OPTIONS)
    grow(control, 0.0, 20.0, 300_000)
    assert control.bitrate == pytest.approx(1.5 * 300_000 + 10_000)


def test_overuse_leaves_85_percent_of_what_arrives_then_growth_is_additive() -> None:
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


def test_a_delay_beyond_any_jitter_is_a_queue_after_a_few_groups() -> None:
    queue = QueueDelay(OPTIONS)
    for number in range(50):
        assert queue.add(0.03, number / 100) == 0.0
    for number in range(OPTIONS.queue_jump_groups - 1):
        assert queue.add(0.53, 0.5 + number / 100) == 0.0
    assert queue.add(0.53, 0.6) == pytest.approx(0.5 - OPTIONS.queue_jump_least)
    # One group in time shows that the others were held up elsewhere, and that such jitter is to be expected.
    assert queue.add(0.03, 0.61) == 0.0
    assert queue.add(0.53, 0.62) == 0.0
    assert queue.add(0.53, 0.63) == pytest.approx(0.5 - OPTIONS.queue_jump)


def test_jitter_is_no_queue_and_a_queue_beyond_it_is_one() -> None:
    queue = QueueDelay(OPTIONS)
    rng = random.Random(3)
    for number in range(300):
        assert queue.add(rng.uniform(0.0, 0.03), number / 100) < 0.02
    assert [queue.add(rng.uniform(0.2, 0.23), 3 + number / 100) > 0.05 for number in range(2)] == [
        False,
        True,
    ]


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
