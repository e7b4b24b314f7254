"""Time from the connection to the first frame, compared with libwebrtc, with Chromium as receiver."""

import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.interop.calling import CALL_SECONDS
from tests.interop.connecting import negotiating
from tests.interop.negotiation import connect
from tests.interop.opening import Peers
from tests.interop.own_media import OwnMedia
from tests.interop.remote_peer import RemotePeer
from trio_rtc import open_media_track
from trio_rtc.media import draw_pattern

pytestmark = pytest.mark.timed

CALLS = 5
WIDTH, HEIGHT, FRAMERATE = 640, 360, 30


async def first_frame(receiver: RemotePeer) -> float:
    """Return the milliseconds from the connection to the first decoded frame."""
    while True:
        times = await receiver.media.frame_times()
        if times.frames and times.connected is not None:
            return times.frames[0] - times.connected
        await trio.sleep(0.05)


@asynccontextmanager
async def two_foreign_peers(
    peers: Peers, one: str, other: str
) -> AsyncIterator[tuple[RemotePeer, RemotePeer, trio.Nursery]]:
    with trio.fail_after(CALL_SECONDS):
        async with peers.open(one) as first, peers.open(other) as second, trio.open_nursery() as nursery:
            yield first, second, nursery
            nursery.cancel_scope.cancel()


async def from_us(peers: Peers) -> float:
    async with negotiating(peers, "chromium", seconds=CALL_SECONDS) as (own, remote, nursery):
        OwnMedia(own.pc, nursery).add_video(width=WIDTH, height=HEIGHT, framerate=FRAMERATE)
        await remote.media.watch_frames()
        await connect(own, remote, trickle=True, nursery=nursery)
        return await first_frame(remote)


async def from_libwebrtc(peers: Peers) -> float:
    async with two_foreign_peers(peers, "wrtc", "chromium") as (sender, receiver, nursery):
        await sender.media.add_video(width=WIDTH, height=HEIGHT, framerate=FRAMERATE)
        await receiver.media.watch_frames()
        await connect(sender, receiver, trickle=True, nursery=nursery)
        return await first_frame(receiver)


async def test_the_first_frame_is_as_early_as_from_libwebrtc(peers: Peers) -> None:
    ours = [await from_us(peers) for _ in range(CALLS)]
    theirs = [await from_libwebrtc(peers) for _ in range(CALLS)]
    print(f"first frame after connected, ms: ours {ours}, libwebrtc {theirs}")
    assert statistics.median(ours) <= statistics.median(theirs) + 50


async def test_a_still_image_is_received_again_when_it_is_repeated(peers: Peers) -> None:
    """It is sent once, before the connection, and must be sent again after its encoding was paused."""
    async with negotiating(peers, "chromium", seconds=CALL_SECONDS) as (own, remote, nursery):
        frames, track = open_media_track("video")
        sender = own.pc.add_track(track)
        await frames.send(draw_pattern(7, WIDTH, HEIGHT))
        await remote.media.watch_frames()
        await connect(own, remote, trickle=True, nursery=nursery)
        await first_frame(remote)
        await trio.sleep(2)
        assert len((await remote.media.frame_times()).frames) == 1
        for active in (False, True):
            parameters = sender.get_parameters()
            parameters.encodings[0].active = active
            await sender.set_parameters(parameters)
            await trio.sleep(1)
        assert len((await remote.media.frame_times()).frames) == 2
