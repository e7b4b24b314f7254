"""Adding audio to a running video call does not halt the video."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
import trio

from tests.interop.calling import CALL_SECONDS, OUR_TONE
from tests.interop.connecting import negotiating
from tests.interop.negotiation import connect
from tests.interop.opening import Peers
from tests.interop.own_media import OwnMedia
from trio_rtc import MediaStream

FRAMERATE = 30
SECONDS = 3
LONGEST_GAP = 200
"""Milliseconds between two frames."""


def tenths(frames: Sequence[float], begin: float) -> list[int]:
    """Return how many frames there were in each tenth of a second from one second before."""
    return [
        sum(begin + 100 * index <= at < begin + 100 * (index + 1) for at in frames)
        for index in range(-10, 10 * SECONDS)
    ]


@pytest.mark.parametrize("together", [True, False], ids=["one-stream", "two-streams"])
async def test_audio_joins_a_running_video_call(peers: Peers, together: bool) -> None:
    async with negotiating(peers, "chromium", seconds=CALL_SECONDS) as (own, remote, nursery):
        ours = OwnMedia(own.pc, nursery)
        video = ours.open_video(width=640, height=360, framerate=FRAMERATE)
        own.pc.add_track(video, MediaStream([video]))
        await remote.media.watch_frames()
        await connect(own, remote, trickle=True, nursery=nursery)
        await trio.sleep(SECONDS)
        began = (await remote.media.frame_times()).now
        audio = ours.open_audio(frequency=OUR_TONE)
        own.pc.add_track(audio, MediaStream([video, audio] if together else [audio]))
        await connect(own, remote, trickle=False, nursery=nursery)
        await trio.sleep(SECONDS)
        times = (await remote.media.frame_times()).frames
        rates = tenths(times, began)
        longest = max(later - sooner for sooner, later in pairwise(times) if later > began)
        print(f"frames in each tenth of a second: {rates}; longest gap {longest:.0f} ms")
        assert longest < LONGEST_GAP
        assert sum(rates) >= 0.95 * FRAMERATE * (1 + SECONDS)
