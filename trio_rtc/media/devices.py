"""Camera, microphone and screen, by FFmpeg's devices.

They differ by platform: ``v4l2``, ``alsa`` or ``pulse`` and ``x11grab`` on Linux, ``avfoundation`` on macOS, ``dshow``
and ``gdigrab`` on Windows. Which of them there are depends on how PyAV was built.
"""

import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Literal

import attrs
import av
import trio

from trio_rtc._environment import require_trio

from .player import Player, Source, play

logger = logging.getLogger("trio_rtc.media")

DeviceKind = Literal["camera", "microphone", "screen"]

_FORMATS: dict[str, dict[DeviceKind, tuple[str, ...]]] = {
    "linux": {"camera": ("v4l2",), "microphone": ("pulse", "alsa"), "screen": ("x11grab",)},
    "darwin": {"camera": ("avfoundation",), "microphone": ("avfoundation",), "screen": ("avfoundation",)},
    "win32": {"camera": ("dshow",), "microphone": ("dshow",), "screen": ("gdigrab",)},
}
_MEDIA_TYPE = {"camera": "video", "microphone": "audio", "screen": "video"}
_PREFIXES = {
    ("dshow", "camera"): "video=",
    ("dshow", "microphone"): "audio=",
    ("avfoundation", "microphone"): ":",
}


@attrs.frozen
class Device:
    """A device that can be captured.

    Attributes:
        kind: What it is.
        name: What ``open_camera`` and its siblings take.
        description: For people.
        format: FFmpeg's name of the kind of device.
        is_default: Whether it is the one that is taken when none is named.
    """

    kind: DeviceKind
    name: str
    description: str
    format: str
    is_default: bool = False


async def list_devices() -> list[Device]:
    """Return the cameras, microphones and screens of this machine that FFmpeg finds.

    Those of a kind of device that cannot be listed are left out; the log ``trio_rtc.media`` tells which and why.
    """
    require_trio("media.list_devices")
    return await trio.to_thread.run_sync(_list_devices)


def open_camera(
    name: str | None = None,
    *,
    width: int | None = None,
    height: int | None = None,
    framerate: float | None = None,
    options: Mapping[str, str] | None = None,
) -> AbstractAsyncContextManager[Player]:
    """Open a camera; its pictures are in ``video`` of the player.

    Args:
        name: As :func:`list_devices` tells it; ``None`` is the default.
        width: Pixels; ``None`` leaves it to the camera.
        height: Pixels.
        framerate: Pictures per second.
        options: Further options of FFmpeg's device.

    Raises:
        OSError: There is no such camera, or it is in use, or this build of FFmpeg has no cameras.
    """
    return _open_device("camera", name, _picture_options(width, height, framerate, options))


def open_microphone(
    name: str | None = None, *, options: Mapping[str, str] | None = None
) -> AbstractAsyncContextManager[Player]:
    """Open a microphone; its sound is in ``audio`` of the player.

    Args:
        name: As :func:`list_devices` tells it; ``None`` is the default.
        options: Options of FFmpeg's device.

    Raises:
        OSError: There is no such microphone, or it is in use, or this build of FFmpeg has none.
    """
    return _open_device("microphone", name, dict(options or {}))


def open_screen(
    name: str | None = None,
    *,
    width: int | None = None,
    height: int | None = None,
    framerate: float = 15.0,
    options: Mapping[str, str] | None = None,
) -> AbstractAsyncContextManager[Player]:
    """Capture the screen; its pictures are in ``video`` of the player.

    Args:
        name: Which screen: on Linux an X display such as ``":0.0"``; ``None`` is the default.
        width: Pixels of the part that is captured; ``None`` is all.
        height: Pixels.
        framerate: Pictures per second.
        options: Further options of FFmpeg's device.

    Raises:
        OSError: There is no such screen, or this build of FFmpeg cannot capture any.
    """
    return _open_device("screen", name, _picture_options(width, height, framerate, options))


@contextlib.asynccontextmanager
async def _open_device(kind: DeviceKind, name: str | None, options: dict[str, str]) -> AsyncIterator[Player]:
    formats = [each for each in _formats(kind) if _is_built_in(each)]
    if not formats:
        raise OSError(f"no {kind}: this build of FFmpeg cannot capture any on {sys.platform}")
    error: Exception | None = None
    async with contextlib.AsyncExitStack() as stack:
        for format_name in formats:
            device = _PREFIXES.get((format_name, kind), "") + (name or _default(kind, format_name))
            source = Source(device, format_name, options, pacing="live")
            try:
                player = await stack.enter_async_context(play(source))
                break
            except (OSError, ValueError) as failure:
                error = failure
        else:
            raise OSError(f"the {kind} cannot be opened: {error}") from error
        yield player


def _picture_options(
    width: int | None, height: int | None, framerate: float | None, options: Mapping[str, str] | None
) -> dict[str, str]:
    chosen: dict[str, str] = {}
    if width is not None and height is not None:
        chosen["video_size"] = f"{width}x{height}"
    if framerate is not None:
        chosen["framerate"] = str(framerate)
    return {**chosen, **(options or {})}


def _formats(kind: DeviceKind) -> tuple[str, ...]:
    platform = "linux" if sys.platform.startswith("linux") else sys.platform
    return _FORMATS.get(platform, {}).get(kind, ())


def _is_built_in(format_name: str) -> bool:
    return any(format_name in names.split(",") for names in av.formats_available)


def _default(kind: DeviceKind, format_name: str) -> str:
    if format_name == "v4l2":
        return "/dev/video0"
    if format_name == "x11grab":
        return os.environ.get("DISPLAY", ":0.0")
    if format_name == "gdigrab":
        return "desktop"
    if format_name == "avfoundation":
        return "Capture screen 0" if kind == "screen" else "default"
    return "default"


def _list_devices() -> list[Device]:
    """Runs in a thread."""
    found: list[Device] = []
    kinds: tuple[DeviceKind, ...] = ("camera", "microphone")
    for kind in kinds:
        for format_name in _formats(kind):
            found += _devices_of(kind, format_name)
    display = os.environ.get("DISPLAY")
    if display and "x11grab" in _formats("screen"):
        found.append(Device("screen", display, f"X display {display}", "x11grab", is_default=True))
    return found


def _devices_of(kind: DeviceKind, format_name: str) -> list[Device]:
    if not _is_built_in(format_name):
        return []
    try:
        from av.device import enumerate_input_devices  # noqa: PLC0415 - PyAV has it from version 17 on
    except ImportError:
        logger.info("the devices of %s cannot be listed: PyAV does so from version 17 on", format_name)
        return []
    try:
        listed = enumerate_input_devices(format_name)
    except (av.FFmpegError, ValueError) as error:
        # No driver, or FFmpeg cannot list what this format has. What the others have is listed all the same.
        logger.info("the devices of %s cannot be listed: %s", format_name, error)
        return []
    return [
        Device(kind, each.name, each.description, format_name, each.is_default)
        for each in listed
        if not each.media_types or _MEDIA_TYPE[kind] in each.media_types
    ]
