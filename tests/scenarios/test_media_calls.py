"""Events of calls: keyframes, slow consumers, ICE restarts, network changes, cancellation at any step."""

import functools
from collections.abc import Callable, Mapping

import attrs
import pytest
import trio

from tests.strategies.cancelled_scenarios import cancelled_at
from tests.strategies.metered_calls import Log, MeteredCall, metered_call
from tests.strategies.peers import connect, negotiate, settings_for, trickle
from tests.strategies.scenarios import seeds, state_reached
from trio_rtc import EncodedFrame, RTCPeerConnection, RTCRtpReceiver, Settings, open_media_track
from trio_rtc.protocols.rtp import RtpPacket
from trio_rtc.testing import Link, SimulatedHost, SimulatedNetwork

pytestmark = pytest.mark.usefixtures("autojump_clock")

DELAY = 0.03
LINK = Link(delay=DELAY, rate=1e6, queue=50_000)


async def test_bitrates_are_reported_to_the_encoder() -> None:
    async with metered_call(link=LINK) as call:
        sender = call.encoder.sender
        reported: list[Mapping[str | None, float]] = []
        async with sender.bitrate_changes() as changes:
            reported.append(await changes.receive())
            assert reported[0] == sender.target_bitrates
            await trio.sleep(3)
            call.set_rate(200_000)
            reported.append(await changes.receive())
            assert reported[-1][None] > 300_000
            with trio.fail_after(5):
                while reported[-1][None] > 300_000:
                    reported.append(await changes.receive())
        assert len(reported) > 1
        assert reported[-1] == sender.target_bitrates
        with pytest.raises(TypeError):
            sender.target_bitrates[None] = 1.0  # type: ignore[index]


async def test_a_late_reader_of_bitrates_gets_only_the_last() -> None:
    async with metered_call(link=LINK) as call, call.encoder.sender.bitrate_changes() as changes:
        await trio.sleep(5)
        assert await changes.receive() == call.encoder.sender.target_bitrates
        with trio.move_on_after(0.001) as nothing_more:
            await changes.receive()
        assert nothing_more.cancelled_caught


async def test_a_keyframe_is_requested_when_retransmission_gives_up() -> None:
    async with metered_call(link=LINK) as call:
        await trio.sleep(3)
        keyframes = sum(frame.keyframe for frame in call.video.frames)
        call.set_link(attrs.evolve(LINK, loss=0.9))
        await trio.sleep(2)
        assert call.encoder.keyframe_requests
        call.set_link(LINK)
        await trio.sleep(2)
        assert sum(frame.keyframe for frame in call.video.frames) > keyframes
        now = trio.current_time()
        assert call.video.longest_stall(now - 1, now) < 0.2
        assert call.audio.longest_stall(now - 1, now) < 0.2


async def test_a_stalled_reader_loses_and_counts_the_oldest_frames() -> None:
    async with metered_call(link=LINK, watch=False) as call:
        track = call.video_receiver.track
        frames: list[EncodedFrame] = []
        async for frame in track:
            frames.append(frame)
            if len(frames) == 3:
                break
        before = track.frames_dropped
        await trio.sleep(3)
        # All received frames, since those after a lost frame cannot be decoded.
        assert 80 < track.frames_dropped - before < 95
        await assert_frames_resume_at_a_keyframe(call, track)


async def test_a_slow_reader_of_encoded_frames_resumes_at_a_keyframe() -> None:
    async with (
        metered_call(link=LINK, watch=False) as call,
        call.video_receiver.encoded_frames() as frames,
    ):
        assert (await frames.receive()).keyframe
        # More frames than the queue holds.
        await trio.sleep(20)
        await assert_frames_resume_at_a_keyframe(call, frames)


async def assert_frames_resume_at_a_keyframe(
    call: MeteredCall, frames: trio.abc.ReceiveChannel[EncodedFrame]
) -> None:
    """Require one keyframe request, sent when the consumer resumes."""
    asked = call.encoder.keyframe_requests
    log = Log()
    call.nursery.start_soon(log.keep, frames)
    await trio.sleep(1)
    assert call.encoder.keyframe_requests == asked + 1
    assert log.frames[0].keyframe
    assert log.frames[0].latency < 0.3
    indices = [shown.index for shown in log.frames]
    assert indices == list(range(indices[0], indices[0] + len(indices)))
    assert len(indices) > 22


async def test_an_ice_restart_does_not_interrupt_media() -> None:
    async with metered_call(link=LINK) as call:
        peers = call.peers
        await trio.sleep(2)
        for offerer, answerer in ((peers.alice, peers.bob), (peers.bob, peers.alice)):
            offerer.restart_ice()
            await connect(offerer, answerer)
            await trio.sleep(2)
        now = trio.current_time()
        assert call.video.longest_stall(now - 5, now) < 0.2
        assert call.audio.longest_stall(now - 5, now) < 0.2
        indices = [frame.index for frame in call.video.frames]
        assert indices == list(range(len(indices)))


async def test_a_host_moves_to_another_network() -> None:
    async with metered_call(link=LINK) as call:
        peers = call.peers
        await trio.sleep(2)
        peers.hosts[0].remove_address("10.0.0.1")
        peers.hosts[0].add_address("wlan0", "10.1.0.1")
        peers.alice.restart_ice()
        await connect(peers.alice, peers.bob)
        await trio.sleep(2)
        began = call.began_at
        assert call.video.longest_stall(began + 1, began + 4) < 1
        assert call.audio.longest_stall(began + 1, began + 4) < 1
        await trio.sleep(2)
        assert call.video.longest_stall(began + 4, began + 6) < 0.2


def vp8_frame(number: int) -> EncodedFrame:
    head = (b"\x10\0\0\x9d\x01\x2a\x10\0\x10\0" if not number else b"\x11\0\0") + bytes(2000)
    return EncodedFrame(head, 3000 * number, 90_000, "VP8", not number)


async def connect_and_close(hosts: tuple[SimulatedHost, SimulatedHost], scope: trio.CancelScope) -> None:
    """Connect, exchange frames and packets, and close, all under the scope."""
    with scope:
        async with (
            RTCPeerConnection(settings=settings_for(hosts[0], 0, Settings())) as alice,
            RTCPeerConnection(settings=settings_for(hosts[1], 1, Settings())) as bob,
        ):
            video_source, track = open_media_track("video")
            sender = alice.add_track(track)
            trickle(alice, bob)
            async with bob.subscribe("track") as tracks:
                await negotiate(alice, bob)
                receiver: RTCRtpReceiver = (await tracks.receive()).receiver
            receiver.decode = False
            await state_reached(alice, "connected")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive_from, functools.partial(receiver.rtp_packets))
                nursery.start_soon(receive_from, functools.partial(receiver.encoded_frames))
                nursery.start_soon(receive_from, functools.partial(sender.keyframe_requests))
                nursery.start_soon(receive_from, functools.partial(sender.bitrate_changes))
                nursery.start_soon(receive_from_track, receiver)
                for number in range(6):
                    await video_source.send(vp8_frame(number))
                    await trio.sleep(0.033)
                await sender.send_rtp(RtpPacket(96, 1, 1, 1, b"\x10\x11" + bytes(20), True))
                await sender.replace_track(None)
                nursery.cancel_scope.cancel()


async def receive_from(subscribe: Callable[[], object]) -> None:
    async with subscribe() as items:  # type: ignore[attr-defined]
        async for _ in items:
            pass


async def receive_from_track(receiver: RTCRtpReceiver) -> None:
    async for _ in receiver.track:
        pass


async def run_cancelled_at(step: int) -> int:
    """Run a call that is cancelled at a step, and return the number of its steps."""
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        with trio.fail_after(60):
            return await cancelled_at(step, functools.partial(connect_and_close, hosts), hosts)


async def test_a_call_is_cancelled_at_any_step() -> None:
    """Only the longer profiles cancel at every step."""
    end = await run_cancelled_at(0)
    assert end > 100
    stride = 7 if len(seeds(1)) == 1 else 1
    for step in range(1, end + 1, stride):
        await run_cancelled_at(step)
