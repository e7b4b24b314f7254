"""Files, devices and synthetic sources on PyAV (extra ``media``)."""

from .pattern import PatternSource, draw_pattern, read_counter, test_pattern
from .tone import ToneSource, dominant_frequency, tone

__all__ = [
    "PatternSource",
    "ToneSource",
    "dominant_frequency",
    "draw_pattern",
    "read_counter",
    "test_pattern",
    "tone",
]
