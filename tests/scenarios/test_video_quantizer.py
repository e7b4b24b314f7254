"""Video that exceeds its bitrate is scaled down until its quantizer is acceptable, and scaled up later."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.strategies.peers import Peers, connect, two_peers
from tests.strategies.video_frames import moving_noise
from trio_rtc import (
    MediaStreamTrack,
    MediaStreamTrackSource,
    RTCOutboundRtpStreamStats,
    RTCRtpEncodingParameters,
    RTCRtpSender,
    Settings,
    open_media_track,
)
from trio_rtc.testing import Link

pytestmark = pytest.mark.usefixtures("autojump_clock")

WIDTH, HEIGHT = 640, 360
SLOW, FAST = 600_000, 4_000_000


async def send_video(frames: MediaStreamTrackSource) -> None:
    images = list(moving_noise(60, WIDTH, HEIGHT))
    counter = 0
    while True:
        frame = images[counter % len(images)]
        frame.pts = counter * 3000
        await frames.send(frame)
        counter += 1
        await trio.sleep(1 / 30)


async def watch(track: MediaStreamTrack) -> None:
    async for _ in track:
        pass


async def outbound(sender: RTCRtpSender) -> RTCOutboundRtpStreamStats:
    report = await sender.get_stats()
    (stream,) = [each for each in report.values() if isinstance(each, RTCOutboundRtpStreamStats)]
    return stream


async def mean_quantizer(sender: RTCRtpSender, seconds: float) -> float:
    before = await outbound(sender)
    await trio.sleep(seconds)
    after = await outbound(sender)
    assert before.qp_sum is not None
    assert after.qp_sum is not None
    assert before.frames_encoded is not None
    assert after.frames_encoded is not None
    return (after.qp_sum - before.qp_sum) / (after.frames_encoded - before.frames_encoded)


@asynccontextmanager
async def calling(rate: float, max_bitrate: int | None = None) -> AsyncIterator[tuple[Peers, RTCRtpSender]]:
    """Open a call with demanding video from Alice to Bob over a link of some rate."""
    async with (
        two_peers(link=link(rate), settings=Settings(decode=False)) as peers,
        trio.open_nursery() as nursery,
    ):
        frames, track = open_media_track("video")
        encodings = [RTCRtpEncodingParameters(max_bitrate=max_bitrate)]
        sender = peers.alice.add_transceiver(track, send_encodings=encodings).sender
        peers.bob.on_track = lambda event: nursery.start_soon(watch, event.track)
        nursery.start_soon(send_video, frames)
        await connect(peers.alice, peers.bob)
        yield peers, sender
        nursery.cancel_scope.cancel()


def link(rate: float) -> Link:
    return Link(delay=0.02, rate=rate, queue=round(rate / 30))


async def test_video_is_scaled_down_when_its_quantizer_is_high() -> None:
    async with calling(SLOW, 2_500_000) as (peers, sender):
        await trio.sleep(1)
        # By bits per pixel alone, the resolution would stay, with the highest quantizer.
        assert await mean_quantizer(sender, 1) > 110
        await trio.sleep(13)
        assert await mean_quantizer(sender, 4) < 95
        small = await outbound(sender)
        assert small.frame_width is not None
        assert small.frame_width <= WIDTH / 1.5
        assert small.quality_limitation_reason == "bandwidth"
        peers.network.set_link("alice", "bob", link(FAST))
        await trio.sleep(40)
        assert (await outbound(sender)).frame_width == WIDTH
        assert await mean_quantizer(sender, 4) < 60


@pytest.mark.parametrize(("max_bitrate", "least", "most"), [(None, 1.5e6, 1.8e6), (2_500_000, 2.2e6, 2.7e6)])
async def test_no_imperceptible_bits_are_spent(max_bitrate: int | None, least: float, most: float) -> None:
    async with calling(FAST, max_bitrate) as (_, sender):
        await trio.sleep(8)
        before = (await outbound(sender)).bytes_sent
        await trio.sleep(4)
        assert least < ((await outbound(sender)).bytes_sent - before) * 8 / 4 < most
