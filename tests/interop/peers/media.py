"""Audio and video of the asyncio peers: the commands of ``media.js`` that both libraries support."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import attrs
import av

# Patterns and tones are ours; they are imported on demand, since that takes longer than a peer takes to
# start, and most peers have no media.

JsonObject = dict[str, Any]
ANALYZED_FRAMES = 10


class MediaEngine(Protocol):
    """Interface of the two libraries."""

    def transceivers(self, peer_connection: Any) -> list[Any]:
        """Return the transceivers."""

    def add_track(self, peer_connection: Any, track: Any) -> None:
        """Add a track."""

    def video_track(self, frames: AsyncIterator[av.VideoFrame]) -> Any:
        """Return a track of these video frames."""

    def audio_track(self, frames: AsyncIterator[av.AudioFrame]) -> Any:
        """Return a track of these audio frames."""

    def frames_of(self, track: Any) -> AsyncIterator[Any]:
        """Return the frames of a received track, as PyAV frames."""

    def codecs(self, kind: str) -> list[Any]:
        """Return the codecs, which have ``mimeType``."""


@attrs.define
class Media:
    """The commands for audio and video of a peer connection."""

    _engine: MediaEngine
    _pc: Callable[[], Any]
    _received: dict[str, AsyncIterator[Any]] = attrs.Factory(dict)

    @property
    def commands(self) -> dict[str, Callable[..., Any]]:
        """Commands by name."""
        return {
            "addSource": self._add_source,
            "preferCodec": self._prefer_codec,
            "readCounters": self._read_counters,
            "waitForTone": self._wait_for_tone,
        }

    async def _add_source(self, kind: str, encodings: None, **options: Any) -> int:
        if kind == "video":
            track = self._engine.video_track(_pattern(**options))
        else:
            track = self._engine.audio_track(_tone(**options))
        self._engine.add_track(self._pc(), track)
        return 0

    async def _prefer_codec(self, kind: str, name: str) -> None:
        wanted = {f"{kind}/{name}".lower(), "video/rtx"}
        codecs = [codec for codec in self._engine.codecs(kind) if codec.mimeType.lower() in wanted]
        for transceiver in self._engine.transceivers(self._pc()):
            if str(transceiver.sender.track.kind) == kind:
                transceiver.setCodecPreferences(codecs)

    def _frames(self, mid: str) -> AsyncIterator[Any]:
        if mid not in self._received:
            (track,) = [
                each.receiver.track for each in self._engine.transceivers(self._pc()) if each.mid == mid
            ]
            self._received[mid] = self._engine.frames_of(track)
        return self._received[mid]

    async def _read_counters(self, mid: str, count: int, least: int) -> list[int]:
        from trio_rtc.media import read_counter

        counters: list[int] = []
        async for frame in self._frames(mid):
            counter = read_counter(frame)
            if counter is not None and counter >= least and counter not in counters:
                counters.append(counter)
            if len(counters) == count:
                break
        return counters

    async def _wait_for_tone(self, mid: str, frequency: float, tolerance: float) -> float:
        frames: list[av.AudioFrame] = []
        async for frame in self._frames(mid):
            frames.append(frame)
            if len(frames) == ANALYZED_FRAMES:
                analyzed = _frequency_of(frames)
                if abs(analyzed - frequency) <= tolerance:
                    return analyzed
                frames.clear()
        raise EOFError("the track has ended")


def _frequency_of(frames: list[av.AudioFrame]) -> float:
    from trio_rtc.media import dominant_frequency

    try:
        return dominant_frequency(frames)
    except ValueError:  # libwebrtc plays silence of another rate before the first packet
        return math.nan


async def _pattern(start: int, width: int, height: int, framerate: int) -> AsyncIterator[av.VideoFrame]:
    """Yield frames like a camera, in real time, as the encoders and pacers of foreign libraries require."""
    from trio_rtc.media import draw_pattern

    begin = time.monotonic()
    number = 0
    while True:
        number = max(number + 1, int((time.monotonic() - begin) * framerate))
        await asyncio.sleep(begin + number / framerate - time.monotonic())
        frame = draw_pattern(start + number, width, height)
        frame.pts = round(number * 90_000 / framerate)
        yield frame


async def _tone(frequency: float) -> AsyncIterator[av.AudioFrame]:
    """Yield frames like a microphone, in real time."""
    from trio_rtc.media import tone

    source = tone(frequency)
    begin = time.monotonic()
    number = 0
    while True:
        await asyncio.sleep(begin + number * 0.02 - time.monotonic())
        yield source.next_frame()
        number += 1
