"""When the last video frame is sent again.

A source that shows a still image gives no frame with which a request for a keyframe could be answered: from a viewer
who comes late, after a pause, or because a keyframe was dropped on its way. libwebrtc asks such sources for a refresh
frame. Here the sender encodes the last frame again.
"""

import math

import attrs

_DELAY = 0.15
"""Seconds in which a frame of the source can still answer a request: that is two frames at 15 a second."""
_ATTEMPTS = 6
"""How often a frame is repeated for one request, at intervals that double. Some repetitions are no keyframe: the
encoder may have produced one just before, or drop the frame to keep its rate."""


@attrs.define
class VideoRefresh:
    """Schedules the repetition of the last video frame of a sender.

    Attributes:
        due_at: When to repeat it; ``inf`` if no stream needs that.
    """

    due_at: float = math.inf
    _waiting: set[int] = attrs.field(factory=set)
    _attempts: int = 0

    def request(self, ssrcs: list[int], now: float) -> None:
        """Record that streams need a keyframe."""
        if not ssrcs:
            return
        self.due_at = min(self.due_at, now + _DELAY)
        self._waiting.update(ssrcs)
        self._attempts = 0

    def cancel(self, *ssrcs: int) -> None:
        """Record that streams need no keyframe any more: one is being sent, or they are paused."""
        self._waiting.difference_update(ssrcs)
        if not self._waiting:
            self.due_at = math.inf

    def frame_sent(self, now: float) -> None:
        """Wait for the next frame, if the one that was sent does not suffice."""
        if self._waiting:
            self.due_at = now + _DELAY * 2**self._attempts

    def begin(self, now: float) -> None:
        """Record that the frame is being repeated."""
        self._attempts += 1
        if self._attempts >= _ATTEMPTS:
            self._waiting.clear()
            self.due_at = math.inf
        else:
            self.frame_sent(now)
