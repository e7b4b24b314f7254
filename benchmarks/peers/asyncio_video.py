"""One of the two processes of a measured call, for the asyncio libraries."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import av

from benchmarks.peers.asyncio_end import End
from benchmarks.peers.asyncio_signaling import CONTROL
from benchmarks.video_call import Camera, CpuMeter, Screen
from benchmarks.workload import Workload
from tests.interop.peers.program import Engine, JsonObject


async def send_call(end: End, workload: Workload) -> None:
    """Send video frames during the call, then report when each was sent."""
    negotiation = end.negotiation()
    pc = negotiation.pc
    camera = Camera(workload)
    connected, finished = connection_of(pc), asyncio.Event()

    async def pictures() -> AsyncIterator[av.VideoFrame]:
        await connected.wait()
        while (seconds := camera.seconds_to_next()) is not None:
            await asyncio.sleep(seconds)
            yield camera.draw()
        finished.set()
        await asyncio.Future()  # a track that ends would change the connection

    end.engine.add_track(pc, end.video.video_track(pictures()))
    prefer_vp8(end.engine, pc)
    await end.video.set_bitrate(end.engine.transceivers(pc)[0].sender, workload.bitrate)
    await negotiation.offer()
    await finished.wait()
    end.signaling.send(CONTROL, **camera.report())
    await asyncio.Future()


async def receive_call(end: End, workload: Workload) -> JsonObject:
    """Receive frames until the other end reports the end of the call."""
    negotiation = end.negotiation()
    pc = negotiation.pc
    screen = Screen(workload)
    came = asyncio.Event()

    async def watch() -> None:
        await came.wait()
        async for frame in end.video.frames_of(end.engine.transceivers(pc)[0].receiver.track):
            screen.show(frame)

    pc.on("track", lambda *_: came.set())
    negotiation.answer()
    watching = asyncio.create_task(watch())
    reporting = asyncio.create_task(end.signaling.inbox(CONTROL).get())
    await asyncio.wait({watching, reporting}, return_when=asyncio.FIRST_COMPLETED)
    if watching.done():
        watching.result()
        raise EOFError("the track has ended")
    return screen.result(reporting.result())


async def relay_call(end: End, workload: Workload) -> JsonObject:
    """Send received frames back until the other end reports the end of the call.

    Neither library forwards packets in Python: a received track is added as one to be sent, and encoded again.
    """
    negotiation = end.negotiation()
    pc = negotiation.pc
    connected = connection_of(pc)
    cpu = CpuMeter()
    pc.on("track", lambda event: end.engine.add_track(pc, end.video.received_track(event)))
    negotiation.answer()
    await connected.wait()
    sender = end.engine.transceivers(pc)[0].sender
    await end.video.set_bitrate(sender, workload.bitrate)
    await asyncio.sleep(workload.warm_up)
    before = await end.video.packets_sent(sender)
    cpu.start()
    await end.signaling.inbox(CONTROL).get()
    seconds = cpu.seconds()
    return {"packets_per_cpu_second": (await end.video.packets_sent(sender) - before) / seconds}


def connection_of(pc: Any) -> asyncio.Event:
    """Return an event that is set when media can flow."""
    event = asyncio.Event()

    def note_state(*_: Any) -> None:
        if str(pc.connectionState) == "connected":
            event.set()

    pc.on("connectionstatechange", note_state)
    return event


def prefer_vp8(engine: Engine, pc: Any) -> None:
    """Negotiate VP8 and nothing else, with the retransmissions of its packets."""
    wanted = [
        codec for codec in engine.codecs("video") if codec.mimeType.lower() in ("video/vp8", "video/rtx")
    ]
    engine.transceivers(pc)[0].setCodecPreferences(wanted)
