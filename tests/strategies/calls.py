"""A call of two peers that send encoded frames: nothing is encoded or decoded, so it runs in virtual time."""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from tests.strategies.peers import Peers, connect, two_peers
from trio_rtc import (
    EncodedFrame,
    MediaStreamTrack,
    MediaStreamTrackSource,
    RTCRtpReceiver,
    RTCRtpSender,
    Settings,
    open_media_track,
)
from trio_rtc.testing import Link

WIDTH, HEIGHT = 320, 180
PICTURES_A_SECOND = 25
SOUND_DURATION = 0.02
LEVEL = 20
"""Of every frame of sound, in -dBov."""


def vp8_frame(index: int, *, keyframe: bool, size: int = 2500) -> EncodedFrame:
    """Return something that has the header of a VP8 frame (RFC 6386 section 9.1)."""
    header = b"\x10\x00\x00\x9d\x01\x2a" + struct.pack("<HH", WIDTH, HEIGHT) if keyframe else b"\x11\x00\x00"
    timestamp = index * 90_000 // PICTURES_A_SECOND
    payload = header + bytes(size - len(header))
    return EncodedFrame(payload, timestamp, 90_000, "VP8", keyframe, width=WIDTH, height=HEIGHT)


def opus_frame(index: int, size: int = 80) -> EncodedFrame:
    """Return something that has the header of an Opus packet of 20 ms (RFC 6716 section 3.1)."""
    return EncodedFrame(
        b"\x78" + bytes(size - 1), index * 960, 48_000, "opus", marker=not index, audio_level=LEVEL
    )


@attrs.define
class Call:
    """Alice sends sound and pictures to Bob."""

    peers: Peers
    audio: MediaStreamTrack
    video: MediaStreamTrack
    audio_source: MediaStreamTrackSource
    video_source: MediaStreamTrackSource
    pictures: int = 0
    sounds: int = 0
    _keyframe_wanted: bool = True

    @property
    def sender(self) -> RTCRtpSender:
        """What sends the pictures."""
        return next(each for each in self.peers.alice.get_senders() if each.track is self.video)

    @property
    def receiver(self) -> RTCRtpReceiver:
        """What receives the pictures."""
        return next(each for each in self.peers.bob.get_receivers() if each.track.kind == "video")

    async def say(self, seconds: float) -> None:
        """Send sound for some time."""
        for _ in range(round(seconds / SOUND_DURATION)):
            await self.audio_source.send(opus_frame(self.sounds))
            self.sounds += 1
            await trio.sleep(SOUND_DURATION)

    async def show(self, seconds: float, *, size: int = 2500) -> None:
        """Send pictures for some time, the first of all and those that are asked for keyframes."""
        for _ in range(round(seconds * PICTURES_A_SECOND)):
            keyframe, self._keyframe_wanted = self._keyframe_wanted, False
            await self.video_source.send(vp8_frame(self.pictures, keyframe=keyframe, size=size))
            self.pictures += 1
            await trio.sleep(1 / PICTURES_A_SECOND)

    async def say_and_show(self, seconds: float) -> None:
        """Send both for some time, and wait until all has arrived."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.say, seconds)
            nursery.start_soon(self.show, seconds)
        await trio.sleep(0.5)

    async def answer_keyframe_requests(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with self.sender.keyframe_requests() as requests:
            task_status.started()
            async for _ in requests:
                self._keyframe_wanted = True


async def _watch(track: MediaStreamTrack) -> None:
    async for _ in track:
        pass


@asynccontextmanager
async def call(*, seed: int = 0, link: Link | None = None, watched: bool = True) -> AsyncIterator[Call]:
    """Open two connected peers; Alice sends as told, and Bob watches and listens if he is to."""
    async with two_peers(seed=seed, link=link, settings=Settings(decode=False)) as peers:
        audio_source, audio = open_media_track("audio")
        video_source, video = open_media_track("video")
        peers.alice.add_track(audio)
        peers.alice.add_track(video)
        made = Call(peers, audio, video, audio_source, video_source)
        async with trio.open_nursery() as nursery:
            await connect(peers.alice, peers.bob)
            for receiver in peers.bob.get_receivers() if watched else ():
                nursery.start_soon(_watch, receiver.track)
            await nursery.start(made.answer_keyframe_requests)
            await trio.sleep(1)
            yield made
            nursery.cancel_scope.cancel()
