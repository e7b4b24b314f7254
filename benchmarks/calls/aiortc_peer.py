"""aiortc's peer of a call."""

from collections.abc import AsyncIterator
from typing import Any

from aiortc.mediastreams import MediaStreamError

from benchmarks.calls.asyncio_peer import frame_numbers, main, tone_frames
from benchmarks.calls.scene import Scene
from tests.interop.peers.aiortc_peer import AiortcEngine, SourceTrack


class AiortcCall:
    """See :class:`benchmarks.calls.asyncio_peer.CallEngine`."""

    def add_tracks(self, peer_connection: Any, scene: Scene) -> None:
        # All of its tracks are in one stream.
        peer_connection.addTrack(SourceTrack("audio", tone_frames()))
        peer_connection.addTrack(SourceTrack("video", _video(scene)))

    def received_track(self, event: Any) -> Any:
        return event

    async def frames_of(self, track: Any) -> AsyncIterator[object]:
        while True:
            try:
                yield await track.recv()
            except MediaStreamError:
                return


async def _video(scene: Scene) -> AsyncIterator[Any]:
    async for number in frame_numbers():
        yield scene.frame(number)


if __name__ == "__main__":
    main(AiortcEngine(), AiortcCall())
