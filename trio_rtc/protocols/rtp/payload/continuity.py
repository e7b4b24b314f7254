"""Whether a frame directly follows the previous one although sequence numbers between them are missing.

Sequence numbers are also used for packets without media: ULPFEC in RED and padding. These are not retransmitted, so
that a receiver would wait for them in vain. Codecs number their frames as well. When these numbers continue without a
gap, no frame is missing, whatever the missing packets were.

VP8 and VP9 have a picture ID (:mod:`..receive.video.frame_continuity`); H.264 and H.265 have numbers in slice headers
(:mod:`.nal_continuity`). AV1 as sent in calls has no order hints in the bitstream, and the dependency descriptor is not
negotiated, so that only the timestamps of temporal units remain.
"""

import enum
from collections.abc import Sequence
from typing import Protocol


class Continuity(enum.Enum):
    """The relation of a frame to the previous received one."""

    NEXT = "next"
    """No frame is missing between the two."""
    DECODABLE = "decodable"
    """Frames may be missing between the two, but this one does not reference them."""
    BROKEN = "broken"
    """Missing frames may be referenced by this one, or its beginning is missing."""
    UNKNOWN = "unknown"
    """The codec does not provide the information."""


class ContinuityTracker(Protocol):
    """Tracks the frame numbers of one stream."""

    def record(self, payloads: Sequence[bytes]) -> None:
        """Record the last received frame, usable or not."""

    def check(self, payloads: Sequence[bytes], missing: int) -> Continuity:
        """Return the relation of a frame to the last recorded one.

        Args:
            payloads: The frame's first received payloads, at least one, in order and without a gap.
            missing: The count of missing sequence numbers before them, at least one.
        """
