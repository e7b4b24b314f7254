"""What can still be decoded after a loss, by temporal position.

Formats that number the pictures of their base layer (``TL0PICIDX``: RFC 7741 section 4.2, RFC 9628 section 4.2) tell
whether what was lost belongs to a higher layer, that nothing below it depends on.
"""

from typing import Final, Protocol

import attrs

_MAX_TEMPORAL_ID: Final = 7


@attrs.frozen
class LayerPosition:
    """Where a frame stands among the temporal position.

    Attributes:
        temporal_id: Its layer; 0 is the base.
        tl0_picture_index: Number of the base-layer frame that it is, or that came last before it; 8 bits.
        layer_sync: Whether it depends on the base layer only (VP8's Y bit).
        switching_up_point: Whether higher layers depend on nothing of theirs before it (VP9's U bit).
    """

    temporal_id: int
    tl0_picture_index: int
    layer_sync: bool = False
    switching_up_point: bool = False


class TemporalLayers(Protocol):
    """Tells the layers of a format that numbers the frames of its base layer."""

    def layer_position(self, payload: bytes) -> LayerPosition | None:
        """Return what the first payload of a frame tells, ``None`` if it does not."""


class TemporalContinuity:
    """Follows which frames have all that they depend on."""

    __slots__ = ("_base", "_broken", "_usable")

    def __init__(self) -> None:
        self._base: int | None = None
        # After a loss: the layers above the base that have been joined again at a frame that allows it.
        self._broken = False
        self._usable: set[int] = set()

    def begin(self, position: LayerPosition | None) -> None:
        """Start at a keyframe."""
        self._base = None if position is None else position.tl0_picture_index
        self._broken = False
        self._usable.clear()

    def lose(self) -> None:
        """Hear that frames are missing whose layers are not known."""
        self._broken = True
        self._usable.clear()

    def accepts_after_loss(self, position: LayerPosition | None) -> bool:
        """Return whether a frame can be decoded though frames before it are missing whose layers are not known."""
        if position is None or self._base is None:
            return False
        if not position.temporal_id:
            return position.tl0_picture_index == (self._base + 1) & 0xFF
        return position.tl0_picture_index == self._base and position.layer_sync

    def accepts(self, position: LayerPosition | None) -> bool:
        """Return whether a frame can be decoded with what was taken before it."""
        if not self._broken or self.accepts_after_loss(position):
            return True
        if position is None or not position.temporal_id or position.tl0_picture_index != self._base:
            return False
        return self._usable.issuperset(range(1, position.temporal_id + 1))

    def take(self, position: LayerPosition | None) -> None:
        """Hear that a frame was taken that is not a keyframe."""
        if position is None:
            return
        if not position.temporal_id:
            self._base = position.tl0_picture_index
        elif position.layer_sync:
            self._usable.add(position.temporal_id)
        if position.switching_up_point:
            # RFC 9628 section 4.2: higher layers depend on nothing of theirs before this picture.
            self._usable.update(range(position.temporal_id + 1, _MAX_TEMPORAL_ID + 1))
