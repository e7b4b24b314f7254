"""A libwebrtc peer, by the bindings of the package ``wrtc``."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import av
import webrtc

from tests.interop.peers.program import JsonObject, main


class WrtcEngine:
    """The engine of ``wrtc``; see :class:`tests.interop.peers.program.Engine`."""

    trickles = True

    def __init__(self) -> None:
        self._writing: list[asyncio.Task[None]] = []

    def peer_connection(self) -> Any:
        return webrtc.RTCPeerConnection()

    def data_channel(self, peer_connection: Any, label: str, options: JsonObject) -> Any:
        return peer_connection.create_data_channel(label, webrtc.RTCDataChannelInit.from_json(options))

    def description(self, description: JsonObject) -> Any:
        return webrtc.RTCSessionDescriptionInit(description["type"], description["sdp"])

    def candidate(self, candidate: JsonObject | None) -> Any:
        return None if candidate is None else webrtc.RTCIceCandidateInit.from_json(candidate)

    def announced_channel(self, event: Any) -> Any:
        return event.channel

    def message(self, event: Any) -> str | bytes:
        message: str | bytes = event.data
        return message

    async def close(self, peer_connection: Any) -> None:
        peer_connection.close()

    async def stats(self, peer_connection: Any) -> list[JsonObject]:
        report = await peer_connection.get_stats()
        return [stat.to_json() for stat in report.values()]

    def transceivers(self, peer_connection: Any) -> list[Any]:
        return list(peer_connection.get_transceivers())

    def add_track(self, peer_connection: Any, track: Any) -> None:
        peer_connection.add_track(track, webrtc.MediaStream([track]))

    def video_track(self, frames: AsyncIterator[Any]) -> Any:
        generator = webrtc.VideoTrackGenerator()
        self._start(generator.writable, frames, _video_frame)
        return generator.track

    def audio_track(self, frames: AsyncIterator[Any]) -> Any:
        generator = webrtc.MediaStreamTrackGenerator("audio")
        self._start(generator.writable, frames, _audio_data)
        return generator

    def _start(self, writable: Any, frames: AsyncIterator[Any], convert: Any) -> None:
        async def write() -> None:
            writer = writable.get_writer()
            async for frame in frames:
                await writer.write(convert(frame))

        self._writing.append(asyncio.create_task(write()))

    async def frames_of(self, track: Any) -> AsyncIterator[Any]:
        processor = webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(track))
        async for each in processor.readable:
            with each:
                converted = await (_luma_frame(each) if str(track.kind) == "video" else _audio_frame(each))
            yield converted

    def codecs(self, kind: str) -> list[Any]:
        capabilities: Any = webrtc.RTCRtpReceiver.get_capabilities(cast(Any, kind))
        return list(capabilities.codecs)


def _video_frame(frame: av.VideoFrame) -> Any:
    width, height = frame.width, frame.height
    planes = [
        bytes(plane)[row * plane.line_size : row * plane.line_size + plane.width]
        for plane in frame.planes
        for row in range(plane.height)
    ]
    moment = round((frame.pts or 0) * 1_000_000 / 90_000)
    init = webrtc.VideoFrameBufferInit("I420", width, height, timestamp=moment)
    return webrtc.VideoFrame(b"".join(planes), init)


def _audio_data(frame: av.AudioFrame) -> Any:
    data = bytes(frame.planes[0])[: frame.samples * 2]
    moment = round((frame.pts or 0) * 1_000_000 / frame.sample_rate)
    return webrtc.AudioData(
        webrtc.AudioDataInit("s16", frame.sample_rate, frame.samples, 1, timestamp=moment, data=data)
    )


async def _luma_frame(frame: Any) -> av.VideoFrame:
    """Return the luma, the only plane examined."""
    pixels = bytearray(frame.allocation_size())
    layout = (await frame.copy_to(pixels))[0]
    converted = av.VideoFrame(frame.visible_rect.width, frame.visible_rect.height, "gray")
    plane = converted.planes[0]
    rows = [
        bytes(pixels[start : start + converted.width]).ljust(plane.line_size, b"\0")
        for start in range(layout.offset, layout.offset + converted.height * layout.stride, layout.stride)
    ]
    plane.update(b"".join(rows).ljust(plane.buffer_size, b"\0")[: plane.buffer_size])
    return converted


async def _audio_frame(data: Any) -> av.AudioFrame:
    options = webrtc.AudioDataCopyToOptions(plane_index=0)
    samples = bytearray(data.allocation_size(options))
    data.copy_to(samples, options)
    layout = "mono" if data.number_of_channels == 1 else "stereo"
    converted = av.AudioFrame("s16", layout, data.number_of_frames)
    converted.sample_rate = round(data.sample_rate)
    converted.planes[0].update(bytes(samples).ljust(converted.planes[0].buffer_size, b"\0"))
    return converted


if __name__ == "__main__":
    main(WrtcEngine())
