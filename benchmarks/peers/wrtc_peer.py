"""libwebrtc's process of a measurement, by the package ``wrtc``."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import av
import webrtc

from benchmarks.peers.asyncio_peer import main
from benchmarks.video_call import CLOCK_RATE
from tests.interop.peers.wrtc_peer import WrtcEngine

LEAST_HIGH_WATER = 1024 * 1024
"""What it does best with."""


class WrtcVideo:
    """Frames have W3C's format: ``wrtc`` requires and returns contiguous planes."""

    def __init__(self) -> None:
        self._writing: list[asyncio.Task[None]] = []

    def video_track(self, frames: AsyncIterator[av.VideoFrame]) -> Any:
        generator = webrtc.VideoTrackGenerator()

        async def write() -> None:
            writer = generator.writable.get_writer()
            async for frame in frames:
                await writer.write(_to_w3c(frame))

        self._writing.append(asyncio.create_task(write()))
        return generator.track

    async def frames_of(self, track: Any) -> AsyncIterator[av.VideoFrame]:
        processor = webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(track))
        async for frame in processor.readable:
            with frame:
                converted = await _luma_of(frame)
            yield converted

    async def set_bitrate(self, sender: Any, bitrate: int) -> None:
        parameters = sender.get_parameters()
        parameters.encodings[0].max_bitrate = bitrate
        await sender.set_parameters(parameters)

    def received_track(self, event: Any) -> Any:
        return event.track

    async def packets_sent(self, sender: Any) -> int:
        report = await sender.get_stats()
        stats = [stat.to_json() for stat in report.values()]
        return sum(stat["packetsSent"] for stat in stats if stat["type"] == "outbound-rtp")


def _to_w3c(frame: av.VideoFrame) -> Any:
    planes = b"".join(_rows(plane) for plane in frame.planes)
    moment = round((frame.pts or 0) * 1_000_000 / CLOCK_RATE)
    return webrtc.VideoFrame(
        planes, webrtc.VideoFrameBufferInit("I420", frame.width, frame.height, timestamp=moment)
    )


def _rows(plane: Any) -> bytes:
    """Return a plane without the padding at the end of its rows."""
    pixels, line = bytes(plane), plane.line_size
    if line == plane.width:
        return pixels[: line * plane.height]
    return b"".join(pixels[row * line : row * line + plane.width] for row in range(plane.height))


async def _luma_of(frame: Any) -> av.VideoFrame:
    """Return the luma plane, which is all that is read."""
    pixels = bytearray(frame.allocation_size())
    layout = (await frame.copy_to(pixels))[0]
    width, height = frame.visible_rect.width, frame.visible_rect.height
    picture = av.VideoFrame(width, height, "gray")
    plane = picture.planes[0]
    if plane.line_size == layout.stride:
        luma = bytes(pixels[layout.offset : layout.offset + height * layout.stride])
    else:
        starts = range(layout.offset, layout.offset + height * layout.stride, layout.stride)
        luma = b"".join(
            bytes(pixels[start : start + width]).ljust(plane.line_size, b"\0") for start in starts
        )
    plane.update(luma.ljust(plane.buffer_size, b"\0")[: plane.buffer_size])
    return picture


if __name__ == "__main__":
    main(WrtcEngine(), WrtcVideo(), least_high_water=LEAST_HIGH_WATER)
