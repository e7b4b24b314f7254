"""Whether a frame follows on the last one although sequence numbers between the two are missing.

Sequence numbers are not only spent on media: ULPFEC in RED and padding take some too, are not retransmitted, and a
receiver that waits for them waits in vain. Codecs number their pictures as well. When the picture numbers go on without
a gap, no picture is missing, whatever the missing packets were.

VP8 and VP9 have a picture id (RFC 7741 and RFC 9628, sections 4.2); H.264 and H.265 have their numbers in the slice
headers (:mod:`.nal_continuity`). AV1 has none in the bitstream as it is sent in calls, without order hints, and its
dependency descriptor is not negotiated: there only the timestamps of temporal units tell.
"""

import enum
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from trio_rtc.errors import ProtocolError

from .layers import LayerIds


class Continuity(enum.Enum):
    """How a frame relates to the last one before it that has come."""

    NEXT = "next"
    """No picture is between the two."""
    DECODABLE = "decodable"
    """Pictures may be between the two, but this one refers to none of them."""
    BROKEN = "broken"
    """Pictures are missing that this one may refer to, or its beginning is missing."""
    UNKNOWN = "unknown"
    """The codec does not tell."""


class ContinuityTracker(Protocol):
    """Follows the picture numbers of one stream."""

    def record(self, payloads: Sequence[bytes]) -> None:
        """Record the frame that came last, whether it could be used or not."""

    def check(self, payloads: Sequence[bytes], missing: int) -> Continuity:
        """Return how a frame relates to the one recorded last.

        Args:
            payloads: The first that are there of the frame, at least one, in order and without a gap.
            missing: How many sequence numbers before them have not come, at least one.
        """


_REMEMBERED: Final = 64
"""Pictures back that a reference is looked for; P_DIFF has seven bits, encoders refer to the last few."""


class PictureIdTracker:
    """Follows the picture ids of VP8 or VP9.

    Args:
        read: Returns what a payload tells about layers, raising ``ProtocolError``.
        read_references: Returns by how many pictures those lie back that a payload's picture refers to, ``None`` if it
            does not tell, raising ``ProtocolError``.
    """

    def __init__(
        self,
        read: Callable[[bytes], LayerIds],
        read_references: Callable[[bytes], tuple[int, ...] | None] | None = None,
    ) -> None:
        self._read = read
        self._read_references = read_references
        self._last: LayerIds | None = None
        self._received: deque[int] = deque(maxlen=_REMEMBERED)
        # Frames of higher spatial layers have references that are not looked at.
        self._has_spatial_layers = False

    def record(self, payloads: Sequence[bytes]) -> None:
        """Record the frame that came last."""
        try:
            self._last = self._read(payloads[0])
            self._has_spatial_layers = bool(self._read(payloads[-1]).spatial_id)
        except ProtocolError:
            self._last = None
        if self._last is not None and self._last.picture_id is not None:
            self._received.append(self._last.picture_id)

    def check(self, payloads: Sequence[bytes], missing: int) -> Continuity:
        """Return how a frame relates to the one recorded last."""
        last = self._last
        try:
            layers = self._read(payloads[0])
        except ProtocolError:
            return Continuity.UNKNOWN
        if not layers.starts_layer_frame:
            return Continuity.BROKEN
        if last is None or last.picture_id is None or layers.picture_id is None:
            return Continuity.UNKNOWN
        if (layers.spatial_id or 0) > (last.spatial_id or 0):
            # What is missing may be the same picture's lower layer.
            return Continuity.BROKEN
        # RFC 7741 section 4.2: a receiver must not assume that the number of bits stays the same.
        mask = (1 << min(last.picture_id_bits, layers.picture_id_bits)) - 1
        if missing > mask:
            # As many pictures as the ids can count may be missing.
            return Continuity.UNKNOWN
        difference = (layers.picture_id - last.picture_id) & mask
        if difference == 1:
            return Continuity.NEXT
        return Continuity.DECODABLE if difference and self._has_references(payloads[0]) else Continuity.BROKEN

    def _has_references(self, payload: bytes) -> bool:
        """Return whether all pictures have come that a picture refers to, if it names them (VP9's flexible mode)."""
        if self._read_references is None or self._has_spatial_layers:
            return False
        try:
            layers, references = self._read(payload), self._read_references(payload)
        except ProtocolError:
            return False
        if references is None or layers.picture_id is None:
            return False
        mask = (1 << layers.picture_id_bits) - 1
        return all((layers.picture_id - back) & mask in self._received for back in references)
