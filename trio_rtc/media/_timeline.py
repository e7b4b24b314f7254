"""Alignment of several tracks in one file."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

_SAME_CLOCK = 1.0  # second


class TrackStart(NamedTuple):
    """The timestamp and the arrival time of a track's first frame, both in seconds."""

    time: Fraction
    arrival: float


def track_origins(starts: Sequence[TrackStart]) -> list[Fraction]:
    """Return, for each track, its own timestamp at the beginning of the file, which is the earliest first frame.

    Tracks of one source (a player, a remote peer with synchronized media) share a clock, so that their frames keep the
    distances of their timestamps. A track is assumed to share the first track's clock if the distances of their
    timestamps and of their arrivals differ by less than a second. Other tracks (RTP timestamps begin anywhere) are
    aligned by arrival.
    """
    origins = [_origin_beside(starts[0], start) for start in starts]
    # Any track may be the earliest.
    earliest = min(
        (start.time - origin for start, origin in zip(starts, origins, strict=True)), default=Fraction(0)
    )
    return [origin + earliest for origin in origins]


def _origin_beside(first: TrackStart, start: TrackStart) -> Fraction:
    """Return a track's own timestamp at the time of the first track's first frame."""
    apart = Fraction(start.arrival - first.arrival).limit_denominator(90_000)
    if abs(float(start.time - first.time) - float(apart)) < _SAME_CLOCK:
        return first.time
    return start.time - apart
