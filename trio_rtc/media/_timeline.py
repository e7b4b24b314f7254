"""Where the frames of several tracks belong in one file."""

from fractions import Fraction

import attrs

_SAME_CLOCK = 1.0  # second


@attrs.define
class Timeline:
    """Maps each track's own time to the file's, which begins with the first frame.

    Tracks of one source (a player, a remote peer in lip-sync) share a clock: their frames keep the distance that their
    timestamps have. Whether they do is seen at their first frames: if the distance of their timestamps is that of
    their arrivals within a second. Tracks that do not (RTP timestamps begin anywhere) are placed by arrival.
    """

    _origin: tuple[Fraction, float] | None = None

    def place(self, media_time: Fraction, arrival: float) -> Fraction:
        """Return what to subtract from a track's times, given its first frame's time and arrival in seconds."""
        if self._origin is None:
            self._origin = (media_time, arrival)
            return media_time
        origin_time, origin_arrival = self._origin
        apart = Fraction(arrival - origin_arrival).limit_denominator(90_000)
        if abs(float(media_time - origin_time) - float(apart)) < _SAME_CLOCK:
            return origin_time
        return media_time - apart
