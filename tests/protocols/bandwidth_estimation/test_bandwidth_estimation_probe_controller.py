"""The probe controller."""

import itertools
import math

import pytest

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
)
from trio_rtc.protocols.bandwidth_estimation.probe_controller import ProbeConditions, ProbeController

OPTIONS = BandwidthEstimationOptions()


def view(bitrate: float, **changes: object) -> ProbeConditions:
    values: dict[str, object] = {
        "max_bitrate": 1e8,
        "capacity_known": True,
        "application_limited_since": None,
        "settled_since": -math.inf,
    }
    return ProbeConditions(bitrate=bitrate, **(values | changes))  # type: ignore[arg-type]


def rates(control: ProbeController) -> list[float]:
    return [cluster.bitrate for cluster in control.take_clusters()]


def started() -> ProbeController:
    control = ProbeController(OPTIONS)
    control.start(300_000, 1e8, 0.0)
    control.take_clusters()
    return control


def test_initial_probes_have_three_and_six_times_the_start() -> None:
    control = ProbeController(OPTIONS)
    assert control.take_clusters() == []
    control.start(300_000, 1e8, 0.0)
    clusters = control.take_clusters()
    assert [cluster.bitrate for cluster in clusters] == [900_000, 1_800_000]
    assert all(cluster.min_packets == 5 for cluster in clusters)
    assert clusters[1].min_bytes == 5625
    assert len({cluster.id for cluster in clusters}) == 2
    assert control.take_clusters() == []


def test_not_beyond_the_bound() -> None:
    control = ProbeController(OPTIONS)
    control.start(300_000, 700_000, 0.0)
    assert rates(control) == [700_000]


def test_a_probe_is_not_larger_than_a_path_can_hold_whatever_the_estimate() -> None:
    control = ProbeController(OPTIONS)
    control.start(1e9, 2e9, 0.0)
    clusters = control.take_clusters()
    assert [cluster.bitrate for cluster in clusters] == [2e9]
    assert clusters[0].min_bytes <= OPTIONS.probe_max_bytes


def test_a_result_near_the_probe_leads_to_a_further_one() -> None:
    control = started()
    control.result(1.3e6, 0.0, 1e8, 0.2)
    assert rates(control) == [2.6e6]


def test_a_result_far_below_the_probe_or_too_late_does_not() -> None:
    control = started()
    control.result(1.2e6, 0.0, 1e8, 0.2)
    control.result(1.8e6, 0.0, 1e8, 1.5)
    assert rates(control) == []


def test_after_a_drop_it_probes_again_and_again() -> None:
    control = started()
    control.estimate_changed(4e6, 1.0)
    times: list[float] = []
    for step in range(200):
        now = 2.0 + step / 10
        control.result(0.0, 0.0, 1e8, now)
        control.process(view(5e5), now)
        times += [now] * len(rates(control))
    gaps = [round(later - earlier, 1) for earlier, later in itertools.pairwise(times)]
    assert gaps[0] <= 2.1
    assert set(gaps[2:]) == {3.0}


def test_the_rate_before_a_drop_is_forgotten() -> None:
    control = started()
    control.estimate_changed(4e6, 1.0)
    control.estimate_changed(5e5, 200.0)
    control.process(view(5e5), 200.0)
    assert rates(control) == []


def test_an_unknown_capacity_is_probed_for() -> None:
    control = started()
    control.process(view(5e5, capacity_known=False), 1.5)
    assert rates(control) == [1e6]


@pytest.mark.parametrize(
    "changes", [{"settled_since": math.inf}, {"settled_since": 1.0}, {"max_bitrate": 5e5}]
)
def test_no_probe_on_a_path_that_is_not_settled_or_at_its_bound(changes: dict[str, float]) -> None:
    control = started()
    control.process(view(5e5, capacity_known=False, **changes), 1.9)
    assert rates(control) == []


def test_an_application_that_sends_little_is_probed_for_every_five_seconds() -> None:
    control = started()
    times: list[float] = []
    for step in range(200):
        now = 1.5 + step / 10
        control.process(view(5e5, application_limited_since=1.5), now)
        times += [now] * len(rates(control))
    assert times[0] == pytest.approx(6.5)
    assert times[1] - times[0] == pytest.approx(5.0)


def test_overuse_discards_pending_probes() -> None:
    control = ProbeController(OPTIONS)
    control.start(300_000, 1e8, 0.0)
    control.abort()
    assert control.take_clusters() == []


def test_a_blurred_result_makes_the_next_probe_longer() -> None:
    control = started()
    control.result(1.5e6, 0.3, 1e8, 0.2)
    (cluster,) = control.take_clusters()
    assert cluster.min_packets == 11
    assert cluster.min_bytes > 3e6 * 0.05 / 8


def test_a_raised_bound_is_probed_for() -> None:
    control = started()
    control.bound_raised(1e6, 5e6, 10.0)
    assert rates(control) == [2e6]
