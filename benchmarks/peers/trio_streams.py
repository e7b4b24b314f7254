"""Our own processes of many streams: encoded frames, each stream over a connection of its own, as a server sends.

A frame is late if it has not come as far as RTP when the next one of its stream is due. The stream's ``transform``,
which is called at that point, takes the time.
"""

import time
from typing import Any

import attrs
import trio

import trio_rtc
from benchmarks.peers.trio_signaling import End
from benchmarks.peers.trio_video import connected, prefer_vp8
from benchmarks.workload import Workload

STEP = 10
TOLERATED = 0.02
SETTLING_SECONDS = 0.3
CLOCK_RATE = 90_000


@attrs.define
class Streams:
    """All streams of the process; their time is in units of the RTP clock since its beginning.

    Attributes:
        window: From when until before when frames are counted.
        punctual: Those of them that were not late.
    """

    _end: End
    _workload: Workload
    window: range = range(0)
    punctual: int = 0
    _began: float = attrs.Factory(time.monotonic)

    @property
    def interval(self) -> int:
        """From one frame of a stream to the next."""
        return CLOCK_RATE // self._workload.framerate

    def now(self) -> int:
        """Return the time."""
        return round((time.monotonic() - self._began) * CLOCK_RATE)

    async def note(self, frame: trio_rtc.EncodedFrame) -> trio_rtc.EncodedFrame:
        """Look whether a frame is late."""
        if frame.timestamp in self.window:
            self.punctual += self.now() - frame.timestamp <= self.interval
        return frame

    async def run(self, number: int, *, task_status: trio.TaskStatus[None]) -> None:
        """Connect, and send a frame whenever one is due."""
        frames, track = trio_rtc.open_media_track("video")
        payload = bytes(self._workload.message_size)
        async with trio_rtc.RTCPeerConnection() as pc:
            transceiver = pc.add_transceiver(track, direction="sendonly")
            transceiver.sender.transform = self.note
            prefer_vp8(transceiver)
            async with self._end.negotiation(pc, number, offers=True):
                await connected(pc)
                task_status.started()
                # Each stream has its own phase, as those of real cameras have.
                due = self.now() + self.interval * (number % STEP) // STEP
                while True:
                    await trio.sleep(max(0.0, (due - self.now()) / CLOCK_RATE))
                    await frames.send(trio_rtc.EncodedFrame(payload, due, CLOCK_RATE, "VP8"))
                    due += self.interval

    async def share_of_late(self, count: int) -> float:
        """Look at so many streams for a while; return the part of their frames that was late or did not come."""
        each = round(self._workload.seconds * self._workload.framerate)
        begin = self.now()
        self.window, self.punctual = range(begin, begin + each * self.interval), 0
        await trio.sleep((each + 1) * self.interval / CLOCK_RATE)  # the last ones may take an interval
        return 1 - self.punctual / (count * each)


async def send_streams(end: End, workload: Workload) -> dict[str, Any]:
    """Add streams until too many frames are late; return how many went before."""
    streams = Streams(end, workload)
    count = sustained = 0
    async with trio.open_nursery() as nursery:
        while count < workload.repetitions:
            for _ in range(STEP):
                await nursery.start(streams.run, count)
                count += 1
            await trio.sleep(SETTLING_SECONDS)
            if await streams.share_of_late(count) > TOLERATED:
                break
            sustained = count
        nursery.cancel_scope.cancel()
    return {"streams": sustained}


async def receive_streams(end: End, workload: Workload) -> None:
    """Take what comes as far as RTP: nobody wants the frames."""

    async def take(number: int) -> None:
        async with trio_rtc.RTCPeerConnection() as pc, end.negotiation(pc, number, offers=False):
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        for number in range(workload.repetitions):
            nursery.start_soon(take, number)
