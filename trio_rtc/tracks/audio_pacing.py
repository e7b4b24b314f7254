"""The timeline of audio that an application sends into a track: when each piece of it is heard.

Applications send audio as they get it: a microphone in pieces of 20 ms as they are captured, text to speech ten seconds
at once. Both become one timeline in real time. What comes while there is still something to be heard follows on that
without a gap; what comes after a pause begins at the moment when it comes, so that the pause is a gap in the RTP
timestamps.

All times are seconds of trio's clock.
"""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import attrs

ADVANCE = 0.3
"""How much audio a track takes in advance of the time at which it is heard."""
LATENESS = 0.1
"""What comes later than that after the end of what was before begins anew: less is a late live source, not a pause."""
_LONGEST_GAP = 10.0
"""A longer gap between the ``pts`` of two frames is a step to another clock."""
_SLEW = 0.001
"""By how much the timeline may run faster or slower than the clock, since no two clocks run alike."""
_PIECE = 0.02
_LONGEST_PIECE = 0.04
"""A frame that is longer is cut into pieces of 20 ms."""


@attrs.define
class AudioTimeline:
    """Says when audio is heard that is sent one frame after another.

    Attributes:
        end: When all that was scheduled has been heard; ``None`` before the first piece.
    """

    end: float | None = None
    _expected_pts: float | None = None
    _begins: deque[float] = attrs.Factory(deque)

    def begin(self, frame: Any, now: float) -> float:
        """Return when a frame that is sent now begins to be heard."""
        end = self.end
        if end is None:
            return now
        begin = end + self._gap(frame)
        if now > begin + LATENESS:
            return now
        correction: float = _SLEW * duration_of(frame)
        return begin + min(max(now - begin, -correction), correction)

    def schedule(self, piece: Any, now: float) -> float:
        """Put a piece on the timeline, and return when it begins to be heard."""
        duration = duration_of(piece)
        begin = self.begin(piece, now)
        self.end = begin + duration
        while self._begins and self._begins[0] < now:
            self._begins.popleft()
        self._begins.append(begin)
        pts = _seconds_of(piece)
        self._expected_pts = None if pts is None else pts + duration
        return begin

    def queued(self, now: float) -> float:
        """Return how many seconds of audio are still to be heard."""
        return 0.0 if self.end is None else max(self.end - now, 0.0)

    def drop(self, now: float) -> float | None:
        """Take out the pieces that have not begun yet, and return when the first of them would have begun."""
        first = next((begin for begin in self._begins if begin >= now), None)
        self._begins.clear()
        if first is not None:
            self.end = first
        return first

    def _gap(self, frame: Any) -> float:
        """Return for how long there is nothing between the last frame and this one, by what both say."""
        pts, expected = _seconds_of(frame), self._expected_pts
        if pts is None or expected is None or not LATENESS < pts - expected <= _LONGEST_GAP:
            return 0.0
        return pts - expected


def duration_of(frame: Any) -> float:
    """Return the seconds of an ``av.AudioFrame``."""
    seconds: float = frame.samples / frame.sample_rate
    return seconds


def pieces_of(frame: Any) -> Iterator[Any]:
    """Yield a frame in pieces that are short enough to be paced: as it is, or cut into 20 ms each."""
    rate, samples = frame.sample_rate, frame.samples
    if samples <= _LONGEST_PIECE * rate:
        yield frame
        return
    length = max(1, round(_PIECE * rate))
    planes = [bytes(plane) for plane in frame.planes]
    # Interleaved samples of all channels are in one plane.
    size = frame.format.bytes * (1 if frame.format.is_planar else len(frame.layout.channels))
    for begin in range(0, samples, length):
        count = min(length, samples - begin)
        piece = type(frame)(format=frame.format.name, layout=frame.layout.name, samples=count)
        for source, plane in zip(planes, piece.planes, strict=True):
            part = source[begin * size : (begin + count) * size]
            plane.update(part.ljust(plane.buffer_size, b"\0"))
        piece.sample_rate = rate
        if frame.time_base is not None:
            piece.time_base = frame.time_base
        if frame.pts is not None and frame.time_base is not None:
            piece.pts = frame.pts + round(Fraction(begin, rate) / frame.time_base)
        yield piece


def _seconds_of(frame: Any) -> float | None:
    if frame.pts is None or frame.time_base is None:
        return None
    return float(frame.pts * frame.time_base)
