"""trio_rtc's process of a measured call: frames sent to a track, ``async for frame in track`` at the other end."""

from typing import Any

import trio

import trio_rtc
from benchmarks.peers.trio_signaling import CONTROL, End
from benchmarks.video_call import Camera, Screen
from benchmarks.workload import Workload


async def send_call(end: End, workload: Workload) -> None:
    """Send video frames during the call, then report when each was sent."""
    frames, track = trio_rtc.open_media_track("video")
    camera = Camera(workload)
    async with trio_rtc.RTCPeerConnection() as pc:
        encoding = trio_rtc.RTCRtpEncodingParameters(max_bitrate=workload.bitrate)
        transceiver = pc.add_transceiver(track, direction="sendonly", send_encodings=[encoding])
        prefer_vp8(transceiver)
        async with end.negotiation(pc, offers=True):
            await connected(pc)
            while (seconds := camera.seconds_to_next()) is not None:
                await trio.sleep(seconds)
                await frames.send(camera.draw())
            end.signaling.send(CONTROL, **camera.report())
            await trio.sleep_forever()


async def receive_call(end: End, workload: Workload) -> dict[str, Any]:
    """Receive frames until the other end reports the end of the call."""
    screen = Screen(workload)

    async def watch(track: trio_rtc.MediaStreamTrack) -> None:
        async for frame in track:
            screen.show(frame)

    async with (
        trio_rtc.RTCPeerConnection() as pc,
        pc.subscribe("track") as tracks,
        end.negotiation(pc, offers=False),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(watch, (await tracks.receive()).track)
        report = await end.signaling.receive(CONTROL)
        nursery.cancel_scope.cancel()
    return screen.result(report)


def prefer_vp8(transceiver: trio_rtc.RTCRtpTransceiver) -> None:
    """Negotiate VP8 and nothing else, with the retransmissions of its packets."""
    capabilities = trio_rtc.RTCRtpSender.get_capabilities("video")
    assert capabilities is not None
    transceiver.set_codec_preferences(
        [codec for codec in capabilities.codecs if codec.name in ("VP8", "rtx")]
    )


async def connected(pc: trio_rtc.RTCPeerConnection) -> None:
    """Wait until media can flow."""
    async with pc.subscribe("connection_state_change") as changes:
        while pc.connection_state is not trio_rtc.RTCPeerConnectionState.CONNECTED:
            await changes.receive()
