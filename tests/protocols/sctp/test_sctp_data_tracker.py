"""The data tracker, compared with a simple model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols.sctp.rx.data_tracker import MAX_DUPLICATES, WINDOW, DataTracker


@given(
    st.lists(st.integers(-3, 40) | st.tuples(st.integers(-3, 40)), max_size=60),
    st.sampled_from([0, 1000, 0xFFFFFFF0]),
)
def test_the_tracker_agrees_with_a_set(steps: list[int | tuple[int]], initial: int) -> None:
    """An integer is a TSN that arrives, a tuple a FORWARD-TSN, both from the initial TSN on."""
    tracker = DataTracker(initial)
    seen: set[int] = set()
    cumulative = initial - 1
    for step in steps:
        if isinstance(step, int):
            tsn = tracker.unwrap((initial + step) & 0xFFFFFFFF)
            assert tsn == initial + step
            new = tsn > cumulative and tsn not in seen
            assert tracker.is_new(tsn) is new
            if new:
                tracker.add(tsn)
                seen.add(tsn)
        else:
            target = initial + step[0]
            assert tracker.forward(target) is (target > cumulative)
            cumulative = max(cumulative, target)
        while cumulative + 1 in seen:
            cumulative += 1
        assert tracker.cumulative_tsn == cumulative
        above = {tsn for first, last in tracker.ranges for tsn in range(first, last + 1)}
        assert above == {tsn for tsn in seen if tsn > cumulative}
        assert tracker.highest_tsn == max(above, default=cumulative)
        for (_, end), (start, _) in zip(tracker.ranges, tracker.ranges[1:], strict=False):
            assert end + 1 < start
        assert all(first <= last for first, last in tracker.gap_blocks())
    assert len(tracker.duplicates) <= MAX_DUPLICATES


@pytest.mark.parametrize(("offset", "taken"), [(1, True), (65535, True), (65536, False)])
def test_gap_blocks_reach_65535_tsns_ahead(offset: int, taken: bool) -> None:
    """Their offsets have 16 bits (RFC 9260 section 3.3.4)."""
    tracker = DataTracker(10)
    tracker.forward(500)
    assert tracker.is_new(500 + offset) is taken
    assert tracker.duplicates == []


@pytest.mark.parametrize(
    ("forwarded", "cumulative", "ranges"),
    [
        *((3, 3, [[5, 6], [12, 12]]), (4, 6, [[12, 12]]), (5, 6, [[12, 12]]), (9, 9, [[12, 12]])),
        *((10, 10, [[12, 12]]), (11, 12, []), (12, 12, []), (13, 13, [])),
    ],
)
def test_how_far_a_forward_tsn_moves_the_cumulative_tsn(
    forwarded: int, cumulative: int, ranges: list[list[int]]
) -> None:
    """Over all ranges that it reaches, and adjacent ones."""
    tracker = DataTracker(1)
    for tsn in (5, 6, 12):
        tracker.add(tsn)
    assert tracker.forward(forwarded)
    assert (tracker.cumulative_tsn, tracker.ranges) == (cumulative, ranges)


def test_the_tracker_rejects_tsns_that_no_gap_block_reaches() -> None:
    tracker = DataTracker(0)
    assert tracker.is_new(WINDOW - 1)
    assert not tracker.is_new(WINDOW)


def test_the_lowest_twenty_gap_blocks_are_reported() -> None:
    tracker = DataTracker(1)
    for tsn in range(3, 100, 2):
        tracker.add(tsn)
    assert tracker.gap_blocks() == tuple((tsn, tsn) for tsn in range(3, 43, 2))


def test_sixteen_duplicates_are_reported() -> None:
    tracker = DataTracker(100)
    for tsn in range(100):
        assert not tracker.is_new(tsn)
    assert tracker.take_duplicates() == tuple(range(16))
    assert tracker.take_duplicates() == ()


def test_ranges_are_joined_from_both_sides() -> None:
    tracker = DataTracker(1)
    for tsn, ranges in (
        *((5, [[5, 5]]), (9, [[5, 5], [9, 9]]), (6, [[5, 6], [9, 9]]), (8, [[5, 6], [8, 9]])),
        *((7, [[5, 9]]), (3, [[3, 3], [5, 9]]), (1, [[3, 3], [5, 9]]), (2, [[5, 9]]), (4, [])),
    ):
        assert tracker.is_new(tsn)
        tracker.add(tsn)
        assert tracker.ranges == ranges
    assert tracker.cumulative_tsn == tracker.highest_tsn == 9
