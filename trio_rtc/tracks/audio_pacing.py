"""Playout timeline of the audio that an application sends into a track.

Applications send audio as they produce it: a microphone every 20 ms, text to speech ten seconds at once. Both become
one timeline in real time. Audio that is sent while earlier audio is queued follows it without a gap. Audio that is sent
after a pause begins at once, so that the pause becomes a gap in the RTP timestamps.

A live source that was halted, for example because the process had no CPU time, then sends the missed frames at once,
with continuous ``pts``. They are not a pause but late, and keep their places on the timeline: otherwise its audio would
be delayed from then on. A source is live if it has sent audio in real time for a second.

All times are in seconds of trio's clock.
"""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from trio_rtc import _attrs as attrs

MAX_QUEUED = 0.3
"""Maximum duration of queued audio."""
MAX_LATENESS = 0.1
"""Maximum delay of audio behind the end of the previous audio: more is a pause or a halt."""
_MAX_HALT = 0.5
"""Maximum delay of audio from a live source that was halted: receivers drop what is later."""
_CATCH_UP_TIME = 1.0
"""Maximum duration of larger delays than ``MAX_LATENESS``; a source that then is still late was paused."""
_DECISION_TIME = 0.1
"""Time after which a late source that does not catch up was paused."""
_LIVE_AFTER = 1.0
"""Duration of audio in real time after which a source is live."""
_MIN_GAP = 0.035
"""Minimum gap between the ``pts`` of two frames: the timestamps of files are rounded."""
_MAX_GAP = 10.0
"""Maximum gap between the ``pts`` of two frames; a longer one is a change of the clock."""
_MAX_SLEW = 0.001
"""Maximum rate of correction of clock drift between the source and trio's clock."""
_PIECE_DURATION = 0.02
_MAX_FRAME_DURATION = 0.04
"""Longer frames are split into pieces of 20 ms."""


@attrs.define
class AudioTimeline:
    """Schedules the playout of consecutive audio frames.

    Attributes:
        end: End of the last scheduled piece; ``None`` before the first one.
    """

    end: float | None = None
    _expected_pts: float | None = None
    _live_from: float = 0.0
    _late_since: float | None = None
    _late_by: float = 0.0
    _start_times: deque[float] = attrs.Factory(deque)

    def begin(self, frame: Any, now: float) -> float:
        end = self.end
        if end is None:
            return now
        begin = end + self._gap(frame)
        if now > begin + MAX_LATENESS and not self._was_halted(frame, begin, now):
            return now
        correction: float = _MAX_SLEW * duration_of(frame)
        return begin + min(max(now - begin, -correction), correction)

    def schedule(self, piece: Any, now: float) -> float:
        """Append a piece to the timeline, and return its start time."""
        duration = duration_of(piece)
        begin = self.begin(piece, now)
        self._record_lateness(begin, now)
        self.end = begin + duration
        while self._start_times and self._start_times[0] < now:
            self._start_times.popleft()
        self._start_times.append(begin)
        pts = _seconds_of(piece)
        self._expected_pts = None if pts is None else pts + duration
        return begin

    def queued(self, now: float) -> float:
        """Return the seconds of audio that have not been played yet."""
        return 0.0 if self.end is None else max(self.end - now, 0.0)

    def drop(self, now: float) -> float | None:
        """Remove the pieces that have not begun, and return the start time of the first of them."""
        first = next((begin for begin in self._start_times if begin >= now), None)
        self._start_times.clear()
        if first is not None:
            self.end = first
        return first

    def _gap(self, frame: Any) -> float:
        """Return the gap between the last frame and this one by their ``pts``; 0 if it is not a pause."""
        pts, expected = _seconds_of(frame), self._expected_pts
        if pts is None or expected is None or not _MIN_GAP < pts - expected <= _MAX_GAP:
            return 0.0
        return pts - expected

    def _was_halted(self, frame: Any, begin: float, now: float) -> bool:
        """Return whether a late frame is of a live source that sends what it has missed."""
        pts, expected = _seconds_of(frame), self._expected_pts
        if pts is None or expected is None or abs(pts - expected) > _MIN_GAP:
            return False
        if begin - self._live_from < _LIVE_AFTER or now - begin > _MAX_HALT:
            return False
        if self._late_since is None:
            return True
        elapsed = now - self._late_since
        if elapsed < _DECISION_TIME:
            return True
        # The lateness of a source that catches up decreases.
        return elapsed < _CATCH_UP_TIME and now - begin < self._late_by - elapsed / 2

    def _record_lateness(self, begin: float, now: float) -> None:
        is_pause = self.end is None or begin - self.end > _MIN_GAP
        if is_pause or begin - now > MAX_LATENESS:
            # Audio that is queued in advance is not live.
            self._live_from = begin
        if is_pause or now - begin <= MAX_LATENESS:
            self._late_since = None
        elif self._late_since is None:
            self._late_since, self._late_by = now, now - begin


def duration_of(frame: Any) -> float:
    """Return the duration of an ``av.AudioFrame`` in seconds."""
    seconds: float = frame.samples / frame.sample_rate
    return seconds


def split_frame(frame: Any) -> Iterator[Any]:
    """Yield pieces of a frame that are short enough to be paced: the frame itself, or pieces of 20 ms."""
    rate, samples = frame.sample_rate, frame.samples
    if samples <= _MAX_FRAME_DURATION * rate:
        yield frame
        return
    length = max(1, round(_PIECE_DURATION * rate))
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
