"""Recorded files, and what they were recorded from."""

import os
from pathlib import Path
from typing import Any, Final

import trio

from tests.strategies.video_frames import timed_pattern
from trio_rtc import media
from trio_rtc.codecs import create_audio_encoder, create_video_encoder
from trio_rtc.media import Recorder

COUNT: Final = 30
AUDIO_COUNT: Final = 50


def video_frames(codec: str | None = None, count: int = COUNT, offset: int = 0) -> list[Any]:
    encoder = None if codec is None else create_video_encoder(codec)
    items: list[Any] = []
    for counter in range(count):
        frame = timed_pattern(counter)
        frame.pts = (frame.pts or 0) + offset
        items += [frame] if encoder is None else encoder.encode(frame)
    if encoder is not None:
        encoder.close()
    return items


def audio_frames(codec: str | None = None, count: int = AUDIO_COUNT) -> list[Any]:
    encoder = None if codec is None else create_audio_encoder(codec)
    source = media.tone(440)
    frames = [source.next_frame() for _ in range(count)]
    return frames if encoder is None else [each for frame in frames for each in encoder.encode(frame)]


def channel_of(items: list[Any]) -> "trio.MemoryReceiveChannel[Any]":
    send, receive = trio.open_memory_channel[Any](len(items))
    for item in items:
        send.send_nowait(item)
    send.close()
    return receive


async def record(path: Path, *tracks: list[Any], **options: Any) -> Recorder:
    async with media.open_recorder(path, **options) as recorder:
        for items in tracks:
            recorder.add(channel_of(items))
        await recorder.wait()
    return recorder


async def play(path: Path, **options: Any) -> tuple[list[Any], list[Any], float]:
    """Return the audio and video frames of a player, and the seconds of playback."""
    played: dict[str, list[Any]] = {"audio": [], "video": []}

    async def collect(kind: str, channel: trio.abc.ReceiveChannel[Any]) -> None:
        async for frame in channel:
            played[kind].append(frame)

    begun = trio.current_time()
    async with media.open_player(path, **options) as player, trio.open_nursery() as nursery:
        for kind in played:
            if (channel := getattr(player, kind)) is not None:
                nursery.start_soon(collect, kind, channel)
    assert player.dropped == 0
    return played["audio"], played["video"], trio.current_time() - begun


def open_files() -> set[str]:
    return {
        os.readlink(f"/proc/self/fd/{each}")
        for each in os.listdir("/proc/self/fd")
        if each.isdigit() and os.path.lexists(f"/proc/self/fd/{each}")
    }


def seconds(frame: Any) -> float:
    if hasattr(frame, "clock_rate"):
        return float(frame.timestamp / frame.clock_rate)
    return float(frame.pts * frame.time_base)
