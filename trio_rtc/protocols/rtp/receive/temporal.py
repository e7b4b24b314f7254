"""What can still be decoded after a loss, by temporal layers.

Formats that number the pictures of their base layer (``TL0PICIDX``: RFC 7741 section 4.2, RFC 9628 section 4.2) tell
whether what was lost belongs to a higher layer, that nothing below it depends on.
"""

from typing import Protocol

import attrs


@attrs.frozen
class LayerPosition:
    """Where a frame stands among the temporal layers.

    Attributes:
        temporal_id: Its layer; 0 is the base.
        tl0_picture_index: Number of the base-layer frame that it is, or that came last before it; 8 bits.
        layer_sync: Whether it depends on the base layer only.
    """

    temporal_id: int
    tl0_picture_index: int
    layer_sync: bool = False


class TemporalLayers(Protocol):
    """What a depacketizer offers whose format tells its temporal layers."""

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

    def lose(self) -> None:
        """Hear that frames are missing whose layers are not known."""
        self._broken = True
        self._usable.clear()

    def accepts(self, position: LayerPosition | None) -> bool:
        """Return whether a frame can be decoded with what was taken before it."""
        if not self._broken:
            return True
        if position is None or self._base is None:
            return False
        if not position.temporal_id:
            return position.tl0_picture_index == (self._base + 1) & 0xFF
        if position.tl0_picture_index != self._base:
            return False
        return position.layer_sync or self._usable.issuperset(range(1, position.temporal_id + 1))

    def take(self, position: LayerPosition | None) -> None:
        """Hear that a frame was taken."""
        if position is None:
            return
        if not position.temporal_id:
            self._base = position.tl0_picture_index
        elif position.layer_sync:
            self._usable.add(position.temporal_id)
