"""Levels of decoded audio (W3C webrtc-stats, ``audioLevel`` and ``totalAudioEnergy``)."""

import math
from array import array
from operator import mul
from typing import Any, Final

_STRIDE: Final = 7
"""Every seventh sample gives a sufficient level; the number is odd, so that both channels of stereo are measured."""
_FORMATS: Final = {
    "s16": ("h", 32_768.0),
    "s32": ("i", 2_147_483_648.0),
    "flt": ("f", 1.0),
    "dbl": ("d", 1.0),
}
"""FFmpeg's sample format → code of the array, and full scale."""


def frame_level(frame: Any) -> float | None:
    """Return the root mean square of a frame's samples, 1 for full scale; ``None`` for an unknown format.

    Args:
        frame: An ``av.AudioFrame``; any other object has no level.
    """
    described, planes = getattr(frame, "format", None), getattr(frame, "planes", ())
    name = getattr(described, "name", "")
    code, full_scale = _FORMATS.get(name.removesuffix("p"), ("", 1.0))
    if not code or not planes or not frame.samples:
        return None
    per_plane = 1 if name.endswith("p") else len(frame.layout.channels)
    energy, count = 0.0, 0
    for plane in planes:
        values = array(code)
        values.frombytes(bytes(plane)[: frame.samples * per_plane * values.itemsize])
        values = values[::_STRIDE]
        energy += sum(map(mul, values, values))
        count += len(values)
    return min(1.0, math.sqrt(energy / count) / full_scale)
