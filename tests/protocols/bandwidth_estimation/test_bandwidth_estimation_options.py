"""Bounds of the options of bandwidth estimation, pacing and feedback."""

import math
from typing import Any

import attrs
import pytest

from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions

NUMBERS = [field.name for field in attrs.fields(BandwidthEstimationOptions) if field.name != "probe_factors"]
INTEGERS = [name for name in NUMBERS if isinstance(getattr(BandwidthEstimationOptions(), name), int)]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1, -math.inf])
def test_no_option_may_be_negative(name: str, value: float) -> None:
    changes: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"{name} must .*, not {value}"):
        BandwidthEstimationOptions(**changes)


@pytest.mark.parametrize("name", sorted({*NUMBERS} - {*INTEGERS}))
def test_no_option_may_be_nan(name: str) -> None:
    changes: dict[str, Any] = {name: math.nan}
    with pytest.raises(ValueError, match=f"{name} must .*, not nan"):
        BandwidthEstimationOptions(**changes)


@pytest.mark.parametrize(
    ("name", "accepted", "refused", "reason"),
    [
        ("history_time", [0.001, 1e9], [0], "must be positive, not 0"),
        ("loss_delay", [0, 1.0], [-0.001], "must not be negative"),
        ("trendline_smoothing", [0, 1], [1.001], "must be between 0 and 1"),
        ("backoff", [0.001, 1], [0, 1.001], "must be above 0 and at most 1"),
        ("increase_factor", [1.001], [1, 0.999], "must be above 1"),
        ("history_packets", [1, 32768], [0, 32769], "must be from 1 to 32768"),
        ("feedback_pending", [1, 32768], [0, 32769], "must be from 1 to 32768"),
        ("pacer_max_packets", [1], [0], "must be at least 1"),
        ("probe_min_packets", [3], [2], "must be at least 3"),
    ],
)
def test_bounds_of_an_option(name: str, accepted: list[float], refused: list[float], reason: str) -> None:
    for value in accepted:
        changes: dict[str, Any] = {name: value}
        assert getattr(BandwidthEstimationOptions(**changes), name) == value
    for value in refused:
        changes = {name: value}
        with pytest.raises(ValueError, match=f"{name} {reason}"):
            BandwidthEstimationOptions(**changes)


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        ("min_bitrate", "start_bitrate"),
        ("start_bitrate", "max_bitrate"),
        ("threshold_min", "threshold_initial"),
        ("threshold_initial", "threshold_max"),
        ("feedback_interval_min", "feedback_interval_max"),
    ],
)
def test_options_in_order(smaller: str, larger: str) -> None:
    default = BandwidthEstimationOptions()
    limit: float = getattr(default, larger)
    equal: dict[str, Any] = {smaller: limit}
    assert getattr(BandwidthEstimationOptions(**equal), smaller) == limit
    above: dict[str, Any] = {smaller: limit * 1.001}
    with pytest.raises(ValueError, match=r"must be in order|must not exceed"):
        BandwidthEstimationOptions(**above)
