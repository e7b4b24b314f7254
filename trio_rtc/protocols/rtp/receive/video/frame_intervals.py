"""What the timestamps of a stream say of missing packets between two frames.

Where a codec does not number its pictures, the time between two frames still tells whether another may have been
between them: less time than two of the usual intervals has no room for it.
"""

from collections import deque
from typing import Final

_WINDOW: Final = 64
_ENOUGH: Final = 8
_EQUAL: Final = 1.25
"""By how much the intervals of a camera differ."""
_ROOM: Final = 1.75
"""In so many of the shortest intervals there may have been another frame."""


class FrameIntervals:
    """Remembers the intervals between frames that surely followed each other."""

    __slots__ = ("_intervals", "_last")

    def __init__(self) -> None:
        self._intervals: deque[int] = deque(maxlen=_WINDOW)
        self._last: int | None = None

    def record(self, timestamp: int, *, adjacent: bool) -> None:
        """Record a frame that came out, and whether nothing was missing between it and the last one."""
        if adjacent and self._last is not None and timestamp > self._last:
            self._intervals.append(timestamp - self._last)
        self._last = timestamp

    def reset(self) -> None:
        """Forget the last frame: the next one has nothing to do with it."""
        self._last = None

    def excludes_a_frame(self, timestamp: int) -> bool:
        """Return whether a frame comes as soon after the last one as those that followed each other."""
        return len(self._intervals) >= _ENOUGH and self._is_within(timestamp, _EQUAL)

    def leaves_no_room(self, timestamp: int) -> bool:
        """Return whether another frame between the last one and this one would have been unusually early."""
        return self._is_within(timestamp, _ROOM)

    def _is_within(self, timestamp: int, factor: float) -> bool:
        if self._last is None or not self._intervals:
            return False
        return 0 < timestamp - self._last <= factor * min(self._intervals)
