"""Stored early checks of a generation."""

import random

import pytest

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import IceOptions
from trio_rtc.protocols.ice.generation import Generation
from trio_rtc.protocols.ice.remote_candidates import EarlyCheck


@pytest.mark.parametrize(("checks", "kept"), [(2, 2), (3, 2)])
def test_early_checks_are_bounded_and_a_nomination_is_kept(checks: int, kept: int) -> None:
    generation = Generation(IceOptions(max_early_checks=2), random.Random(1))
    base = Address("10.0.0.1", 1)

    def check(port: int, *, nominates: bool, priority: int = 5) -> EarlyCheck:
        return EarlyCheck(base, Address("10.0.0.2", port), "user", priority, nominates)

    for port in range(checks):
        generation.store_early_check(check(port, nominates=False))
    assert [early.remote.port for early in generation.pop_early_checks()] == [*range(checks)][-kept:]
    assert generation.pop_early_checks() == []
    for first, second, expected in (
        *((False, False, 7), (False, True, 7), (True, True, 7), (True, False, 6)),
    ):
        generation.store_early_check(check(1, nominates=first, priority=6))
        generation.store_early_check(check(1, nominates=second, priority=7))
        (early,) = generation.pop_early_checks()
        assert (early.priority, early.use_candidate) == (expected, first or second)
