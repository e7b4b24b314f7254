"""Where the frames of several tracks belong in one file."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

_SAME_CLOCK = 1.0  # second


class Start(NamedTuple):
    """The first frame of a track: its own time, and when it came, both in seconds."""

    time: Fraction
    arrival: float


def origins_of(starts: Sequence[Start]) -> list[Fraction]:
    """Return, for each track, which of its own times is the beginning of the file: that of what is first of all.

    Tracks of one source (a player, a remote peer in lip-sync) share a clock: their frames keep the distance that their
    timestamps have. Whether they do is seen at their first frames: if the distance of their timestamps is that of
    their arrivals within a second. Tracks that do not (RTP timestamps begin anywhere) are placed by arrival.

    Args:
        starts: Of the tracks; whether they share a clock is told of each and the first.
    """
    origins = [_origin_beside(starts[0], start) for start in starts]
    # Any of them may have begun first.
    earliest = min(
        (start.time - origin for start, origin in zip(starts, origins, strict=True)), default=Fraction(0)
    )
    return [origin + earliest for origin in origins]


def _origin_beside(first: Start, start: Start) -> Fraction:
    """Return which of a track's own times is that of another one's first frame."""
    apart = Fraction(start.arrival - first.arrival).limit_denominator(90_000)
    if abs(float(start.time - first.time) - float(apart)) < _SAME_CLOCK:
        return first.time
    return start.time - apart
