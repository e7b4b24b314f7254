"""A change of the session during a video call halts neither the video nor its bitrate.

Frames are counted in each tenth of a second at the receiver, from one second before the change to three after it.
"""

import random
from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.strategies.metered_calls import (
    FRAME_RATE,
    MeteredCall,
    VideoEncoder,
    metered_call,
    send_audio_frames,
)
from tests.strategies.peers import negotiate
from trio_rtc import (
    MediaStream,
    MediaStreamTrack,
    RTCPeerConnection,
    RTCRtpEncodingParameters,
    RTCRtpTransceiver,
    open_media_track,
)
from trio_rtc.testing import Link

pytestmark = pytest.mark.usefixtures("autojump_clock")

BEFORE, AFTER = 1.0, 3.0
WARM_UP = 8.0
"""Seconds until the bandwidth estimate has reached the maximum of the encoding."""
LAYERS = (RTCRtpEncodingParameters(max_bitrate=1_500_000),)
CLEAN = Link(delay=0.01)
NARROW = Link(delay=0.02, rate=2_500_000, queue=50_000)
LOSSY = Link(delay=0.05, loss=0.02)

Change = Callable[[MeteredCall], Awaitable[None]]


def open_audio(call: MeteredCall) -> MediaStreamTrack:
    """Return a track on which audio frames are sent until the call ends."""
    source, track = open_media_track("audio")
    call.nursery.start_soon(send_audio_frames, source)
    return track


def start_video(call: MeteredCall, peer: RTCPeerConnection) -> None:
    """Add a video track and send frames on it until the call ends."""
    source, track = open_media_track("video")
    transceiver = peer.add_transceiver(track, direction="sendonly", send_encodings=LAYERS)
    encoder = VideoEncoder(source, transceiver.sender, random.Random(7))
    call.nursery.start_soon(encoder.run)


async def sender_adds_audio(call: MeteredCall) -> None:
    call.peers.alice.add_track(open_audio(call), MediaStream())
    await negotiate(call.peers.alice, call.peers.bob)


async def sender_adds_audio_to_the_stream(call: MeteredCall) -> None:
    call.peers.alice.add_track(open_audio(call), call.stream)
    await negotiate(call.peers.alice, call.peers.bob)


async def receiver_adds_audio(call: MeteredCall) -> None:
    call.peers.bob.add_track(open_audio(call), MediaStream())
    await negotiate(call.peers.bob, call.peers.alice)


async def both_add_audio(call: MeteredCall) -> None:
    call.peers.alice.add_track(open_audio(call), call.stream)
    call.peers.bob.add_track(open_audio(call), MediaStream())
    await negotiate(call.peers.alice, call.peers.bob)


async def sender_adds_video(call: MeteredCall) -> None:
    start_video(call, call.peers.alice)
    await negotiate(call.peers.alice, call.peers.bob)


async def receiver_adds_video(call: MeteredCall) -> None:
    start_video(call, call.peers.bob)
    await negotiate(call.peers.bob, call.peers.alice)


async def transceivers_are_added(call: MeteredCall) -> None:
    call.peers.alice.add_transceiver(open_audio(call), direction="sendonly")
    call.peers.alice.add_transceiver("video", direction="recvonly")
    call.peers.bob.add_transceiver("audio", direction="inactive")
    await negotiate(call.peers.alice, call.peers.bob)
    await negotiate(call.peers.bob, call.peers.alice)


async def the_video_track_is_replaced(call: MeteredCall) -> None:
    source, track = open_media_track("video")
    await call.encoder.sender.replace_track(track)
    call.encoder.source = source


async def nothing_is_changed(call: MeteredCall) -> None:
    await negotiate(call.peers.alice, call.peers.bob)
    await negotiate(call.peers.bob, call.peers.alice)


def audio_transceiver(call: MeteredCall) -> RTCRtpTransceiver:
    (transceiver,) = (
        each for each in call.peers.alice.get_transceivers() if each.receiver.track.kind == "audio"
    )
    return transceiver


async def sender_removes_audio(call: MeteredCall) -> None:
    call.peers.alice.remove_track(audio_transceiver(call).sender)
    await negotiate(call.peers.alice, call.peers.bob)


async def sender_stops_audio(call: MeteredCall) -> None:
    audio_transceiver(call).stop()
    await negotiate(call.peers.alice, call.peers.bob)


async def receiver_stops_audio(call: MeteredCall) -> None:
    (transceiver,) = (
        each for each in call.peers.bob.get_transceivers() if each.receiver.track.kind == "audio"
    )
    transceiver.stop()
    await negotiate(call.peers.bob, call.peers.alice)


async def the_audio_track_is_replaced(call: MeteredCall) -> None:
    sender = audio_transceiver(call).sender
    await sender.replace_track(None)
    await trio.sleep(0.5)
    await sender.replace_track(open_audio(call))


ADDITIONS: list[Change] = [
    sender_adds_audio,
    sender_adds_audio_to_the_stream,
    receiver_adds_audio,
    both_add_audio,
    sender_adds_video,
    receiver_adds_video,
    transceivers_are_added,
    the_video_track_is_replaced,
    nothing_is_changed,
]
REMOVALS: list[Change] = [
    sender_removes_audio,
    sender_stops_audio,
    receiver_stops_audio,
    the_audio_track_is_replaced,
]


def count_tenths(call: MeteredCall, changed_at: float) -> list[int]:
    """Return the number of frames received in each tenth of a second around a change."""
    begin = changed_at - BEFORE
    counts = [0] * round((BEFORE + AFTER) * 10)
    for frame in call.video.between(begin):
        if (index := int((frame.at - begin) * 10)) < len(counts):
            counts[index] += 1
    return counts


def received_bitrate(call: MeteredCall, begin: float, end: float) -> float:
    """Return the bitrate of the received frames between two times."""
    return 8 * sum(frame.size for frame in call.video.between(begin, end)) / (end - begin)


def longest_gap(call: MeteredCall, changed_at: float) -> float:
    """Return the longest time between two frames around a change."""
    return call.video.longest_stall(changed_at - BEFORE, changed_at + AFTER)


async def run_change(call: MeteredCall, change: Change) -> float:
    """Change the session of a settled call, wait for the frames after it, and return the time of the change."""
    await trio.sleep(WARM_UP)
    changed_at = trio.current_time()
    await change(call)
    await trio.sleep_until(changed_at + AFTER + 0.1)
    return changed_at


def share_of_bitrate(call: MeteredCall, changed_at: float, window: float = 0.5) -> float:
    """Return the least video bitrate of a window of time after a change, as a share of that before it."""
    before = received_bitrate(call, changed_at - 2 * BEFORE, changed_at)
    begins = [changed_at + number * window for number in range(round(AFTER / window))]
    return min(received_bitrate(call, begin, begin + window) for begin in begins) / before


parametrize_changes = pytest.mark.parametrize(
    "change", ADDITIONS + REMOVALS, ids=lambda change: change.__name__.replace("_", "-")
)


@parametrize_changes
async def test_video_continues_through_a_change_on_a_clean_path(change: Change) -> None:
    async with metered_call(link=CLEAN, layers=LAYERS, audio=change in REMOVALS) as call:
        changed_at = await run_change(call, change)
        tenths = count_tenths(call, changed_at)
        print(f"{tenths}, least bitrate {share_of_bitrate(call, changed_at):.0%}")
        assert min(tenths) >= 2
        assert abs(sum(tenths) - FRAME_RATE * (BEFORE + AFTER)) <= 1
        assert share_of_bitrate(call, changed_at) > 0.9
        # Only a new track begins with a keyframe.
        keyframes = [frame for frame in call.video.between(changed_at) if frame.keyframe]
        assert len(keyframes) == (change is the_video_track_is_replaced)


@parametrize_changes
async def test_video_continues_through_a_change_on_a_lossy_path(change: Change) -> None:
    """A lost packet arrives after one to three round trips of 100 ms, so that a tenth may be empty without a change."""
    async with metered_call(link=LOSSY, layers=LAYERS, audio=change in REMOVALS) as call:
        changed_at = await run_change(call, change)
        tenths = count_tenths(call, changed_at)
        # In half a second late frames would be a fifth of all.
        share = share_of_bitrate(call, changed_at, window=1.0)
        print(f"{tenths}, least bitrate {share:.0%}")
        assert longest_gap(call, changed_at) < 3.5 * 2 * LOSSY.delay
        assert sum(tenths) >= 0.95 * FRAME_RATE * (BEFORE + AFTER)
        assert share > 0.8


@parametrize_changes
async def test_video_continues_through_a_change_on_a_narrow_path(change: Change) -> None:
    """The path has 5/3 of the video's bitrate; a second video of the same bitrate must get half of it."""
    async with metered_call(link=NARROW, layers=LAYERS, audio=change in REMOVALS) as call:
        changed_at = await run_change(call, change)
        tenths = count_tenths(call, changed_at)
        print(f"{tenths}, least bitrate {share_of_bitrate(call, changed_at):.0%}")
        shared = change is sender_adds_video
        assert min(tenths) >= (1 if shared else 2)
        assert sum(tenths) >= FRAME_RATE * (BEFORE + AFTER) - 2
        assert share_of_bitrate(call, changed_at) > (0.6 if shared else 0.9)
