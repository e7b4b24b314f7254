"""The import of RTP before the first description with audio or video, step by step."""

import gc
import sys
from importlib import import_module
from typing import Final

import trio

_MODULES: Final = (
    "rtcp",
    "srtp.session",
    "bandwidth_estimation.delay_based",
    "bandwidth_estimation.estimator",
    "rtp.payload.h264",
    "rtp.payload.registry",
    "rtp.receive.video.pipeline",
    "rtp.receive.stream",
    "rtp.receive.receiver",
    "rtp.send.stream",
    "rtp.session",
)
"""Modules that an RTP session needs. A step imports one and what it needs, and all steps take about equally long."""


async def load_rtp() -> None:
    """Import the modules of RTP sessions, unless they are loaded.

    There is a checkpoint after each step, so that other tasks wait for a few milliseconds, not for all modules.
    """
    if f"trio_rtc.protocols.{_MODULES[-1]}" in sys.modules:
        return
    for name in _MODULES:
        _import(f"trio_rtc.protocols.{name}")
        await trio.lowlevel.checkpoint()


def _import(module: str) -> None:
    was_enabled = gc.isenabled()
    # A full collection takes longer than the import.
    gc.disable()
    try:
        import_module(module)
    finally:
        if was_enabled:
            gc.enable()
