"""trio_rtc's peer of a call: a program that takes commands as lines of JSON, like the other peers."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import attrs
import trio

import trio_rtc
from benchmarks.calls.scene import FRAMERATE, Scene
from tests.interop.drivers.rpc import JsonObject
from trio_rtc.media import tone

FREQUENCY = 440.0
BULK_MESSAGE = bytes(16_384)
HIGH_WATER = 128 * 1024
"""Bytes in the buffer of the channel above which no more are sent."""

DRAINING_SECONDS = 0.02
"""From one look at the buffer of the channel to the next."""


@attrs.define
class TrioPeer:
    """One peer connection and the commands for it."""

    _pc: trio_rtc.RTCPeerConnection
    _nursery: trio.Nursery
    _connected: trio.Event = attrs.Factory(trio.Event)
    _connected_at: float = 0.0
    _arrivals: list[float] = attrs.Factory(list)
    _channel: trio_rtc.RTCDataChannel | None = None

    async def run(self) -> None:
        """Follow the events of the connection."""
        async with (
            self._pc.subscribe("connection_state_change") as changes,
            self._pc.subscribe("track") as tracks,
            self._pc.subscribe("data_channel") as channels,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._accept_tracks, tracks)
            nursery.start_soon(self._accept_channels, channels)
            async for _ in changes:
                if self._pc.connection_state == "connected" and not self._connected.is_set():
                    self._connected_at = time.time()
                    self._connected.set()

    async def _accept_tracks(self, tracks: trio.MemoryReceiveChannel[trio_rtc.RTCTrackEvent]) -> None:
        async for event in tracks:
            self._nursery.start_soon(self._watch, event.track)

    async def _watch(self, track: trio_rtc.MediaStreamTrack) -> None:
        async for _ in track:
            if track.kind == "video":
                self._arrivals.append(time.time())

    async def _accept_channels(
        self, channels: trio.MemoryReceiveChannel[trio_rtc.RTCDataChannelEvent]
    ) -> None:
        async for event in channels:
            self._nursery.start_soon(self._discard, event.channel)

    async def _discard(self, channel: trio_rtc.RTCDataChannel) -> None:
        async for _ in channel:
            pass

    async def execute(self, method: str, parameters: JsonObject) -> Any:
        """Execute a command."""
        match method:
            case "send":
                return self._send(**parameters)
            case "createOffer":
                return await self._describe()
            case "createAnswer":
                await self._pc.set_remote_description(parameters["offer"])
                return await self._describe()
            case "setAnswer":
                return await self._pc.set_remote_description(parameters["answer"])
            case "connected":
                await self._connected.wait()
                return self._connected_at
            case "bulk":
                return await self._send_bulk(**parameters)
            case "stats":
                return [_to_w3c(each) for each in (await self._pc.get_stats()).values()]
            case "arrivals":
                return self._arrivals
            case other:
                raise ValueError(f"unknown command {other!r}")

    def _send(self, scene: str, *, bulk: bool) -> None:
        stream = trio_rtc.MediaStream()
        frames, video = trio_rtc.open_media_track("video")
        sound, audio = trio_rtc.open_media_track("audio")
        self._pc.add_track(audio, stream)
        self._pc.add_track(video, stream)
        if bulk:
            self._channel = self._pc.create_data_channel("bulk")
        self._nursery.start_soon(self._send_video, frames, Scene.open(Path(scene)))
        self._nursery.start_soon(_send_audio, sound)

    async def _send_video(self, frames: trio_rtc.MediaStreamTrackSource, scene: Scene) -> None:
        begin, number = trio.current_time(), 0
        while True:
            await frames.send(scene.frame(number))
            number = max(number + 1, int((trio.current_time() - begin) * FRAMERATE))
            await trio.sleep_until(begin + number / FRAMERATE)

    async def _describe(self) -> JsonObject:
        await self._pc.set_local_description()
        await self._pc.gathering_complete()
        assert self._pc.local_description is not None
        return dict(self._pc.local_description.to_json())

    async def _send_bulk(self, seconds: float) -> None:
        assert self._channel is not None
        with trio.move_on_after(seconds):
            while True:
                await self._channel.send(BULK_MESSAGE)
        while self._channel.buffered_amount:  # noqa: ASYNC110 - as in the other peers
            await trio.sleep(DRAINING_SECONDS)


async def _send_audio(sound: trio_rtc.MediaStreamTrackSource) -> None:
    async with tone(FREQUENCY) as source:
        async for frame in source:
            await sound.send(frame)


def _to_w3c(stats: Any) -> JsonObject:
    """Return the numbers and strings of statistics under W3C's names."""
    values = {name: getattr(stats, name) for name in (field.name for field in attrs.fields(type(stats)))}
    return {
        _camel_case(name): str(value) if isinstance(value, str) else value
        for name, value in values.items()
        if isinstance(value, str | int | float)
    }


def _camel_case(name: str) -> str:
    first, *others = name.rstrip("_").split("_")
    return first + "".join(part.capitalize() for part in others)


async def _serve() -> None:
    async with (
        trio.lowlevel.FdStream(0) as commands,
        trio.open_nursery() as nursery,
        trio_rtc.RTCPeerConnection(settings=trio_rtc.Settings(send_high_water_mark=HIGH_WATER)) as pc,
    ):
        peer = TrioPeer(pc, nursery)
        nursery.start_soon(peer.run)

        async def answer(command: JsonObject) -> None:
            result = await peer.execute(command["method"], command["params"])
            sys.stdout.write(json.dumps({"id": command["id"], "result": result}) + "\n")
            sys.stdout.flush()

        buffer = b""
        async for chunk in commands:
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                nursery.start_soon(answer, json.loads(line))
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(_serve)
