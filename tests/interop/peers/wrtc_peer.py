"""A libwebrtc peer, by the bindings of the package ``wrtc``."""

from typing import Any

import webrtc

from tests.interop.peers.program import JsonObject, main


class WrtcEngine:
    """The spellings of ``wrtc``; see :class:`tests.interop.peers.program.Engine`."""

    trickles = True

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


if __name__ == "__main__":
    main(WrtcEngine())
