"""Sequence numbers that were seen."""

from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceWindow


@given(st.lists(st.integers(0, 200), max_size=120), st.none() | st.integers(0, 100))
def test_a_number_is_new_once(numbers: list[int], seen_up_to: int | None) -> None:
    seen = SequenceWindow(64, seen_up_to)
    highest = -1000 if seen_up_to is None else seen_up_to
    before = set() if seen_up_to is None else set(range(seen_up_to + 1))
    for number in numbers:
        assert seen.add(number) == (number not in before and number > highest - 64)
        before.add(number)
        highest = max(highest, number)
