"""Options of ICE."""

import math

import pytest

from trio_rtc.protocols.ice import IceOptions


@pytest.mark.parametrize("timeout", [-0.1, math.nan])
def test_the_bound_for_late_candidates_cannot_be_negative(timeout: float) -> None:
    with pytest.raises(ValueError, match=r"^late_candidate_timeout must be at least 0, or None, not "):
        IceOptions(late_candidate_timeout=timeout)


@pytest.mark.parametrize("timeout", [0, 0.5, None])
def test_it_can_be_zero_or_absent(timeout: float | None) -> None:
    assert IceOptions(late_candidate_timeout=timeout).late_candidate_timeout == timeout
