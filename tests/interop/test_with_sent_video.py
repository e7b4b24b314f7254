"""Our video at Chromium: freezes under packet loss, and its delay after a concurrent bulk transfer."""

import pytest
import trio

from tests.interop.calling import CALL_SECONDS, OUR_TONE, Call
from tests.interop.connecting import negotiating
from tests.interop.drivers.rpc import JsonObject
from tests.interop.long_path import LongPath, RandomLoss
from tests.interop.opening import Peers
from trio_rtc import MediaStream, Settings
from trio_rtc.transports.udp import SystemNetwork

pytestmark = pytest.mark.timed

WIDTH, HEIGHT, FRAMERATE = 640, 360, 30
ROUND_TRIP, LOSS = 0.05, 0.1
MOST_FREEZES = 2
"""Maximum in ten seconds. In the benchmark of calls, libwebrtc as sender has two in twelve seconds (median)."""
BLOCK = bytes(16384)


async def received_video(call: Call) -> JsonObject:
    """Return Chromium's statistics of our video."""
    stats = await call.remote.get_stats()
    return next(each for each in stats if (each["type"], each.get("kind")) == ("inbound-rtp", "video"))


async def changes_of_video(call: Call, seconds: float) -> dict[str, float]:
    """Return the increase of some of these statistics in the next seconds."""
    names = (
        "freezeCount",
        "totalFreezesDuration",
        "framesDecoded",
        "jitterBufferDelay",
        "jitterBufferEmittedCount",
    )
    before = await received_video(call)
    await trio.sleep(seconds)
    after = await received_video(call)
    return {name: after[name] - before[name] for name in names}


async def jitter_buffer_of(call: Call, seconds: float) -> float:
    """Return the mean jitter buffer delay of Chromium in the next seconds, in seconds."""
    change = await changes_of_video(call, seconds)
    assert change["jitterBufferEmittedCount"] > 0
    return change["jitterBufferDelay"] / change["jitterBufferEmittedCount"]


async def begin(call: Call) -> None:
    """Negotiate, and play our video in Chromium."""
    await call.negotiate(we_offer=True)
    (video,) = call.ours.of_kind("video")
    assert video.mid is not None
    call.nursery.start_soon(call.theirs.watch, video.mid, CALL_SECONDS)
    # In the first seconds bandwidth, round-trip time and loss are still estimated.
    await trio.sleep(4)


async def test_a_tenth_of_loss_hardly_freezes_our_video(peers: Peers) -> None:
    async with trio.open_nursery() as nursery:
        lossy = RandomLoss(LOSS, 1), RandomLoss(LOSS, 2)
        path = LongPath(SystemNetwork(), nursery, ROUND_TRIP, *lossy)
        settings = Settings(network=path)
        async with negotiating(peers, "chromium", settings=settings, seconds=CALL_SECONDS) as opened:
            call = Call(*opened)
            track = call.ours.open_video(width=WIDTH, height=HEIGHT, framerate=FRAMERATE)
            call.own.pc.add_track(track, MediaStream([track]))
            await begin(call)
            # The loss is random, also that of the requests for retransmission, which cause most freezes: on an idle
            # machine eight windows had 4, 1, 2, 2, 1, 1, 2 and 1. Without lost requests it is a quarter of that.
            change: dict[str, float] = {}
            for _ in range(3):
                change = await changes_of_video(call, 10)
                if change["freezeCount"] <= MOST_FREEZES:
                    break
            assert change["freezeCount"] <= MOST_FREEZES
            assert change["totalFreezesDuration"] < 1
            assert change["framesDecoded"] > 0.9 * 10 * FRAMERATE
        nursery.cancel_scope.cancel()
    assert min(direction.lost for direction in lossy) > 20


async def test_video_delay_recovers_after_a_bulk_transfer(peers: Peers) -> None:
    async with negotiating(peers, "chromium", seconds=CALL_SECONDS) as opened:
        call = Call(*opened)
        video = call.ours.open_video(width=WIDTH, height=HEIGHT, framerate=FRAMERATE)
        audio = call.ours.open_audio(frequency=OUR_TONE)
        # In one stream: Chromium delays the video to match late audio.
        together = MediaStream([video, audio])
        for track in (video, audio):
            call.own.pc.add_track(track, together)
        channel = call.own.pc.create_data_channel("bulk")
        await begin(call)
        await channel.opened()
        delay = 1.0
        for _ in range(2):
            with trio.move_on_after(3):
                while True:
                    await channel.send(BLOCK)
            while channel.buffered_amount:  # noqa: ASYNC110 - a foreign process takes it
                await trio.sleep(0.05)
            await trio.sleep(2)
            delay = await jitter_buffer_of(call, 1)
            # A busy machine has sent the audio late.
            if delay < 0.1:
                break
            await trio.sleep(4)
        assert delay < 0.1
