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
FRAME_RATE = 25
AUDIO_FRAME_DURATION = 0.02
LEVEL = 20
"""Audio level of every frame, in -dBov."""


def vp8_frame(index: int, *, keyframe: bool, size: int = 2500) -> EncodedFrame:
    """Return bytes with the header of a VP8 frame (RFC 6386 section 9.1)."""
    header = b"\x10\x00\x00\x9d\x01\x2a" + struct.pack("<HH", WIDTH, HEIGHT) if keyframe else b"\x11\x00\x00"
    timestamp = index * 90_000 // FRAME_RATE
    payload = header + bytes(size - len(header))
    return EncodedFrame(payload, timestamp, 90_000, "VP8", keyframe, width=WIDTH, height=HEIGHT)


def opus_frame(index: int, size: int = 80) -> EncodedFrame:
    """Return bytes with the header of an Opus packet of 20 ms (RFC 6716 section 3.1)."""
    return EncodedFrame(
        b"\x78" + bytes(size - 1), index * 960, 48_000, "opus", marker=not index, audio_level=LEVEL
    )


@attrs.define
class Call:
    """A call in which Alice sends audio and video to Bob."""

    peers: Peers
    audio: MediaStreamTrack
    video: MediaStreamTrack
    audio_source: MediaStreamTrackSource
    video_source: MediaStreamTrackSource
    video_frames: int = 0
    audio_frames: int = 0
    _keyframe_requested: bool = True

    @property
    def sender(self) -> RTCRtpSender:
        """The sender of Alice's video track."""
        return next(each for each in self.peers.alice.get_senders() if each.track is self.video)

    @property
    def receiver(self) -> RTCRtpReceiver:
        """Bob's receiver of video."""
        return next(each for each in self.peers.bob.get_receivers() if each.track.kind == "video")

    async def send_audio(self, seconds: float) -> None:
        """Send audio frames for some seconds."""
        for _ in range(round(seconds / AUDIO_FRAME_DURATION)):
            await self.audio_source.send(opus_frame(self.audio_frames))
            self.audio_frames += 1
            await trio.sleep(AUDIO_FRAME_DURATION)

    async def send_video(self, seconds: float, *, size: int = 2500) -> None:
        """Send video frames for some seconds; the first one and each requested one is a keyframe."""
        for _ in range(round(seconds * FRAME_RATE)):
            keyframe, self._keyframe_requested = self._keyframe_requested, False
            await self.video_source.send(vp8_frame(self.video_frames, keyframe=keyframe, size=size))
            self.video_frames += 1
            await trio.sleep(1 / FRAME_RATE)

    async def send_audio_and_video(self, seconds: float) -> None:
        """Send audio and video for some seconds, and wait until all frames have arrived."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.send_audio, seconds)
            nursery.start_soon(self.send_video, seconds)
        await trio.sleep(0.5)

    async def answer_keyframe_requests(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with self.sender.keyframe_requests() as requests:
            task_status.started()
            async for _ in requests:
                self._keyframe_requested = True


async def _consume(track: MediaStreamTrack) -> None:
    async for _ in track:
        pass


@asynccontextmanager
async def call(*, seed: int = 0, link: Link | None = None, watched: bool = True) -> AsyncIterator[Call]:
    """Open two connected peers; Bob consumes the frames of both tracks if ``watched``."""
    async with two_peers(seed=seed, link=link, settings=Settings(decode=False)) as peers:
        audio_source, audio = open_media_track("audio")
        video_source, video = open_media_track("video")
        peers.alice.add_track(audio)
        peers.alice.add_track(video)
        made = Call(peers, audio, video, audio_source, video_source)
        async with trio.open_nursery() as nursery:
            await connect(peers.alice, peers.bob)
            for receiver in peers.bob.get_receivers() if watched else ():
                nursery.start_soon(_consume, receiver.track)
            await nursery.start(made.answer_keyframe_requests)
            await trio.sleep(1)
            yield made
            nursery.cancel_scope.cancel()
