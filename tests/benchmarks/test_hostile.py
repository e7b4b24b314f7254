"""The benchmark of hostile input: its inputs are valid, and broken bounds are reported."""

import pytest

from benchmarks.hostile.cases import CASES
from benchmarks.hostile.measure import Case, Result, Source


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_input_is_valid_and_processed(case: Case) -> None:
    case.prepare(case.sizes[0] if case.unit == "bytes" else min(case.sizes[0], 64))()


def result(*seconds: float, factor: float = 1.0) -> Result:
    case = Case("name", Source.PEER, (1,) * len(seconds), lambda size: lambda: None)
    return Result(case, seconds, factor)


def test_broken_bounds() -> None:
    assert result(0.0009, 0.0019).is_within_bounds
    assert not result(0.0011, 0.0021).is_within_bounds
    # A machine that is half as fast has twice the time.
    assert result(0.0011, 0.0021, factor=2.0).is_within_bounds
    # Four times the time at twice the size, unless it is too short to measure.
    assert not result(0.0002, 0.0008).is_within_bounds
    assert result(0.00002, 0.00008).is_within_bounds
