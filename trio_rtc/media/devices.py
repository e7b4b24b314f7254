"""Camera, microphone and screen by FFmpeg's devices.

They differ by platform: ``v4l2``, ``alsa`` or ``pulse`` and ``x11grab`` on Linux, ``avfoundation`` on macOS, ``dshow``
and ``gdigrab`` on Windows. Which of them are available depends on the build of FFmpeg.
"""

import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Literal

import av
import trio

from trio_rtc import _attrs as attrs
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
    """A capture device.

    Attributes:
        kind: The kind of device.
        name: The argument of ``open_camera`` and its siblings.
        description: A human-readable description.
        format: FFmpeg's name of the device type.
        is_default: Whether it is used when no name is given.
    """

    kind: DeviceKind
    name: str
    description: str
    format: str
    is_default: bool = False


async def list_devices() -> list[Device]:
    """Return this machine's cameras, microphones and screens that FFmpeg finds.

    Devices of a type that FFmpeg cannot list are omitted; the log ``trio_rtc.media`` names the type and the reason.
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
    """Open a camera while the block runs; its frames are in the player's ``video``.

    Args:
        name: A name from :func:`list_devices`; ``None`` is the default device.
        width: Pixels; ``None`` is the camera's default.
        height: Pixels; ``None`` is the camera's default.
        framerate: Frames per second; ``None`` is the camera's default.
        options: Further options of FFmpeg's device.

    Raises:
        OSError: The camera does not exist or is in use, or FFmpeg was built without camera support.
    """
    return _open_device("camera", name, _video_options(width, height, framerate, options))


def open_microphone(
    name: str | None = None, *, options: Mapping[str, str] | None = None
) -> AbstractAsyncContextManager[Player]:
    """Open a microphone while the block runs; its frames are in the player's ``audio``.

    Args:
        name: A name from :func:`list_devices`; ``None`` is the default device.
        options: Options of FFmpeg's device.

    Raises:
        OSError: The microphone does not exist or is in use, or FFmpeg was built without microphone support.
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
    """Capture a screen while the block runs; its frames are in the player's ``video``.

    Args:
        name: The screen, on Linux an X display such as ``":0.0"``; ``None`` is the default.
        width: Pixels of the captured area; ``None`` is the whole screen.
        height: Pixels of the captured area; ``None`` is the whole screen.
        framerate: Frames per second.
        options: Further options of FFmpeg's device.

    Raises:
        OSError: The screen does not exist, or FFmpeg was built without screen capture.
    """
    return _open_device("screen", name, _video_options(width, height, framerate, options))


@contextlib.asynccontextmanager
async def _open_device(kind: DeviceKind, name: str | None, options: dict[str, str]) -> AsyncIterator[Player]:
    formats = [each for each in _formats(kind) if _is_built_in(each)]
    if not formats:
        raise OSError(f"no {kind}: FFmpeg was built without {kind} support for {sys.platform}")
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
            raise OSError(f"{kind} cannot be opened: {error}") from error
        yield player


def _video_options(
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
        from av.device import enumerate_input_devices  # noqa: PLC0415 - new in PyAV 17
    except ImportError:
        logger.info("cannot list the devices of %s: requires PyAV 17 or later", format_name)
        return []
    try:
        listed = enumerate_input_devices(format_name)
    except (av.FFmpegError, ValueError) as error:
        # No driver, or FFmpeg cannot list devices of this type. Other types are still listed.
        logger.info("cannot list the devices of %s: %s", format_name, error)
        return []
    return [
        Device(kind, each.name, each.description, format_name, each.is_default)
        for each in listed
        if not each.media_types or _MEDIA_TYPE[kind] in each.media_types
    ]
