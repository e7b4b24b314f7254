"""The link capacity estimate."""

import pytest

from trio_rtc.protocols.bandwidth_estimation.link_capacity import LinkCapacityEstimator


def test_capacity_is_an_average_with_bounds() -> None:
    capacity = LinkCapacityEstimator()
    assert (capacity.lower_bound, capacity.upper_bound) == (0.0, float("inf"))
    for _ in range(20):
        capacity.overuse_at(1e6)
    assert capacity.estimate == pytest.approx(1e6)
    assert 0.9e6 < capacity.lower_bound < 1e6 < capacity.upper_bound < 1.1e6
    capacity.reset()
    assert capacity.estimate is None
