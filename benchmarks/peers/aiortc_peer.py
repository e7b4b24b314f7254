"""aiortc's process of a measurement."""

from collections.abc import AsyncIterator
from typing import Any

import av
from aiortc.codecs import vpx

from benchmarks.peers.asyncio_peer import main
from tests.interop.peers.aiortc_peer import AiortcEngine

LEAST_HIGH_WATER = 16 * 1024
"""What it does best with: it sends a packet a message, and more in flight overflow the receiving socket's buffer."""


class AiortcVideo:
    """aiortc's frames and encoded packets are PyAV's."""

    def __init__(self, engine: AiortcEngine) -> None:
        self._engine = engine

    def video_track(self, frames: AsyncIterator[Any]) -> Any:
        return self._engine.video_track(frames)

    def frames_of(self, track: Any) -> AsyncIterator[av.VideoFrame]:
        return self._engine.frames_of(track)

    async def set_bitrate(self, sender: Any, bitrate: int) -> None:
        # A sender has no parameters to set: these are where its encoder begins, and the least it goes down to.
        vpx.DEFAULT_BITRATE = vpx.MIN_BITRATE = vpx.MAX_BITRATE = bitrate

    def received_track(self, event: Any) -> Any:
        return event

    async def packets_sent(self, sender: Any) -> int:
        report = await sender.getStats()
        return sum(stat.packetsSent for stat in report.values() if stat.type == "outbound-rtp")


if __name__ == "__main__":
    engine = AiortcEngine()
    main(engine, AiortcVideo(engine), least_high_water=LEAST_HIGH_WATER)
