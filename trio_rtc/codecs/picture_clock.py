"""RTP timestamps for pictures, and which pictures to leave out."""

import attrs
import av

VIDEO_CLOCK_RATE = 90_000
_SLACK = 0.1  # of an interval: sources are not exact


@attrs.define
class PictureClock:
    """Gives each picture its timestamp in 90 kHz, always later than the one before.

    A source that has begun anew (a file that is played in a loop) goes on one interval after its last picture.

    Attributes:
        interval: Ticks between pictures, for those of which nothing tells their time.
    """

    interval: int
    _last: int | None = None
    _offset: int = 0

    def timestamp(
        self, frame: av.VideoFrame, captured: float | None = None, repeated_after: float = 0.0
    ) -> int:
        """Return the timestamp of the next picture.

        Args:
            frame: The picture.
            captured: When it was captured, in seconds, for one that does not tell.
            repeated_after: Seconds that have passed since the time that it tells.
        """
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
class PictureSelector:
    """Leaves pictures out, evenly, so that no more than a given number come in a second."""

    _due: float | None = None

    def select(self, timestamp: int, framerate: float | None) -> bool:
        """Return whether the picture is to be encoded."""
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
