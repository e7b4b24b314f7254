"""Cameras, microphones and screens, and errors of missing ones."""

import sys
from types import SimpleNamespace

import av
import pytest

from trio_rtc import media


async def test_devices_are_listed():
    for device in await media.list_devices():
        assert device.kind in ("camera", "microphone", "screen")
        assert device.name


@pytest.mark.parametrize(
    ("opener", "name"),
    [
        (media.open_camera, "/dev/no-such-camera"),
        (media.open_microphone, "no-such-microphone"),
        (media.open_screen, ":987.0"),
    ],
)
async def test_missing_device_raises(autojump_clock, opener, name, capfd):
    with pytest.raises(OSError, match="cannot be opened"):
        async with opener(name):
            pass
    capfd.readouterr()  # messages of the audio and screen libraries


async def test_platform_without_devices_raises(autojump_clock, monkeypatch):
    monkeypatch.setattr("sys.platform", "plan9")
    with pytest.raises(OSError, match="no camera"):
        async with media.open_camera():
            pass
    assert await media.list_devices() == []


async def test_devices_are_listed_although_one_type_fails(autojump_clock, monkeypatch, caplog):
    def list_one(format_name):
        if format_name == "v4l2":
            raise av.error.NotImplementedError(38, "not implemented")
        return [SimpleNamespace(name="hw:0", description="the one", is_default=True, media_types=["audio"])]

    monkeypatch.setattr("sys.platform", "linux")
    # This module is new in PyAV 17.
    monkeypatch.setitem(sys.modules, "av.device", SimpleNamespace(enumerate_input_devices=list_one))
    monkeypatch.setattr("av.formats_available", {"v4l2", "alsa"})
    monkeypatch.delenv("DISPLAY", raising=False)
    with caplog.at_level("INFO", logger="trio_rtc.media"):
        assert await media.list_devices() == [
            media.Device("microphone", "hw:0", "the one", "alsa", is_default=True)
        ]
    assert "cannot list the devices of v4l2" in caplog.text
