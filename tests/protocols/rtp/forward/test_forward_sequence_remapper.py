"""Sequence numbers of forwarded packets: unique, in order and without gaps."""

from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.rtp.forward.sequence_remapper import SequenceRemapper


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=150))
def test_forwarded_packets_have_unique_numbers_in_order(arrivals: list[tuple[int, bool]]) -> None:
    numbers = SequenceRemapper(32)
    given_out: dict[int, int] = {}
    for number, is_media in arrivals:
        if not is_media:
            numbers.skip(number)
        elif (ours := numbers.remap(number)) is not None:
            assert number not in given_out
            given_out[number] = ours
    ordered = [ours for _, ours in sorted(given_out.items())]
    assert ordered == sorted(set(ordered))


def test_numbers_behind_skipped_ones_are_decreased() -> None:
    numbers = SequenceRemapper(32)
    for number in range(100):
        if number % 3:
            assert numbers.remap(number) == number - number // 3 - 1
        else:
            numbers.skip(number)
    numbers.skip(50)
    assert numbers.remap(100) == 66
