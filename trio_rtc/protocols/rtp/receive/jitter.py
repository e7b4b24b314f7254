"""Estimation of the target playout delay from the variation of the delay of frames.

The delay of a frame is its arrival time less its timestamp in seconds. Its absolute value is not known, but the minimum
of the last few hundred frames is that of an empty network, and playout must compensate the excess of the others over
it. The target is a high percentile of the excess. The window is kept sorted, so a frame costs two binary searches;
clock drift of 100 ppm moves a window of ten seconds by one millisecond, and so needs no model of its own.

A percentile requires many frames, and a full queue that has delayed half a second of them would affect it for nearly
all of the window. So the target is at most the longest delay of the last few seconds: continuing jitter reaches its
percentile there again and again, a queue that has drained does not.

Late audio is audible, so a percentile of its frames is not enough: at 50 frames per second, 3 % of them are late more
than once a second. As in libwebrtc's NetEq the longest delay of each half second is used, and 19 of 20 such peaks must
be in time. Where media fills a slow link, bursts arrive every few seconds, and so peaks are kept for 20 seconds, except
peaks so long that waiting for them would disturb a conversation. Peaks that do not recur are dropped sooner: those of a
height that was not reached for four seconds longer than ever between two of them. So the queue of the first second of a
call, or of a link that was slow for a while, does not delay later audio.

This is not the interarrival jitter of RFC 3550, which is a mean of differences and for reports only.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from itertools import pairwise

from trio_rtc.protocols.rtp.options import JitterOptions


class DelayPeaks:
    """The longest delays of the last intervals of equal length, in excess of the minimum delay.

    Attributes:
        percentile: The percentile of them in seconds.
    """

    __slots__ = ("_began", "_closed", "_options", "_present", "_repeated", "percentile")

    def __init__(self, options: JitterOptions) -> None:
        self._options = options
        self._closed: deque[float] = deque(maxlen=options.peaks)
        self._began = -math.inf
        self._present = math.inf
        # The greatest height that recurs.
        self._repeated = math.inf
        self.percentile = 0.0

    def update(self, excess: float, arrival: float) -> None:
        """Record the excess of a frame's delay over the minimum delay."""
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
        """Close the present interval: the next frame opens another."""
        if 0 <= self._present <= self._options.longest_peak:
            self._closed.append(self._present)
            self._repeated = self._find_repeated()
        self._began, self._present = -math.inf, math.inf

    def _find_repeated(self) -> float:
        """Return the greatest height that recurs, ``math.inf`` if all peaks may recur."""
        highest = 0.0
        for silence, peak in enumerate(reversed(self._closed)):
            if peak > highest:
                if silence > self._options.peak_patience + self._longest_pause(highest):
                    return highest
                highest = peak
        return math.inf

    def _longest_pause(self, height: float) -> int:
        """Return the maximum number of intervals between two peaks above a height."""
        above = [index for index, peak in enumerate(self._closed) if peak > height]
        return max((later - sooner for sooner, later in pairwise(above)), default=1)


class JitterEstimator:
    """Measures the variation of the delay of the frames of one stream."""

    __slots__ = ("_count", "_last", "_longest", "_options", "_peaks", "_recent", "_sorted")

    def __init__(self, options: JitterOptions | None = None) -> None:
        self._options = options or JitterOptions()
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []
        # Decreasing delays, with their numbers: the first is the longest of the last few seconds, each next one the
        # longest behind it.
        self._longest: deque[tuple[int, float]] = deque()
        self._peaks = DelayPeaks(self._options) if self._options.peak_interval else None
        self._count = 0
        self._last = 0.0

    @property
    def base_delay(self) -> float | None:
        """The minimum delay in the window, arrival less media time, in seconds; ``None`` before the first frame."""
        return self._sorted[0] if self._sorted else None

    @property
    def longest_delay(self) -> float | None:
        """The longest delay of the last few seconds, arrival less media time; ``None`` before the first frame."""
        return self._longest[0][1] if self._longest else None

    @property
    def target_delay(self) -> float:
        """The delay of playout after the arrival of the fastest frames, in seconds."""
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
        """Record a frame.

        Args:
            media_time: Its timestamp in seconds.
            arrival: When it was complete.

        Returns:
            Its delay in excess of the base delay, in seconds.
        """
        delay = arrival - media_time
        if self._recent and abs(delay - self._last) > self._options.max_jump:
            # The sender has restarted, or a clock was set: earlier delays cannot be compared.
            self.reset()
        self._last = delay
        if len(self._recent) >= self._options.window:
            oldest = self._recent.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._recent.append(delay)
        insort(self._sorted, delay)
        self._record_longest(delay)
        if self._peaks is not None:
            self._peaks.update(delay - self._sorted[0], arrival)
        return delay - self._sorted[0]

    def reset(self) -> None:
        """Remove all frames, but not the peaks: the network is the same, even if the sender's clock is not."""
        self._recent.clear()
        self._sorted.clear()
        self._longest.clear()
        if self._peaks is not None:
            self._peaks.close_interval()

    def _record_longest(self, delay: float) -> None:
        longest = self._longest
        self._count += 1
        while longest and longest[-1][1] <= delay:
            longest.pop()
        longest.append((self._count, delay))
        if longest[0][0] <= self._count - min(self._options.remembered, self._options.window):
            longest.popleft()
