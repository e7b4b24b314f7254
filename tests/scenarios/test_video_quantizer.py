"""Video that is too much for its bitrate becomes smaller until it looks well, and grows again when there is room."""

import pytest
import trio

from tests.strategies.peers import connect, two_peers
from tests.strategies.pictures import moving_noise
from trio_rtc import (
    MediaStreamTrack,
    MediaStreamTrackSource,
    RTCOutboundRtpStreamStats,
    RTCRtpSender,
    open_media_track,
)
from trio_rtc.testing import Link

pytestmark = pytest.mark.usefixtures("autojump_clock")

WIDTH, HEIGHT = 640, 360
SLOW, FAST = 600_000, 4_000_000


async def show(frames: MediaStreamTrackSource) -> None:
    pictures = list(moving_noise(60, WIDTH, HEIGHT))
    counter = 0
    while True:
        picture = pictures[counter % len(pictures)]
        picture.pts = counter * 3000
        await frames.send(picture)
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


async def test_video_becomes_smaller_where_its_quantizer_is_high() -> None:
    slow = Link(delay=0.02, rate=SLOW, queue=SLOW // 30)
    async with two_peers(link=slow) as peers, trio.open_nursery() as nursery:
        frames, track = open_media_track("video")
        sender = peers.alice.add_track(track)
        peers.bob.on_track = lambda event: nursery.start_soon(watch, event.track)
        nursery.start_soon(show, frames)
        await connect(peers.alice, peers.bob)
        await trio.sleep(1)
        # Bits per pixel alone would leave it as large as it is, at the end of the scale.
        assert await mean_quantizer(sender, 1) > 110
        await trio.sleep(13)
        assert await mean_quantizer(sender, 4) < 95
        small = await outbound(sender)
        assert small.frame_width is not None
        assert small.frame_width <= WIDTH / 1.5
        assert small.quality_limitation_reason == "bandwidth"
        peers.network.set_link("alice", "bob", Link(delay=0.02, rate=FAST, queue=FAST // 30))
        await trio.sleep(40)
        large = await outbound(sender)
        assert large.frame_width == WIDTH
        assert await mean_quantizer(sender, 4) < 60
        nursery.cancel_scope.cancel()
