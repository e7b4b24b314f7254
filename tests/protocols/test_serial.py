"""Serial number arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.serial import Unwrapper, serial_add, serial_difference, serial_less

numbers = st.integers(0, 0xFFFF)


@pytest.mark.parametrize(
    ("left", "right", "difference"),
    [(5, 3, 2), (3, 5, -2), (0, 0xFFFF, 1), (0xFFFF, 0, -1), (0x7FFF, 0, 0x7FFF), (0x8000, 0, -0x8000)],
)
def test_differences_wrap(left: int, right: int, difference: int) -> None:
    assert serial_difference(left, right, 16) == difference
    assert serial_less(left, right, 16) == (difference < 0)


@given(numbers, st.integers(-0x8000, 0x7FFF))
def test_a_difference_is_what_must_be_added(value: int, increment: int) -> None:
    added = serial_add(value, increment, 16)
    assert 0 <= added <= 0xFFFF
    assert serial_difference(added, value, 16) == increment


@given(st.integers(0, 1 << 40), st.lists(st.integers(-0x8000, 0x7FFF), max_size=20))
def test_an_unwrapper_follows_steps_of_less_than_half_of_the_range(start: int, steps: list[int]) -> None:
    unwrapper, number = Unwrapper(16, start), start
    for step in steps:
        number += step
        assert unwrapper.peek(number & 0xFFFF) == number
        assert unwrapper.unwrap(number & 0xFFFF) == unwrapper.last == number
