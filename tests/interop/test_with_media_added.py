"""Adding audio to a video call with Chromium, in either direction by either side, does not interrupt the video."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise

import pytest
import trio

from tests.interop.calling import CALL_SECONDS, OUR_TONE, THEIR_TONE, Call
from tests.interop.connecting import negotiating
from tests.interop.negotiation import connect
from tests.interop.opening import Peers
from trio_rtc import MediaStream, MediaStreamTrack, RTCOutboundRtpStreamStats, RTCTrackEvent

pytestmark = pytest.mark.timed

FRAMERATE = 30
LEAST_FRAMERATE = 25
"""Frames per second that a busy machine can make."""
SECONDS = 3
LONGEST_GAP = 0.2
"""Seconds between two frames."""

FrameTimes = tuple[Sequence[float], float, int]
"""Arrival times of frames, the current time of the same clock, in seconds, and the number of frames sent."""


def tenths(frames: Sequence[float], begin: float) -> list[int]:
    """Return the number of frames in each tenth of a second, from one second before."""
    return [
        sum(begin + index / 10 <= at < begin + (index + 1) / 10 for at in frames)
        for index in range(-10, 10 * SECONDS)
    ]


async def send_to_chromium(
    call: Call, together: bool
) -> tuple[Callable[[], Awaitable[FrameTimes]], MediaStream]:
    """Send video to Chromium, and return a function that reads its frame times, and the stream for our audio."""
    video = call.ours.open_video(width=640, height=360, framerate=FRAMERATE)
    stream = MediaStream([video])
    sender = call.own.pc.add_track(video, stream)
    await call.theirs.watch_frames()

    async def read() -> FrameTimes:
        times = await call.theirs.frame_times()
        stats = (await sender.get_stats()).values()
        (sent,) = [each for each in stats if isinstance(each, RTCOutboundRtpStreamStats)]
        return [at / 1000 for at in times.frames], times.now / 1000, sent.frames_sent or 0

    return read, stream if together else MediaStream()


async def receive_from_chromium(call: Call) -> Callable[[], Awaitable[FrameTimes]]:
    """Add a video track in Chromium, and return a function that reads the arrival times of its frames."""
    frames: list[float] = []

    async def record(track: MediaStreamTrack) -> None:
        async for _ in track:
            frames.append(trio.current_time())  # noqa: PERF401 - read while it grows

    async def read() -> FrameTimes:
        stats = await call.remote.get_stats()
        (sent,) = [each for each in stats if (each["type"], each.get("kind")) == ("outbound-rtp", "video")]
        return frames, trio.current_time(), sent["framesSent"]

    def watch(event: RTCTrackEvent) -> None:
        if event.track.kind == "video":
            call.nursery.start_soon(record, event.track)

    call.own.pc.on_track = watch
    await call.theirs.add_video(width=640, height=360, framerate=FRAMERATE)
    return read


async def measure(
    call: Call, read: Callable[[], Awaitable[FrameTimes]], add: Callable[[], Awaitable[None]]
) -> None:
    """Require that frames continue while audio is added, and that the frames sent arrive."""
    await trio.sleep(SECONDS - 1)
    times, _, sent_before = await read()
    received_before = len(times)
    await trio.sleep(1)
    _, began, _ = await read()
    await add()
    await trio.sleep(SECONDS)
    times, _, sent = await read()
    longest = max(later - sooner for sooner, later in pairwise(times) if later > began)
    received, sent = len(times) - received_before, sent - sent_before
    print(
        f"frames in each tenth of a second: {tenths(times, began)}; longest gap {1000 * longest:.0f} ms; "
        f"{received} of {sent} received"
    )
    assert longest < LONGEST_GAP
    # A busy machine makes fewer frames, independent of the added audio.
    assert sent >= LEAST_FRAMERATE * (1 + SECONDS)
    assert received >= 0.95 * sent


@pytest.mark.parametrize("adder", ["sender", "sender-in-the-stream", "receiver"])
async def test_adding_audio_to_a_running_video_call_to_chromium(peers: Peers, adder: str) -> None:
    async with negotiating(peers, "chromium", seconds=CALL_SECONDS) as (own, remote, nursery):
        call = Call(own, remote, nursery)
        read, stream = await send_to_chromium(call, together=adder == "sender-in-the-stream")
        await connect(own, remote, trickle=True, nursery=nursery)

        async def add() -> None:
            if adder == "receiver":
                await call.theirs.add_audio(frequency=THEIR_TONE)
                await connect(remote, own, trickle=False, nursery=nursery)
            else:
                own.pc.add_track(call.ours.open_audio(frequency=OUR_TONE), stream)
                await connect(own, remote, trickle=False, nursery=nursery)

        await measure(call, read, add)


@pytest.mark.parametrize("adder", ["sender", "receiver"])
async def test_adding_audio_to_a_running_video_call_from_chromium(peers: Peers, adder: str) -> None:
    async with negotiating(peers, "chromium", seconds=CALL_SECONDS) as (own, remote, nursery):
        call = Call(own, remote, nursery)
        read = await receive_from_chromium(call)
        await connect(remote, own, trickle=True, nursery=nursery)

        async def add() -> None:
            if adder == "sender":
                await call.theirs.add_audio(frequency=THEIR_TONE)
                await connect(remote, own, trickle=False, nursery=nursery)
            else:
                call.ours.add_audio(frequency=OUR_TONE)
                await connect(own, remote, trickle=False, nursery=nursery)

        await measure(call, read, add)
