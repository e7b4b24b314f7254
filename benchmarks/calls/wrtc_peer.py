"""libwebrtc's peer of a call, by the package ``wrtc``."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import attrs
import webrtc

from benchmarks.calls.asyncio_peer import frame_numbers, main, tone_frames
from benchmarks.calls.scene import FRAMERATE, Scene
from tests.interop.peers.wrtc_peer import WrtcEngine


@attrs.define
class WrtcCall:
    """See :class:`benchmarks.calls.asyncio_peer.CallEngine`."""

    _writing: list[asyncio.Task[None]] = attrs.Factory(list)

    def add_tracks(self, peer_connection: Any, scene: Scene) -> None:
        video = webrtc.VideoTrackGenerator()
        audio = webrtc.MediaStreamTrackGenerator("audio")
        stream = webrtc.MediaStream([audio, video.track])
        for track in (audio, video.track):
            peer_connection.add_track(track, stream)
        self._writing += [
            asyncio.create_task(_write_video(video.writable.get_writer(), scene)),
            asyncio.create_task(_write_audio(audio.writable.get_writer())),
        ]

    def received_track(self, event: Any) -> Any:
        return event.track

    async def frames_of(self, track: Any) -> AsyncIterator[object]:
        processor = webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(track))
        async for frame in processor.readable:
            with frame:
                yield frame


async def _write_video(writer: Any, scene: Scene) -> None:
    async for number in frame_numbers():
        moment = number * 1_000_000 // FRAMERATE
        init = webrtc.VideoFrameBufferInit("I420", scene.width, scene.height, timestamp=moment)
        await writer.write(webrtc.VideoFrame(scene.planes(number), init))


async def _write_audio(writer: Any) -> None:
    moment = 0
    async for frame in tone_frames():
        init = webrtc.AudioDataInit(
            "s16",
            frame.sample_rate,
            frame.samples,
            1,
            timestamp=moment,
            data=bytes(frame.planes[0])[: frame.samples * 2],
        )
        await writer.write(webrtc.AudioData(init))
        moment += 20_000


if __name__ == "__main__":
    main(WrtcEngine(), WrtcCall())
