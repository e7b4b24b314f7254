"""A bot that answers in tones, and stops when you interrupt it.

Run it, and in a second terminal `voice_bot.py --caller`, which speaks twice: once to be answered, and once into the
answer. It needs the extra `media`. In place of `think` a real bot has speech to text, a model, and text to speech.
"""

import argparse
import math
from array import array
from collections.abc import AsyncIterator

import av
import trio

import trio_rtc
from trio_rtc import signaling

RATE = 16_000
LOUD = 1_500.0
SILENCE_AFTER_SPEECH = 0.4


async def pcm(track: trio_rtc.MediaStreamTrack) -> AsyncIterator[bytes]:
    """Yield the audio of a track as 16 kHz mono PCM, the usual input of speech to text."""
    resampler = av.AudioResampler("s16", "mono", RATE)
    async for frame in track:
        for resampled in resampler.resample(frame):
            yield bytes(resampled.planes[0])[: 2 * resampled.samples]


async def say(frames: trio_rtc.MediaStreamTrackSource, samples: bytes) -> None:
    """Send 16 kHz mono PCM of any length. The frame has no `pts`: it follows what was sent before."""
    if not samples:
        # Text to speech may stream an empty chunk, and a frame must have samples.
        return
    frame = av.AudioFrame("s16", "mono", len(samples) // 2)
    frame.planes[0].update(samples)
    frame.sample_rate = RATE
    await frames.send(frame)


def is_loud(samples: bytes) -> bool:
    """Return whether audio is louder than noise. A voice activity detector is more precise."""
    values = array("h", samples)
    return bool(values) and math.sqrt(sum(value * value for value in values) / len(values)) > LOUD


def tone(frequency: float, seconds: float) -> bytes:
    """Return a tone as PCM."""
    step = 2 * math.pi * frequency / RATE
    return array("h", [int(8_000 * math.sin(step * i)) for i in range(round(seconds * RATE))]).tobytes()


def think(heard: float) -> bytes:
    """Return the answer to some seconds of speech, all of it at once, as text to speech does."""
    return tone(660, 10 * heard)


async def answer(frames: trio_rtc.MediaStreamTrackSource, heard: float) -> None:
    """Send the answer, which ``drop_queued`` interrupts."""
    print(f"heard {heard:.1f} s, answering", flush=True)
    await say(frames, think(heard))


async def converse(track: trio_rtc.MediaStreamTrack, frames: trio_rtc.MediaStreamTrackSource) -> None:
    """Listen, answer when the caller has spoken, and stop when the caller speaks again."""
    heard = silent = 0.0
    async with trio.open_nursery() as nursery:
        async for samples in pcm(track):
            seconds = len(samples) / 2 / RATE
            if is_loud(samples):
                heard, silent = heard + seconds, 0.0
                if (dropped := frames.drop_queued()) > 0:
                    print(f"interrupted with {dropped:.1f} s unsent", flush=True)
            elif heard and (silent := silent + seconds) >= SILENCE_AFTER_SPEECH:
                nursery.start_soon(answer, frames, heard)
                heard = silent = 0.0


async def serve(peer: signaling.Peer) -> None:
    """Talk to one caller, until it hangs up."""
    print(f"caller {peer.id}", flush=True)
    async with trio_rtc.RTCPeerConnection() as pc, trio.open_nursery() as nursery:
        frames, voice = trio_rtc.open_media_track("audio")

        def pick_up(event: trio_rtc.RTCTrackEvent) -> None:
            pc.add_track(voice, trio_rtc.MediaStream([voice]))
            nursery.start_soon(converse, event.track, frames)

        pc.on_track = pick_up
        await signaling.negotiate(peer, pc)
        nursery.cancel_scope.cancel()


async def call(peer: signaling.Peer) -> None:
    """Speak, wait for the answer, and speak into it."""
    async with trio_rtc.RTCPeerConnection() as pc, trio.open_nursery() as nursery:
        frames, voice = trio_rtc.open_media_track("audio")
        pc.add_track(voice, trio_rtc.MediaStream([voice]))
        async with pc.subscribe("track") as tracks, pc.subscribe("connection_state_change") as changes:
            await nursery.start(signaling.negotiate, peer, pc)
            while pc.connection_state != "connected":
                await changes.receive()
            await say(frames, tone(440, 1))
            track = (await tracks.receive()).track
            answered = 0.0
            async for samples in pcm(track):
                answered += is_loud(samples) * len(samples) / 2 / RATE
                if answered > 1:
                    break
            print("the bot answers", flush=True)
            await say(frames, tone(440, 0.5))
            silent = 0.0
            async for samples in pcm(track):
                silent = 0.0 if is_loud(samples) else silent + len(samples) / 2 / RATE
                if silent > 0.3:
                    break
            print("the bot is silent", flush=True)
        nursery.cancel_scope.cancel()


async def main() -> None:
    """Wait for callers, or be one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--caller", action="store_true")
    arguments = parser.parse_args()
    async with trio.open_nursery() as nursery:
        if not arguments.caller:
            await nursery.start(signaling.serve, "127.0.0.1", arguments.port)
        async with signaling.connect(f"ws://127.0.0.1:{arguments.port}/", room="voice") as room:
            print("waiting", flush=True)
            async for peer in room:
                if arguments.caller:
                    await call(peer)
                    break
                nursery.start_soon(serve, peer)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
