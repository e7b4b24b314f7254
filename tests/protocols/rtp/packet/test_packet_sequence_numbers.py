"""Unwrapping of received sequence numbers, and the window of those that were seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceUnwrapper, SequenceWindow, Unwrapper


@given(st.lists(st.integers(0, 200), max_size=120), st.none() | st.integers(0, 100))
def test_a_number_is_new_once(numbers: list[int], seen_up_to: int | None) -> None:
    seen = SequenceWindow(64, seen_up_to)
    highest = -1000 if seen_up_to is None else seen_up_to
    before = set() if seen_up_to is None else set(range(seen_up_to + 1))
    for number in numbers:
        assert seen.add(number) == (number not in before and number > highest - 64)
        before.add(number)
        highest = max(highest, number)


def test_numbers_count_on_over_the_wrap() -> None:
    unwrapper = SequenceUnwrapper()
    assert [unwrapper.unwrap(n) for n in (65_534, 65_535, 1, 0, 2)] == [
        65_534,
        65_535,
        65_537,
        65_536,
        65_538,
    ]
    assert unwrapper.highest == 65_538
    assert unwrapper.nearest(65_000) == 65_000


@pytest.mark.parametrize("to", [10, 20_000, 40_000, 64_000])
def test_a_jump_is_believed_at_the_second_packet(to: int) -> None:
    unwrapper = SequenceUnwrapper()
    for number in range(30_000, 30_100):
        unwrapper.unwrap(number)
    assert unwrapper.unwrap(to) is None
    restarted = unwrapper.unwrap(to + 1)
    assert restarted is not None
    assert restarted > 30_099
    assert restarted & 0xFFFF == to + 1
    assert (unwrapper.restarts, unwrapper.rejected) == (1, 1)
    assert unwrapper.unwrap(to + 2) == restarted + 1


def test_one_stray_packet_changes_nothing() -> None:
    unwrapper = SequenceUnwrapper()
    assert [unwrapper.unwrap(n) for n in (100, 40_000, 101, 40_001, 102)] == [100, None, 101, None, 102]
    assert unwrapper.restarts == 0


def test_probation() -> None:
    unwrapper = SequenceUnwrapper(min_sequential=3)
    assert unwrapper.nearest(5) is None
    assert [unwrapper.unwrap(n) for n in (5, 6, 9, 10, 11, 12)] == [None, None, None, None, 11, 12]


@given(st.integers(0, 0xFFFF), st.lists(st.integers(-99, 2999), max_size=100))
def test_unwrapping_follows_any_sender_that_does_not_jump(start: int, steps: list[int]) -> None:
    unwrapper = SequenceUnwrapper()
    unwrapper.unwrap(start)
    for step in steps:
        assert unwrapper.highest is not None
        expected = unwrapper.highest + step
        assert unwrapper.unwrap(expected & 0xFFFF) == expected


@given(st.lists(st.integers(0, 0xFFFF)))
def test_numbers_are_those_of_the_packets(numbers: list[int]) -> None:
    unwrapper = SequenceUnwrapper()
    for number in numbers:
        taken = unwrapper.unwrap(number)
        assert taken is None or taken & 0xFFFF == number


@given(st.integers(0, 1 << 40), st.lists(st.integers(-0x8000, 0x7FFF), max_size=20))
def test_an_unwrapper_follows_steps_of_less_than_half_of_the_range(start: int, steps: list[int]) -> None:
    unwrapper, number = Unwrapper(16, start), start
    for step in steps:
        number += step
        assert unwrapper.peek(number & 0xFFFF) == number
        assert unwrapper.unwrap(number & 0xFFFF) == unwrapper.last == number
