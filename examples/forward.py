"""A server that forwards packets: one browser publishes, any number watch, and nothing is decoded.

Run it, open the address that ends in /publish and start the camera, then open the other address in as many tabs as you
like. The camera is sent in three sizes at once (simulcast); each viewer chooses one with the buttons.
"""

import argparse
from functools import partial
from pathlib import Path

import attrs
import trio

import trio_rtc
from trio_rtc import signaling
from trio_rtc.protocols.rtp.payload import vp8

PAGE = signaling.Page(Path(__file__).with_name("video_page.html").read_bytes())
LAYERS = ("q", "h", "f")  # the names that the page gives them: a quarter, half and full size
FORMAT = vp8.Vp8Depacketizer()


def prefer(transceiver: trio_rtc.RTCRtpTransceiver) -> None:
    """Negotiate the same codecs with all peers, since packets are forwarded unchanged."""
    capabilities = transceiver.receiver.get_capabilities(transceiver.receiver.track.kind)
    assert capabilities is not None
    wanted = [codec for codec in capabilities.codecs if codec.name in ("opus", "VP8", "rtx")]
    transceiver.set_codec_preferences(wanted)


class Stage:
    """The publisher's receivers, for the viewers."""

    def __init__(self) -> None:
        self._receivers: dict[str, trio_rtc.RTCRtpReceiver] = {}
        self._changed = trio.Event()

    def register(self, event: trio_rtc.RTCTrackEvent) -> None:
        """Register a track, before its offer is answered."""
        prefer(event.transceiver)
        self._receivers[event.track.kind] = event.receiver
        self._changed.set()
        self._changed = trio.Event()

    async def other(self, kind: str, than: trio_rtc.RTCRtpReceiver | None) -> trio_rtc.RTCRtpReceiver:
        """Wait for a receiver of a kind other than this one."""
        while (receiver := self._receivers.get(kind, than)) is None or receiver is than:
            await self._changed.wait()
        return receiver


class Switch:
    """Merges the layers into one stream: it switches at a keyframe, and continues the picture ids."""

    def __init__(self) -> None:
        self.wanted = LAYERS[-1]
        self.current: str | None = None
        self._picture = self._offset = 0

    def select(self, rid: str, packet: trio_rtc.RtpPacket) -> trio_rtc.RtpPacket | None:
        """Return a packet as it must be sent, or ``None`` if it must not be sent."""
        try:
            picture = vp8.read_layers(packet.payload).picture_id or 0
        except trio_rtc.ProtocolError:
            return None
        if rid == self.wanted != self.current and FORMAT.is_keyframe_start(packet.payload):
            self.current, self._offset = rid, self._picture + 1 - picture
        if rid != self.current:
            return None
        picture = (picture + self._offset) & 0x7FFF
        if (picture - self._picture) & 0x7FFF < 0x4000:  # not a late packet
            self._picture = picture
        return attrs.evolve(packet, payload=vp8.rewrite_descriptor(packet.payload, picture_id=picture))


class Viewer:
    """A browser that watches."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._switch = Switch()
        self._video: trio_rtc.RTCRtpReceiver | None = None

    async def forward(self, sender: trio_rtc.RTCRtpSender, kind: str) -> None:
        """Send the packets of the current publisher."""
        receiver = None
        while True:
            receiver = await self._stage.other(kind, receiver)
            async with trio.open_nursery() as nursery:
                if kind == "audio":
                    nursery.start_soon(self._forward_layer, receiver, None, sender)
                    continue
                self._video, self._switch.current = receiver, None
                for rid in LAYERS:
                    nursery.start_soon(self._forward_layer, receiver, rid, sender)

    async def _forward_layer(
        self, receiver: trio_rtc.RTCRtpReceiver, rid: str | None, sender: trio_rtc.RTCRtpSender
    ) -> None:
        async with receiver.rtp_packets(rid=rid) as packets:
            async for batch in packets.batches():
                ours = [packet if rid is None else self._switch.select(rid, packet) for packet in batch]
                await sender.send_rtp(*(packet for packet in ours if packet is not None))

    async def forward_requests(self, sender: trio_rtc.RTCRtpSender) -> None:
        """Request the keyframes from the publisher that this viewer requests."""
        async with sender.keyframe_requests() as requests:
            async for _ in requests:
                if self._video is not None:
                    self._video.request_keyframe(rid=self._switch.wanted)

    async def request_keyframes(self) -> None:
        """Request the keyframe at which the layer changes until it arrives: browsers ignore frequent requests."""
        while True:
            if self._video is not None and self._switch.current != self._switch.wanted:
                self._video.request_keyframe(rid=self._switch.wanted)
            await trio.sleep(0.2)

    async def choose(self, channel: trio_rtc.RTCDataChannel) -> None:
        """Change the layer by the viewer's messages; the change waits for a keyframe."""
        async for rid in channel:
            if rid in LAYERS:
                self._switch.wanted = rid


async def serve(peer: signaling.Peer, stage: Stage, *, publishes: bool) -> None:
    """Serve one browser, until its page is closed."""
    try:
        async with trio_rtc.RTCPeerConnection() as pc, trio.open_nursery() as nursery:
            if publishes:
                pc.on_track = stage.register
            else:
                viewer, stream = Viewer(stage), trio_rtc.MediaStream()
                nursery.start_soon(viewer.request_keyframes)
                nursery.start_soon(viewer.choose, pc.create_data_channel("layer"))
                for kind in ("audio", "video"):
                    transceiver = pc.add_transceiver(kind, direction="sendonly", streams=[stream])
                    prefer(transceiver)
                    nursery.start_soon(viewer.forward, transceiver.sender, kind)
                    nursery.start_soon(viewer.forward_requests, transceiver.sender)
            await signaling.negotiate(peer, pc)
            nursery.cancel_scope.cancel()
    except* trio.BrokenResourceError:
        pass  # the page was closed without closing its connection


async def main() -> None:
    """Serve the page and two rooms, one for publishers and one for viewers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    pages, stage = {"/": PAGE, "/publish": PAGE}, Stage()

    async def admit(url: str, room_name: str) -> None:
        async with signaling.connect(f"ws{url}", room=room_name) as room:
            print(f"open http{url}{'publish' if room_name == 'publish' else ''} to {room_name}", flush=True)
            async for peer in room:
                nursery.start_soon(partial(serve, peer, stage, publishes=room_name == "publish"))

    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(signaling.serve, arguments.host, arguments.port, pages=pages))
        for room_name in ("publish", "watch"):
            nursery.start_soon(admit, f"://{arguments.host}:{server.port}/", room_name)


if __name__ == "__main__":
    trio.run(main)
