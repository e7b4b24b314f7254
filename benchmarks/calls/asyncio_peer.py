"""The asyncio libraries' peers of a call: the commands of ``trio_rtc_peer.py``."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import attrs
import av

from benchmarks.calls.scene import FRAMERATE, Scene
from tests.interop.peers.program import Engine, JsonObject
from trio_rtc.media import tone

FREQUENCY = 440.0
BULK_MESSAGE = bytes(16_384)
DRAINING_SECONDS = 0.02
HIGH_WATER = 128 * 1024
LINE_LIMIT = 1024 * 1024


class CallEngine(Protocol):
    """The differences between the libraries in a call, beyond those of an ``Engine``."""

    def add_tracks(self, peer_connection: Any, scene: Scene) -> None:
        """Add a track of the scene and one of the tone, in one stream."""

    def received_track(self, event: Any) -> Any:
        """Return the track that the event ``track`` brought."""

    def frames_of(self, track: Any) -> AsyncIterator[object]:
        """Return the frames of a received track; they are only counted."""


async def frame_numbers() -> AsyncIterator[int]:
    """Yield the number of each frame of the scene when it is due; late ones are left out."""
    begin, number = time.monotonic(), 0
    while True:
        yield number
        number = max(number + 1, int((time.monotonic() - begin) * FRAMERATE))
        await asyncio.sleep(begin + number / FRAMERATE - time.monotonic())


async def tone_frames() -> AsyncIterator[av.AudioFrame]:
    """Yield frames of 20 ms of a tone when they are due."""
    source = tone(FREQUENCY)
    begin, number = time.monotonic(), 0
    while True:
        yield source.next_frame()
        number += 1
        await asyncio.sleep(begin + number * 0.02 - time.monotonic())


@attrs.define
class AsyncioPeer:
    """One peer connection and the commands for it."""

    _engine: Engine
    _call: CallEngine
    _pc: Any
    _connected: asyncio.Event = attrs.Factory(asyncio.Event)
    _connected_at: float = 0.0
    _arrivals: list[float] = attrs.Factory(list)
    _channel: Any = None
    _tasks: list[asyncio.Task[None]] = attrs.Factory(list)

    def follow(self) -> None:
        """Follow the events of the connection."""
        self._pc.on("connectionstatechange", self._handle_connection_state)
        self._pc.on("track", self._handle_track)
        self._pc.on("datachannel", lambda event: self._discard(self._engine.announced_channel(event)))

    def _handle_connection_state(self, *_: Any) -> None:
        if str(self._pc.connectionState) == "connected" and not self._connected.is_set():
            self._connected_at = time.time()
            self._connected.set()

    def _handle_track(self, event: Any) -> None:
        self._tasks.append(asyncio.create_task(self._watch(self._call.received_track(event))))

    async def _watch(self, track: Any) -> None:
        is_video = str(track.kind) == "video"
        async for _ in self._call.frames_of(track):
            if is_video:
                self._arrivals.append(time.time())

    def _discard(self, channel: Any) -> None:
        self._channel = channel
        channel.on("message", lambda _: None)

    async def execute(self, method: str, parameters: JsonObject) -> Any:
        """Execute a command."""
        match method:
            case "send":
                self._call.add_tracks(self._pc, Scene.open(Path(parameters["scene"])))
                if parameters["bulk"]:
                    self._channel = self._engine.data_channel(self._pc, "bulk", {})
            case "createOffer":
                return await self._describe(await self._pc.createOffer())
            case "createAnswer":
                await self._pc.setRemoteDescription(self._engine.description(parameters["offer"]))
                return await self._describe(await self._pc.createAnswer())
            case "setAnswer":
                await self._pc.setRemoteDescription(self._engine.description(parameters["answer"]))
            case "connected":
                await self._connected.wait()
                return self._connected_at
            case "bulk":
                await self._send_bulk(**parameters)
            case "stats":
                return await self._engine.stats(self._pc)
            case "arrivals":
                return self._arrivals
            case other:
                raise ValueError(f"unknown command {other!r}")
        return None

    async def _describe(self, description: Any) -> JsonObject:
        gathered = asyncio.Event()

        def gathering_changed(*_: Any) -> None:
            if str(self._pc.iceGatheringState) == "complete":
                gathered.set()

        self._pc.on("icegatheringstatechange", gathering_changed)
        await self._pc.setLocalDescription(description)
        gathering_changed()
        await gathered.wait()
        return {"type": str(self._pc.localDescription.type), "sdp": self._pc.localDescription.sdp}

    async def _send_bulk(self, seconds: float) -> None:
        drained = asyncio.Event()
        self._channel.bufferedAmountLowThreshold = HIGH_WATER // 2
        self._channel.on("bufferedamountlow", lambda *_: drained.set())
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._channel.send(BULK_MESSAGE)
            if self._channel.bufferedAmount > HIGH_WATER:
                drained.clear()
                await asyncio.wait({asyncio.ensure_future(drained.wait())}, timeout=left)
        while self._channel.bufferedAmount:  # noqa: ASYNC110 - the event would need another threshold
            await asyncio.sleep(DRAINING_SECONDS)


async def _serve(engine: Engine, call: CallEngine) -> None:
    lines = asyncio.StreamReader(limit=LINE_LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    peer = AsyncioPeer(engine, call, engine.peer_connection())
    peer.follow()

    async def answer(command: JsonObject) -> None:
        result = await peer.execute(command["method"], command["params"])
        sys.stdout.write(json.dumps({"id": command["id"], "result": result}) + "\n")
        sys.stdout.flush()

    async def read_commands() -> None:
        async with asyncio.TaskGroup() as tasks:
            while line := await lines.readline():
                tasks.create_task(answer(json.loads(line)))

    await read_commands()


def main(engine: Engine, call: CallEngine) -> None:
    """Serve until standard input ends or a command fails."""
    try:
        asyncio.run(_serve(engine, call))
    finally:
        # Neither library's threads or leftovers shall hold up the end.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
