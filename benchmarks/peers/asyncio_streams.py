"""The processes of many streams, each over a connection of its own, for the asyncio libraries."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import av

from benchmarks.peers.asyncio_end import End
from benchmarks.peers.asyncio_video import connection_of, prefer_vp8
from benchmarks.streams import Cameras
from benchmarks.workload import Workload
from tests.interop.peers.program import JsonObject


async def send_streams(end: End, workload: Workload) -> JsonObject:
    """Send all streams for a while; return their cost."""
    cameras = Cameras(workload)
    senders = []
    negotiations = []  # kept, because asyncio holds only weak references to tasks
    for number in range(workload.repetitions):
        negotiation = end.negotiation(number)
        pc = negotiation.pc
        connected = connection_of(pc)
        end.engine.add_track(pc, end.video.video_track(_frames(cameras, number, connected)))
        prefer_vp8(end.engine, pc)
        sender = end.engine.transceivers(pc)[0].sender
        if workload.bitrate:
            await end.video.set_bitrate(sender, workload.bitrate)
        await negotiation.offer()
        await connected.wait()
        senders.append(sender)
        negotiations.append(negotiation)

    async def packets_sent() -> int:
        return sum([await end.video.packets_sent(sender) for sender in senders])

    await asyncio.sleep(workload.warm_up)
    cameras.start(await packets_sent())
    await asyncio.sleep(workload.seconds)
    return cameras.result(await packets_sent())


async def receive_streams(end: End, workload: Workload) -> None:
    """Receive all frames."""
    negotiations = [end.negotiation(number) for number in range(workload.repetitions)]
    for negotiation in negotiations:
        negotiation.answer()
    await asyncio.Future()


async def _frames(cameras: Cameras, number: int, connected: asyncio.Event) -> AsyncIterator[Any]:
    await connected.wait()
    size = cameras.workload.message_size
    for index, seconds in cameras.frames_due(number):
        await asyncio.sleep(seconds)
        yield _encoded(bytes(size), cameras.timestamp(index)) if size else cameras.draw(index)


def _encoded(payload: bytes, timestamp: int) -> Any:
    packet = av.Packet(payload)
    packet.pts = timestamp
    return packet
