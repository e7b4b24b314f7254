"""RTP timestamps of video frames, and dropping of frames above a frame rate."""

import av

from trio_rtc import _attrs as attrs

VIDEO_CLOCK_RATE = 90_000
_SLACK = 0.1  # tolerated jitter of the source, as a fraction of the interval


@attrs.define
class VideoClock:
    """Computes strictly increasing 90 kHz timestamps of video frames, ``interval`` apart without any timestamp.

    When the source's time goes back (a file played in a loop), timestamps continue one interval after the last frame.
    """

    interval: int
    _last: int | None = None
    _offset: int = 0

    def timestamp(
        self, frame: av.VideoFrame, captured: float | None = None, repeated_after: float = 0.0
    ) -> int:
        """Return the timestamp of the next frame; see :meth:`.VideoEncoder.encode`."""
        following = 0 if self._last is None else self._last + self.interval
        if frame.pts is not None and frame.time_base is not None:
            shown_at = frame.pts * frame.time_base * VIDEO_CLOCK_RATE + repeated_after * VIDEO_CLOCK_RATE
            timestamp = round(shown_at) + self._offset
        elif captured is not None:
            timestamp = round(captured * VIDEO_CLOCK_RATE) + self._offset
        else:
            timestamp = following
        if self._last is not None and timestamp <= self._last:
            self._offset += following - timestamp
            timestamp = following
        self._last = timestamp
        return timestamp


@attrs.define
class FramerateLimiter:
    """Drops frames evenly so that a frame rate is not exceeded."""

    _due: float | None = None

    def admit(self, timestamp: int, framerate: float | None) -> bool:
        if framerate is None:
            self._due = None
            return True
        if framerate <= 0:
            return False
        interval = VIDEO_CLOCK_RATE / framerate
        if self._due is not None and timestamp < self._due - _SLACK * interval:
            return False
        late = self._due is None or timestamp - self._due > interval
        self._due = (timestamp if late or self._due is None else self._due) + interval
        return True
