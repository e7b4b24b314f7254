"""Files, devices and synthetic sources on PyAV (extra ``media``)."""

from trio_rtc._strict_names.checks import check_public_arguments as _check_public_arguments

from ._container import media_limiter
from .devices import Device, DeviceKind, list_devices, open_camera, open_microphone, open_screen
from .pattern import PatternSource, draw_pattern, read_counter, test_pattern
from .player import Player, open_player
from .recorder import Recorder, open_recorder
from .sinks import Blackhole
from .tone import ToneSource, dominant_frequency, tone

__all__ = [
    "Blackhole",
    "Device",
    "DeviceKind",
    "PatternSource",
    "Player",
    "Recorder",
    "ToneSource",
    "dominant_frequency",
    "draw_pattern",
    "list_devices",
    "media_limiter",
    "open_camera",
    "open_microphone",
    "open_player",
    "open_recorder",
    "open_screen",
    "read_counter",
    "test_pattern",
    "tone",
]

_check_public_arguments(globals())
