"""How long to wait with playing, by how much the delay of what arrives varies.

The delay of a frame is its arrival less its timestamp in seconds. Nobody knows it absolutely, but the least one of the
last few hundred frames is that of an empty network, and what the others have more is what waiting has to make up for.
The target is a high percentile of it. The window is kept sorted, so a frame costs two binary searches; clock drift of
100 ppm moves a window of ten seconds by one millisecond, and so needs no model of its own.

A percentile wants many frames, and what a full queue has done to half a second of them would stay in it for nearly all
of the window. So the target is no more than the longest delay of the last few seconds: jitter that goes on shows its
percentile there again and again, a queue that is gone does not.

Audio that is late is heard, so a percentile of its frames is not enough: at 50 frames a second, 3 % of them are late
more than once a second. As in libwebrtc's NetEq the longest delay of each half second counts, and 19 of 20 such peaks
must be in time. Where media fills a slow link, bursts come every few seconds, and so peaks are remembered for 20
seconds. Peaks so long that waiting for them would disturb a conversation are not among them. Peaks that do not come
again are forgotten sooner: those of a height that was not reached for four seconds longer than ever between two of
them. So the queue of the first second of a call, or of a link that was slow for a while, does not delay what follows.

This is not the interarrival jitter of RFC 3550, which is a mean of differences and for reports only.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from itertools import pairwise

from trio_rtc.protocols.rtp.options import JitterOptions


class DelayPeaks:
    """The longest delays of the last intervals of equal length, beyond the least one.

    Attributes:
        percentile: What the wanted part of them does not exceed, in seconds.
    """

    __slots__ = ("_began", "_closed", "_options", "_present", "_repeated", "percentile")

    def __init__(self, options: JitterOptions) -> None:
        self._options = options
        self._closed: deque[float] = deque(maxlen=options.peaks)
        self._began = -math.inf
        self._present = math.inf
        # The greatest height that peaks still reach.
        self._repeated = math.inf
        self.percentile = 0.0

    def update(self, excess: float, arrival: float) -> None:
        """Record by how much the delay of a frame is beyond the least one."""
        options = self._options
        if arrival - self._began >= options.peak_interval:
            self.close_interval()
            self._began, self._present = arrival, -math.inf
        if excess > self._present:
            self._present = excess
            peaks = sorted((*self._closed, excess) if excess <= options.longest_peak else self._closed)
            rank = min(len(peaks) - 1, int(options.peak_percentile * len(peaks)))
            self.percentile = min(peaks[rank], max(self._repeated, excess)) if peaks else 0.0

    def close_interval(self) -> None:
        """End the present interval: the next frame begins another."""
        if 0 <= self._present <= self._options.longest_peak:
            self._closed.append(self._present)
            self._repeated = self._find_repeated()
        self._began, self._present = -math.inf, math.inf

    def _find_repeated(self) -> float:
        """Return the greatest height that peaks still reach, ``math.inf`` if all of them may come again."""
        highest = 0.0
        for silence, peak in enumerate(reversed(self._closed)):
            if peak > highest:
                if silence > self._options.peak_patience + self._longest_pause(highest):
                    return highest
                highest = peak
        return math.inf

    def _longest_pause(self, height: float) -> int:
        """Return after how many intervals at most there was another peak above a height."""
        above = [index for index, peak in enumerate(self._closed) if peak > height]
        return max((later - sooner for sooner, later in pairwise(above)), default=1)


class JitterEstimator:
    """Measures how the delay of the frames of one stream varies."""

    __slots__ = ("_count", "_last", "_longest", "_options", "_peaks", "_recent", "_sorted")

    def __init__(self, options: JitterOptions | None = None) -> None:
        self._options = options or JitterOptions()
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []
        # Delays that fall from left to right, with their numbers: the first is the longest of the last few seconds,
        # each next one the longest behind it.
        self._longest: deque[tuple[int, float]] = deque()
        self._peaks = DelayPeaks(self._options) if self._options.peak_interval else None
        self._count = 0
        self._last = 0.0

    @property
    def base_delay(self) -> float | None:
        """The least delay in the window, arrival less media time, in seconds; ``None`` before the first frame."""
        return self._sorted[0] if self._sorted else None

    @property
    def longest_delay(self) -> float | None:
        """The longest delay of the last few seconds, arrival less media time; ``None`` before the first frame."""
        return self._longest[0][1] if self._longest else None

    @property
    def target_delay(self) -> float:
        """How long after the earliest frames of their age frames are to be played, in seconds."""
        options = self._options
        delays = self._sorted
        if not delays:
            return options.min_delay
        rank = min(len(delays) - 1, int(options.percentile * len(delays)))
        wanted = min(delays[rank], self._longest[0][1]) - delays[0]
        if self._peaks is not None:
            reserve = options.peak_reserve * self._peaks.percentile
            wanted = max(wanted, self._peaks.percentile + reserve + options.peak_margin)
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
        if self._peaks is not None:
            self._peaks.update(delay - self._sorted[0], arrival)
        return delay - self._sorted[0]

    def reset(self) -> None:
        """Forget all frames, but not the peaks: whatever the sender's clock does, the network is the same."""
        self._recent.clear()
        self._sorted.clear()
        self._longest.clear()
        if self._peaks is not None:
            self._peaks.close_interval()

    def _note_longest(self, delay: float) -> None:
        longest = self._longest
        self._count += 1
        while longest and longest[-1][1] <= delay:
            longest.pop()
        longest.append((self._count, delay))
        if longest[0][0] <= self._count - min(self._options.remembered, self._options.window):
            longest.popleft()
