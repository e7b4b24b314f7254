"""Withholds the frames of a video stream that no receiver could decode.

A frame that is dropped between encoder and network leaves no gap in the sequence numbers: the receiver neither requests
it again nor detects that the next one refers to it. And a receiver may be unable to request a keyframe, since PLI
(RFC 4585 section 6.3.1) and FIR (RFC 5104 section 4.3.1) are optional. So the next frame must be a keyframe.
"""

import math

from trio_rtc import _attrs as attrs

_INTERVAL = 0.3
"""Seconds between two requests: an encoder takes some time to answer the first, and may drop its keyframe."""


@attrs.define
class KeyframeGate:
    """The state of a stream whose next frame must be a keyframe: at first, and whenever a frame was dropped.

    Attributes:
        is_shut: Whether only a keyframe may pass.
        has_missed: Whether a frame was dropped before packets could be sent.
    """

    is_shut: bool = True
    has_missed: bool = False
    _requested_at: float = -math.inf

    def take_request(self, now: float, *, again: bool = False) -> bool:
        """Return whether to request a keyframe now.

        ``again`` requests one before the interval is over, because the answer to the last was lost.
        """
        if now < self._requested_at + _INTERVAL and not again:
            return False
        self._requested_at = now
        return True

    def take_missed(self) -> bool:
        """Return whether a frame was dropped before packets could be sent, and reset that."""
        missed, self.has_missed = self.has_missed, False
        return missed
