"""Alignment of several tracks in one file."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.media._timeline import TrackStart, track_origins


@pytest.mark.parametrize(
    ("starts", "origins"),
    [
        ([], []),
        ([(5, 0.0)], [5]),
        # One clock: the distance of the timestamps is kept, whichever track is the earliest.
        ([(5, 0.0), (6, 1.2)], [5, 5]),
        ([(6, 1.2), (5, 0.0)], [5, 5]),
        ([(5, 0.0), (5, 0.9)], [5, 5]),
        # Two clocks: the distance of the arrivals is kept.
        ([(5, 0.0), (5, 1.0)], [5, 4]),
        ([(5, 0.0), (1000, 0.5)], [5, Fraction(1999, 2)]),
        ([(1000, 0.5), (5, 0.0)], [Fraction(1999, 2), 5]),
    ],
)
def test_origins_of_tracks(starts, origins):
    assert track_origins([TrackStart(Fraction(time), arrival) for time, arrival in starts]) == origins


TIMES = st.integers(-(2**40), 2**40).map(lambda ticks: Fraction(ticks, 90_000))
ARRIVALS = st.integers(0, 10**6).map(lambda milliseconds: milliseconds / 1000)


@given(st.lists(st.builds(TrackStart, TIMES, ARRIVALS), min_size=1, max_size=5))
def test_the_earliest_first_frame_is_at_the_beginning_of_the_file(starts):
    begins = [start.time - origin for start, origin in zip(starts, track_origins(starts), strict=True)]
    assert min(begins) == 0


@given(TIMES, st.lists(st.integers(0, 900), min_size=1, max_size=5), st.integers(0, 10**6))
def test_tracks_of_one_clock_keep_the_distances_of_their_timestamps(time, delays, arrival):
    starts = [TrackStart(time + Fraction(each, 1000), arrival / 1000 + each / 1000) for each in delays]
    assert set(track_origins(starts)) == {time + Fraction(min(delays), 1000)}
