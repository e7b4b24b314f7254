"""Detects whether a frame directly follows the previous one although sequence numbers between them are missing.

Sequence numbers are also used for packets without media: ULPFEC in RED and padding. These are not retransmitted, so
that a receiver would wait for them in vain. Codecs number their frames as well. When these numbers continue without a
gap, no frame is missing, whatever the missing packets were.

VP8 and VP9 have a picture ID (RFC 7741 and RFC 9628, sections 4.2); H.264 and H.265 have numbers in slice headers
(:mod:`.nal_continuity`). AV1 as sent in calls has no order hints in the bitstream, and the dependency descriptor is not
negotiated, so that only the timestamps of temporal units remain.
"""

import enum
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from trio_rtc.errors import ProtocolError

from .layers import LayerIds


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


_REMEMBERED: Final = 64
"""Frames back within which a reference is searched; P_DIFF has seven bits, but encoders reference the last few."""


class PictureIdTracker:
    """Tracks the picture IDs of VP8 or VP9.

    Args:
        read: Returns the layer ids of a payload, raising ``ProtocolError``.
        read_references: Returns the distances in frames to the references of a payload's frame, ``None`` if unknown,
            raising ``ProtocolError``.
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
        # The references of higher spatial layers are not examined.
        self._has_spatial_layers = False

    def record(self, payloads: Sequence[bytes]) -> None:
        """Record the last received frame."""
        try:
            self._last = self._read(payloads[0])
            self._has_spatial_layers = bool(self._read(payloads[-1]).spatial_id)
        except ProtocolError:
            self._last = None
        if self._last is not None and self._last.picture_id is not None:
            self._received.append(self._last.picture_id)

    def check(self, payloads: Sequence[bytes], missing: int) -> Continuity:
        """Return the relation of a frame to the last recorded one."""
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
            # The missing packets may be the lower layer of the same frame.
            return Continuity.BROKEN
        # RFC 7741 section 4.2: a receiver must not assume that the number of bits is constant.
        mask = (1 << min(last.picture_id_bits, layers.picture_id_bits)) - 1
        if missing > mask:
            # A whole cycle of picture IDs may be missing.
            return Continuity.UNKNOWN
        difference = (layers.picture_id - last.picture_id) & mask
        if difference == 1:
            return Continuity.NEXT
        return Continuity.DECODABLE if difference and self._has_references(payloads[0]) else Continuity.BROKEN

    def _has_references(self, payload: bytes) -> bool:
        """Return whether all references of a frame were received, if it lists them (VP9's flexible mode)."""
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
