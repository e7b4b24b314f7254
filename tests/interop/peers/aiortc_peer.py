"""An aiortc peer. aiortc has all candidates in its descriptions: it accepts trickled ones and sends none."""

from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Any

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import candidate_from_sdp

from tests.interop.peers.program import JsonObject, main


class SourceTrack(MediaStreamTrack):
    """A track of an iterator's frames."""

    def __init__(self, kind: str, frames: AsyncIterator[Any]) -> None:
        self.kind = kind
        super().__init__()
        self._frames = frames

    async def recv(self) -> Any:
        frame = await anext(self._frames)
        if self.kind == "video":
            frame.time_base = Fraction(1, 90_000)
        return frame


class AiortcEngine:
    """The engine of aiortc; see :class:`tests.interop.peers.program.Engine`."""

    trickles = False

    def peer_connection(self) -> Any:
        # The default has a public STUN server, which would delay gathering.
        return RTCPeerConnection(RTCConfiguration(iceServers=[]))

    def data_channel(self, peer_connection: Any, label: str, options: JsonObject) -> Any:
        return peer_connection.createDataChannel(label, **options)

    def description(self, description: JsonObject) -> Any:
        return RTCSessionDescription(sdp=description["sdp"], type=description["type"])

    def candidate(self, candidate: JsonObject | None) -> Any:
        if candidate is None or not candidate["candidate"]:
            return None
        parsed = candidate_from_sdp(candidate["candidate"].removeprefix("candidate:"))
        parsed.sdpMid = candidate["sdpMid"]
        parsed.sdpMLineIndex = candidate["sdpMLineIndex"]
        return parsed

    def announced_channel(self, event: Any) -> Any:
        return event

    def message(self, event: Any) -> str | bytes:
        message: str | bytes = event
        return message

    async def close(self, peer_connection: Any) -> None:
        await peer_connection.close()

    async def stats(self, peer_connection: Any) -> list[JsonObject]:
        report = await peer_connection.getStats()
        return [{"id": stat.id, "type": stat.type} for stat in report.values()]

    def transceivers(self, peer_connection: Any) -> list[Any]:
        return list(peer_connection.getTransceivers())

    def add_track(self, peer_connection: Any, track: Any) -> None:
        peer_connection.addTrack(track)

    def video_track(self, frames: AsyncIterator[Any]) -> Any:
        return SourceTrack("video", frames)

    def audio_track(self, frames: AsyncIterator[Any]) -> Any:
        return SourceTrack("audio", frames)

    async def frames_of(self, track: Any) -> AsyncIterator[Any]:
        while True:
            try:
                yield await track.recv()
            except MediaStreamError:
                return

    def codecs(self, kind: str) -> list[Any]:
        capabilities: Any = RTCRtpReceiver.getCapabilities(kind)
        return list(capabilities.codecs)


if __name__ == "__main__":
    main(AiortcEngine())
