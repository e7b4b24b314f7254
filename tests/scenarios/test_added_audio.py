"""Adding audio to a running video call does not interrupt the video."""

import functools

import pytest
import trio

from tests.strategies.peers import connect, description_of, two_peers
from tests.strategies.scenarios import state_reached
from tests.strategies.video_frames import timed_pattern
from trio_rtc import (
    MediaStream,
    MediaStreamTrack,
    MediaStreamTrackSource,
    RTCPeerConnection,
    RTCTrackEvent,
    open_media_track,
)
from trio_rtc.media import tone
from trio_rtc.testing import Link

pytestmark = pytest.mark.usefixtures("autojump_clock")

FRAMERATE = 30
BEFORE, AFTER = 1.0, 4.0
"""Seconds around the change in which frames are counted."""


class Received:
    """Arrival times of video and audio frames at an application."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.at: dict[str, list[float]] = {"video": [], "audio": []}
        self._nursery = nursery

    def watch(self, event: RTCTrackEvent) -> None:
        self._nursery.start_soon(self._record_arrivals, event.track)

    async def _record_arrivals(self, track: MediaStreamTrack) -> None:
        async for _ in track:
            self.at[track.kind].append(trio.current_time())

    def tenths(self, kind: str, around: float) -> list[int]:
        """Return the number of frames received in each tenth of a second."""
        begin = around - BEFORE
        counts = [0] * round((BEFORE + AFTER) * 10)
        for at in self.at[kind]:
            if 0 <= (index := int((at - begin) * 10)) < len(counts):
                counts[index] += 1
        return counts


async def send_video(frames: MediaStreamTrackSource) -> None:
    counter = 0
    while True:
        await frames.send(timed_pattern(counter, framerate=FRAMERATE))
        counter += 1
        await trio.sleep(1 / FRAMERATE)


async def send_audio(frames: MediaStreamTrackSource) -> None:
    async with tone(440) as audio_source:
        async for frame in audio_source:
            await frames.send(frame)


async def negotiate_slowly(offerer: RTCPeerConnection, answerer: RTCPeerConnection, delay: float) -> None:
    """Exchange an offer and an answer over signaling with a one-way delay in seconds."""
    await offerer.set_local_description()
    await trio.sleep(delay)
    await answerer.set_remote_description(description_of(offerer))
    await answerer.set_local_description()
    await trio.sleep(delay)
    await offerer.set_remote_description(description_of(answerer))


@pytest.mark.parametrize("rate", [600_000, 4_000_000])
@pytest.mark.parametrize("by_receiver", [False, True], ids=["sender-adds", "receiver-adds"])
@pytest.mark.parametrize("together", [False, True], ids=["two-streams", "one-stream"])
async def test_adding_audio_to_a_running_video_call(rate: int, by_receiver: bool, together: bool) -> None:
    link = Link(delay=0.05, rate=rate, queue=rate // 30)
    async with two_peers(link=link) as peers, trio.open_nursery() as nursery:
        alice, bob = peers.alice, peers.bob
        video_source, video = open_media_track("video")
        audio_source, audio = open_media_track("audio")
        alice.add_track(video, MediaStream([video], id="all"))
        received = Received(nursery)
        alice.on_track = bob.on_track = received.watch
        await connect(alice, bob)
        await state_reached(bob, "connected")
        nursery.start_soon(send_video, video_source)
        # Until the bandwidth estimate has reached the path's rate.
        await trio.sleep(12)
        began = trio.current_time()
        adder, other = (bob, alice) if by_receiver else (alice, bob)
        adder.add_track(audio, MediaStream([audio], id="all" if together else "another"))
        nursery.start_soon(functools.partial(send_audio, audio_source))
        await negotiate_slowly(adder, other, 0.3)
        await trio.sleep(AFTER)
        frames = received.tenths("video", began)
        assert min(frames) >= 2, frames
        assert sum(frames) >= 0.97 * FRAMERATE * (BEFORE + AFTER)
        # Once negotiated, all audio arrives.
        assert min(received.tenths("audio", began)[20:]) >= 4
        nursery.cancel_scope.cancel()
