"""trio_rtc's processes of many streams, each over its own connection, as of a server."""

from typing import Any

import attrs
import av
import trio

import trio_rtc
from benchmarks.peers.trio_signaling import End
from benchmarks.peers.trio_video import connected, prefer_vp8
from benchmarks.streams import Cameras
from benchmarks.video_call import CLOCK_RATE
from benchmarks.workload import Workload


@attrs.define
class _Streams:
    """All streams of the process."""

    _end: End
    _cameras: Cameras
    _senders: list[trio_rtc.RTCRtpSender] = attrs.Factory(list)

    async def send(self, number: int, *, task_status: trio.TaskStatus[None]) -> None:
        """Connect, and send a frame whenever one is due."""
        workload = self._cameras.workload
        frames, track = trio_rtc.open_media_track("video")
        encoding = trio_rtc.RTCRtpEncodingParameters(max_bitrate=workload.bitrate or None)
        async with trio_rtc.RTCPeerConnection() as pc:
            transceiver = pc.add_transceiver(track, direction="sendonly", send_encodings=[encoding])
            prefer_vp8(transceiver)
            self._senders.append(transceiver.sender)
            async with self._end.negotiation(pc, number, offers=True):
                await connected(pc)
                task_status.started()
                for index, seconds in self._cameras.frames_due(number):
                    await trio.sleep(seconds)
                    await frames.send(self._frame(index))

    def _frame(self, index: int) -> trio_rtc.EncodedFrame | av.VideoFrame:
        size = self._cameras.workload.message_size
        if size:
            return trio_rtc.EncodedFrame(bytes(size), self._cameras.timestamp(index), CLOCK_RATE, "VP8")
        return self._cameras.draw(index)

    async def packets_sent(self) -> int:
        """Return the number of RTP packets sent by all streams."""
        return sum([await _packets_sent(sender) for sender in self._senders])


async def send_streams(end: End, workload: Workload) -> dict[str, Any]:
    """Send all streams for a while; return their cost."""
    cameras = Cameras(workload)
    streams = _Streams(end, cameras)
    async with trio.open_nursery() as nursery:
        for number in range(workload.repetitions):
            await nursery.start(streams.send, number)
        await trio.sleep(workload.warm_up)
        cameras.start(await streams.packets_sent())
        await trio.sleep(workload.seconds)
        result = cameras.result(await streams.packets_sent())
        nursery.cancel_scope.cancel()
    return result


async def receive_streams(end: End, workload: Workload) -> None:
    """Receive RTP packets; no frames are assembled, because no track is read."""

    async def take(number: int) -> None:
        async with trio_rtc.RTCPeerConnection() as pc, end.negotiation(pc, number, offers=False):
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        for number in range(workload.repetitions):
            nursery.start_soon(take, number)


async def _packets_sent(sender: trio_rtc.RTCRtpSender) -> int:
    report = await sender.get_stats()
    return sum(
        stat.packets_sent or 0
        for stat in report.values()
        if isinstance(stat, trio_rtc.stats.RTCOutboundRtpStreamStats)
    )
