"""Holds back the frames of a video stream that no receiver could decode.

A frame that is dropped between encoder and network leaves no gap in the sequence numbers: the receiver neither asks
for it again nor notices that the next one refers to it. And a receiver may be unable to ask for a keyframe, since PLI
(RFC 4585 section 6.3.1) and FIR (RFC 5104 section 4.3.1) are optional. So the sender has to go on with a keyframe.
"""

import math

import attrs

_INTERVAL = 0.3
"""Seconds between two requests: an encoder needs some time to answer the first, and may fail to."""


@attrs.define
class KeyframeGate:
    """Whether the next frame of a stream must be a keyframe: at first, and whenever a frame was dropped.

    Attributes:
        is_shut: Whether only a keyframe may pass.
        has_missed: Whether anything was dropped before packets could leave.
    """

    is_shut: bool = True
    has_missed: bool = False
    _requested_at: float = -math.inf

    def take_request(self, now: float, *, again: bool = False) -> bool:
        """Return whether to request a keyframe now.

        Args:
            now: Seconds.
            again: Whether the answer to a request of just now was lost, too.
        """
        if now < self._requested_at + _INTERVAL and not again:
            return False
        self._requested_at = now
        return True

    def take_missed(self) -> bool:
        """Return whether anything was dropped before packets could leave, once."""
        missed, self.has_missed = self.has_missed, False
        return missed
