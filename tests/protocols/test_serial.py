"""Serial number arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.serial import serial_add, serial_difference

numbers = st.integers(0, 0xFFFF)


@pytest.mark.parametrize(
    ("left", "right", "difference"),
    [(5, 3, 2), (3, 5, -2), (0, 0xFFFF, 1), (0xFFFF, 0, -1), (0x7FFF, 0, 0x7FFF), (0x8000, 0, -0x8000)],
)
def test_differences_wrap(left: int, right: int, difference: int) -> None:
    assert serial_difference(left, right, 16) == difference


@given(numbers, st.integers(-0x8000, 0x7FFF))
def test_a_difference_is_what_must_be_added(value: int, increment: int) -> None:
    added = serial_add(value, increment, 16)
    assert 0 <= added <= 0xFFFF
    assert serial_difference(added, value, 16) == increment
