"""Repetition of the last video frame.

A source with a still image provides no frame with which a keyframe request could be answered, such as that of a viewer
who joins late, or after a pause or a dropped keyframe. libwebrtc requests a refresh frame from such sources. Here the
sender encodes the last frame again.
"""

import math

from trio_rtc import _attrs as attrs

_DELAY = 0.15
"""Seconds to wait for a frame of the source after a request: two frames at 15 per second."""
_ATTEMPTS = 6
"""Maximum number of repetitions for one request, at intervals that double. A repetition need not become a keyframe: the
encoder may have produced one just before, or its rate control may drop the frame."""


@attrs.define
class VideoRefresh:
    """Schedules the repetition of the last video frame of a sender.

    Attributes:
        due_at: Time of the next repetition, in seconds; ``inf`` if no stream needs one.
    """

    due_at: float = math.inf
    _waiting: set[int] = attrs.field(factory=set)
    _attempts: int = 0

    def request(self, ssrcs: list[int], now: float) -> None:
        if not ssrcs:
            return
        self.due_at = min(self.due_at, now + _DELAY)
        self._waiting.update(ssrcs)
        self._attempts = 0

    def cancel(self, *ssrcs: int) -> None:
        """Cancel the requests of streams whose keyframe is being sent, or which are paused."""
        self._waiting.difference_update(ssrcs)
        if not self._waiting:
            self.due_at = math.inf

    def record_sent(self, now: float) -> None:
        """Record a sent frame, and schedule a repetition if a stream still needs a keyframe."""
        if self._waiting:
            self.due_at = now + _DELAY * 2**self._attempts

    def begin(self, now: float) -> None:
        self._attempts += 1
        if self._attempts >= _ATTEMPTS:
            self._waiting.clear()
            self.due_at = math.inf
        else:
            self.record_sent(now)
