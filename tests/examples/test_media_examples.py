"""The examples with audio and video, each as a process; a peer of ours plays the part of the browser's page.

Real codecs run in real time here, so video is small and calls last a second or two.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import trio

from tests.strategies.running_examples import EXAMPLES, exits_with_zero, fetch, free_port, running
from trio_rtc import (
    MediaStream,
    MediaStreamTrack,
    RTCOutboundRtpStreamStats,
    RTCPeerConnection,
    RTCRtpEncodingParameters,
    RTCRtpSender,
    RTCTrackEvent,
    open_media_track,
    signaling,
)
from trio_rtc.media import dominant_frequency, draw_pattern, open_recorder, read_counter, test_pattern, tone

SECONDS = 60


@asynccontextmanager
async def page_at(
    url: str, room_name: str
) -> AsyncIterator[tuple[RTCPeerConnection, trio.Nursery, signaling.Peer]]:
    """A peer connection in place of the page at an address, and its channel to the program."""
    with trio.fail_after(SECONDS):
        host = url.split("/")[2]
        assert await trio.to_thread.run_sync(fetch, url) == (EXAMPLES / "video_page.html").read_bytes()
        async with (
            signaling.connect(f"ws://{host}/", room=room_name) as room,
            RTCPeerConnection() as pc,
            trio.open_nursery() as nursery,
        ):
            yield pc, nursery, await room.receive()
            nursery.cancel_scope.cancel()


async def send(frames: trio.abc.SendChannel[Any], source: trio.abc.ReceiveChannel[Any]) -> None:
    async for frame in source:
        await frames.send(frame)


def camera(
    nursery: trio.Nursery, width: int = 160, height: int = 96, framerate: float = 15
) -> MediaStreamTrack:
    frames, track = open_media_track("video")
    nursery.start_soon(send, frames, test_pattern(width, height, framerate))
    return track


def microphone(nursery: trio.Nursery, frequency: float) -> MediaStreamTrack:
    frames, track = open_media_track("audio")
    nursery.start_soon(send, frames, tone(frequency))
    return track


async def counters(track: MediaStreamTrack, count: int) -> list[int]:
    seen: list[int] = []
    async for frame in track:
        if (counter := read_counter(frame)) is not None:
            seen.append(counter)
        if len(seen) == count:
            break
    return seen


async def wait_for_tone(track: MediaStreamTrack, frequency: float) -> None:
    """Wait until a tone of a frequency is received; on a busy machine, audio has gaps at times."""
    frames: list[av.AudioFrame] = []
    async for frame in track:
        frames.append(frame)
        if len(frames) == 20:
            if abs(dominant_frequency(frames) - frequency) < 10:
                return
            frames.clear()
    raise EOFError("the track has ended")


async def until_sent(sender: RTCRtpSender, frames: int) -> None:
    """Poll until a number of frames has been sent: there is no event for it."""
    while True:
        for stats in (await sender.get_stats()).values():
            if isinstance(stats, RTCOutboundRtpStreamStats) and (stats.frames_sent or 0) >= frames:
                return
        await trio.sleep(0.05)


async def write_file(path: Path, seconds: int) -> None:
    """Write a file with numbered video frames and a tone of 880 Hz."""
    async with open_recorder(path) as recorder, trio.open_nursery() as nursery:
        for source, count in (
            (test_pattern(160, 96, 15, realtime=False), 15 * seconds),
            (tone(880, realtime=False), 50 * seconds),
        ):
            frames, channel = trio.open_memory_channel[Any](0)
            recorder.add(channel)
            nursery.start_soon(write, frames, source, count)
        await recorder.wait()


async def write(frames: trio.abc.SendChannel[Any], source: trio.abc.ReceiveChannel[Any], count: int) -> None:
    async with frames:
        for _ in range(count):
            await frames.send(await source.receive())


async def test_a_file_is_played_to_every_browser(tmp_path: Path) -> None:
    await write_file(tmp_path / "film.webm", 2)
    async with running("play_file.py", tmp_path / "film.webm", "--port", 0) as example:
        url = (await example.line("open http")).split()[-1]
        for _ in range(2):
            async with page_at(url, "watch") as (pc, nursery, program), pc.subscribe("track") as events:
                nursery.start_soon(signaling.negotiate, program, pc)
                tracks = {event.track.kind: event.track for event in [await events.receive() for _ in "av"]}
                await wait_for_tone(tracks["audio"], 880)
                seen = await counters(tracks["video"], 8)
                assert all(0 <= counter < 30 for counter in seen)
                assert len(set(seen)) > 4
            await example.line("left")


async def test_a_browser_is_recorded_without_decoding(tmp_path: Path) -> None:
    path = tmp_path / "take.webm"
    async with running("record_browser.py", path, "--port", 0) as example:
        url = (await example.line("open http")).split()[-1]
        async with page_at(url, "camera") as (pc, nursery, program):
            stream = MediaStream()
            video = pc.add_track(camera(nursery), stream)
            pc.add_track(microphone(nursery, 660), stream)
            nursery.start_soon(signaling.negotiate, program, pc)
            await example.line("recording video")
            await until_sent(video, 25)
        await example.line("recorded")
        await exits_with_zero(example)
    with av.open(str(path)) as container:
        assert {stream.codec_context.codec.canonical_name for stream in container.streams} == {"vp8", "opus"}
        frames = list(container.decode(video=0))
        seen = [read_counter(frame) for frame in frames]
        assert len(seen) > 15
        assert all(
            before is not None and after is not None and before < after for before, after in pairwise(seen)
        )
    with av.open(str(path)) as container:
        assert abs(dominant_frequency(list(container.decode(audio=0))) - 660) < 10


async def test_video_comes_back_grey() -> None:
    async with running("grey_video.py", "--port", 0) as example:
        url = (await example.line("open http")).split()[-1]
        async with page_at(url, "camera") as (pc, nursery, program), pc.subscribe("track") as events:
            pc.add_track(camera(nursery))
            nursery.start_soon(signaling.negotiate, program, pc)
            track = (await events.receive()).track
            assert len(set(await counters(track, 5))) > 2
            frame = await track.receive()
            counter = read_counter(frame)
            assert counter is not None
            assert colours(frame) < 4 < 20 < colours(draw_pattern(counter, 160, 96))
        await example.line("left")


def colours(frame: av.VideoFrame) -> int:
    """Return how far colours are from grey."""
    return max(abs(value - 128) for plane in frame.planes[1:] for value in visible(plane))


def visible(plane: Any) -> bytes:
    content = bytes(plane)
    rows = range(0, plane.height * plane.line_size, plane.line_size)
    return b"".join(content[row : row + plane.width] for row in rows)


async def test_a_call_is_encrypted_from_end_to_end() -> None:
    port = free_port()
    with trio.fail_after(SECONDS):
        async with (
            running("encrypted_call.py", "--key", "some words", "--port", port) as first,
            running("encrypted_call.py", "--key", "some words", "--port", port) as second,
        ):
            for side in (first, second):
                await side.line(r"^frame \d+$")
                await side.line(r"^a tone of 4\d\d Hz$")  # not to the hertz: a busy machine makes gaps


async def test_a_peer_with_another_key_receives_nothing() -> None:
    port = free_port()
    with trio.fail_after(SECONDS):
        async with (
            running("encrypted_call.py", "--key", "some words", "--port", port) as first,
            running("encrypted_call.py", "--key", "other words", "--port", port) as second,
        ):
            for side in (first, second):
                await side.line("not encrypted with this key")
            with trio.move_on_after(1.5):
                await first.line("a tone|^frame")
            for side in (first, second):
                assert not any("tone" in line or line.startswith("frame ") for line in side.lines)


async def test_a_server_forwards_and_switches_between_layers() -> None:
    """Each layer has its own size, which identifies it; frame numbers continue."""
    layers = [
        RTCRtpEncodingParameters(rid=rid, scale_resolution_down_by=by) for rid, by in (("q", 4), ("f", 1))
    ]
    async with running("forward.py", "--port", 0) as example:
        urls = {line.split()[-1]: line.split()[1] for line in [await example.line("open http") for _ in "pw"]}
        async with page_at(urls["publish"], "publish") as (publisher, nursery, program):
            stream = MediaStream()
            publisher.add_transceiver(
                camera(nursery, 320, 192, 10), direction="sendonly", streams=[stream], send_encodings=layers
            )
            publisher.add_transceiver(microphone(nursery, 550), direction="sendonly", streams=[stream])
            nursery.start_soon(signaling.negotiate, program, publisher)
            async with trio.open_nursery() as viewers:
                for _ in range(2):
                    viewers.start_soon(watch_and_switch, urls["watch"])


async def test_a_viewer_stays_when_another_publishes() -> None:
    async with running("forward.py", "--port", 0) as example:
        urls = {line.split()[-1]: line.split()[1] for line in [await example.line("open http") for _ in "pw"]}
        async with page_at(urls["watch"], "watch") as (pc, nursery, program), pc.subscribe("track") as events:
            nursery.start_soon(signaling.negotiate, program, pc)
            tracks = await receive_tracks(events)
            for width in (160, 192):
                async with page_at(urls["publish"], "publish") as (publisher, sources, server):
                    publisher.add_transceiver(
                        camera(sources, width),
                        direction="sendonly",
                        send_encodings=[RTCRtpEncodingParameters(rid="q"), RTCRtpEncodingParameters(rid="f")],
                    )
                    sources.start_soon(signaling.negotiate, server, publisher)
                    async for frame in tracks["video"]:
                        if frame.width == width:
                            break


async def watch_and_switch(url: str) -> None:
    async with (
        page_at(url, "watch") as (pc, nursery, program),
        pc.subscribe("track") as events,
        pc.subscribe("data_channel") as channels,
    ):
        nursery.start_soon(signaling.negotiate, program, pc)
        tracks = await receive_tracks(events)
        choice = (await channels.receive()).channel
        last = -1
        for rid, width in (("f", 320), ("q", 80), ("f", 320)):
            await choice.send(rid)
            last = await watch_width(tracks["video"], width, last)
        await wait_for_tone(tracks["audio"], 550)


async def receive_tracks(events: trio.abc.ReceiveChannel[RTCTrackEvent]) -> dict[str, MediaStreamTrack]:
    return {event.track.kind: event.track for event in [await events.receive() for _ in range(2)]}


async def watch_width(track: MediaStreamTrack, width: int, last: int) -> int:
    """Wait for five frames of a width; all frames until then must be complete and their numbers increase.

    The first frame of another layer may be the last one of the layer before.
    """
    found = 0
    while found < 5:
        frame = await track.receive()
        counter = read_counter(frame)
        assert counter is not None
        assert counter > last or (counter == last and frame.width == width and not found)
        last = counter
        found += frame.width == width
    return last


async def test_a_voice_bot_answers_and_is_interrupted() -> None:
    port = free_port()
    with trio.fail_after(SECONDS):
        async with running("voice_bot.py", "--port", port) as bot:
            await bot.line("waiting")
            async with running("voice_bot.py", "--port", port, "--caller") as caller:
                assert await bot.line("heard") in {
                    f"heard {tenths / 10} s, answering" for tenths in (9, 10, 11)
                }
                await caller.line("the bot answers")
                await bot.line("interrupted")
                await caller.line("the bot is silent")
                await exits_with_zero(caller)
            bot.process.terminate()
