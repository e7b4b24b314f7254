"""How long to wait with playing, by how much the delay of what arrives varies.

The delay of a frame is its arrival less its timestamp in seconds. Nobody knows it absolutely, but the least one of the
last few hundred frames is that of an empty network, and what the others have more is what waiting has to make up for.
The target is a high percentile of it. The window is kept sorted, so a frame costs two binary searches; clock drift of
100 ppm moves a window of ten seconds by one millisecond, and so needs no model of its own.

A percentile wants many frames, and what a full queue has done to half a second of them would stay in it for nearly all
of the window. So the target is no more than the longest delay of the last few seconds: jitter that goes on shows its
percentile there again and again, a queue that is gone does not.

This is not the interarrival jitter of RFC 3550, which is a mean of differences and for reports only.
"""

from bisect import bisect_left, insort
from collections import deque

from .options import JitterOptions


class JitterEstimator:
    """Measures how the delay of the frames of one stream varies."""

    __slots__ = ("_count", "_last", "_longest", "_options", "_recent", "_sorted")

    def __init__(self, options: JitterOptions | None = None) -> None:
        self._options = options or JitterOptions()
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []
        # Delays that fall from left to right, with their numbers: the first is the longest of the last few seconds,
        # each next one the longest behind it.
        self._longest: deque[tuple[int, float]] = deque()
        self._count = 0
        self._last = 0.0

    @property
    def base_delay(self) -> float | None:
        """The least delay in the window, arrival less media time, in seconds; ``None`` before the first frame."""
        return self._sorted[0] if self._sorted else None

    @property
    def target_delay(self) -> float:
        """How long after the earliest frames of their age frames are to be played, in seconds."""
        options = self._options
        delays = self._sorted
        if not delays:
            return options.min_delay
        rank = min(len(delays) - 1, int(options.percentile * len(delays)))
        wanted = min(delays[rank], self._longest[0][1]) - delays[0]
        return min(max(wanted, options.min_delay), options.max_delay)

    def update(self, media_time: float, arrival: float) -> float:
        """Hear that a frame has come.

        Args:
            media_time: Its timestamp in seconds.
            arrival: When it came, whole.

        Returns:
            Its delay beyond the base delay, in seconds.
        """
        delay = arrival - media_time
        if self._recent and abs(delay - self._last) > self._options.max_jump:
            # A sender that has started again, or a clock that was set: nothing before compares with it.
            self.reset()
        self._last = delay
        if len(self._recent) >= self._options.window:
            oldest = self._recent.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._recent.append(delay)
        insort(self._sorted, delay)
        self._note_longest(delay)
        return delay - self._sorted[0]

    def reset(self) -> None:
        """Forget all frames."""
        self._recent.clear()
        self._sorted.clear()
        self._longest.clear()

    def _note_longest(self, delay: float) -> None:
        longest = self._longest
        self._count += 1
        while longest and longest[-1][1] <= delay:
            longest.pop()
        longest.append((self._count, delay))
        if longest[0][0] <= self._count - min(self._options.remembered, self._options.window):
            longest.popleft()
