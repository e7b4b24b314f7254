"""Inter-arrival groups."""

import pytest

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
)
from trio_rtc.protocols.bandwidth_estimation.inter_arrival import GroupDelta, InterArrival

OPTIONS = BandwidthEstimationOptions()


def deltas(*packets: tuple[float, float]) -> list[GroupDelta]:
    groups = InterArrival(OPTIONS)
    return [delta for packet in packets if (delta := groups.add(*packet)) is not None]


def test_packets_within_five_milliseconds_are_one_group() -> None:
    (delta,) = deltas((0.0, 1.0), (0.004, 1.005), (0.02, 1.03), (0.024, 1.04), (0.04, 1.06))
    assert delta.send_delta == pytest.approx(0.02)
    assert delta.arrival_delta == pytest.approx(0.035)
    assert delta.delay == pytest.approx(1.016)


def test_a_burst_released_on_the_path_is_one_group() -> None:
    packets = [(0.0, 1.0), (0.02, 1.02), (0.04, 1.1), (0.06, 1.101), (0.08, 1.102), (0.1, 1.12), (0.12, 1.14)]
    assert [round(delta.send_delta, 3) for delta in deltas(*packets)] == [0.02, 0.06, 0.02]


def test_reordered_packets_are_left_out() -> None:
    packets = [(0.0, 1.0), (0.02, 1.02), (0.01, 1.03), (0.04, 1.04), (0.06, 1.06)]
    assert [round(delta.arrival_delta, 3) for delta in deltas(*packets)] == [0.02, 0.02]


@pytest.mark.parametrize("jump", [-50.0, 50.0])
def test_a_jump_of_the_peers_clock_resets_the_groups(jump: float) -> None:
    packets = [(0.02 * n, 1.0 + 0.02 * n + (jump if n >= 5 else 0.0)) for n in range(10)]
    assert all(delta.arrival_delta == pytest.approx(0.02) for delta in deltas(*packets))
    assert len(deltas(*packets)) == 3 + 3
