"""What happens to calls: keyframes, consumers that stall, restarts, other networks, cancellation at any step."""

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


async def test_bitrates_are_told_to_who_encodes() -> None:
    async with metered_call(link=LINK) as going_on:
        sender = going_on.encoder.sender
        told: list[Mapping[str | None, float]] = []
        async with sender.bitrate_changes() as changes:
            told.append(await changes.receive())
            assert told[0] == sender.target_bitrates
            await trio.sleep(3)
            going_on.set_rate(200_000)
            told.append(await changes.receive())
            assert told[-1][None] > 300_000
            with trio.fail_after(5):
                while told[-1][None] > 300_000:
                    told.append(await changes.receive())
        assert len(told) > 1
        assert told[-1] == sender.target_bitrates
        with pytest.raises(TypeError):
            sender.target_bitrates[None] = 1.0  # type: ignore[index]


async def test_who_hears_late_of_bitrates_hears_the_last_only() -> None:
    async with metered_call(link=LINK) as going_on, going_on.encoder.sender.bitrate_changes() as changes:
        await trio.sleep(5)
        assert await changes.receive() == going_on.encoder.sender.target_bitrates
        with trio.move_on_after(0.001) as nothing_more:
            await changes.receive()
        assert nothing_more.cancelled_caught


async def test_a_keyframe_is_asked_for_when_repair_gives_up() -> None:
    async with metered_call(link=LINK) as going_on:
        await trio.sleep(3)
        keyframes = sum(frame.keyframe for frame in going_on.video.frames)
        going_on.set_link(attrs.evolve(LINK, loss=0.9))
        await trio.sleep(2)
        assert going_on.encoder.keyframes_asked
        going_on.set_link(LINK)
        await trio.sleep(2)
        assert sum(frame.keyframe for frame in going_on.video.frames) > keyframes
        now = trio.current_time()
        assert going_on.video.longest_stall(now - 1, now) < 0.2
        assert going_on.audio.longest_stall(now - 1, now) < 0.2


async def test_who_stalls_loses_the_oldest_and_sees_how_many() -> None:
    async with metered_call(link=LINK, watch=False) as going_on:
        track = going_on.video_receiver.track
        frames: list[EncodedFrame] = []
        async for frame in track:
            frames.append(frame)
            if len(frames) == 3:
                break
        before = track.frames_dropped
        await trio.sleep(3)
        # All that came, for what follows a lost picture is of no use.
        assert 80 < track.frames_dropped - before < 95
        await assert_they_go_on_at_a_keyframe(going_on, track)


async def test_who_falls_behind_with_encoded_frames_goes_on_at_a_keyframe() -> None:
    async with (
        metered_call(link=LINK, watch=False) as going_on,
        going_on.video_receiver.encoded_frames() as frames,
    ):
        assert (await frames.receive()).keyframe
        # More than can wait.
        await trio.sleep(20)
        await assert_they_go_on_at_a_keyframe(going_on, frames)


async def assert_they_go_on_at_a_keyframe(
    going_on: MeteredCall, frames: trio.abc.ReceiveChannel[EncodedFrame]
) -> None:
    """It is asked for once, when somebody takes frames again."""
    asked = going_on.encoder.keyframes_asked
    log = Log()
    going_on.nursery.start_soon(log.keep, frames)
    await trio.sleep(1)
    assert going_on.encoder.keyframes_asked == asked + 1
    assert log.frames[0].keyframe
    assert log.frames[0].latency < 0.3
    indices = [shown.index for shown in log.frames]
    assert indices == list(range(indices[0], indices[0] + len(indices)))
    assert len(indices) > 22


async def test_a_restart_of_ice_is_not_noticed() -> None:
    async with metered_call(link=LINK) as going_on:
        peers = going_on.peers
        await trio.sleep(2)
        for offerer, answerer in ((peers.alice, peers.bob), (peers.bob, peers.alice)):
            offerer.restart_ice()
            await connect(offerer, answerer)
            await trio.sleep(2)
        now = trio.current_time()
        assert going_on.video.longest_stall(now - 5, now) < 0.2
        assert going_on.audio.longest_stall(now - 5, now) < 0.2
        indices = [frame.index for frame in going_on.video.frames]
        assert indices == list(range(len(indices)))


async def test_a_host_goes_to_another_network() -> None:
    async with metered_call(link=LINK) as going_on:
        peers = going_on.peers
        await trio.sleep(2)
        peers.hosts[0].remove_address("10.0.0.1")
        peers.hosts[0].add_address("wlan0", "10.1.0.1")
        peers.alice.restart_ice()
        await connect(peers.alice, peers.bob)
        await trio.sleep(2)
        began = going_on.began_at
        assert going_on.video.longest_stall(began + 1, began + 4) < 1
        assert going_on.audio.longest_stall(began + 1, began + 4) < 1
        await trio.sleep(2)
        assert going_on.video.longest_stall(began + 4, began + 6) < 0.2


def vp8_frame(number: int) -> EncodedFrame:
    head = (b"\x10\0\0\x9d\x01\x2a\x10\0\x10\0" if not number else b"\x11\0\0") + bytes(2000)
    return EncodedFrame(head, 3000 * number, 90_000, "VP8", not number)


async def live_and_hang_up(hosts: tuple[SimulatedHost, SimulatedHost], scope: trio.CancelScope) -> None:
    """Call, send and take frames and packets, and hang up: all of it under the scope."""
    with scope:
        async with (
            RTCPeerConnection(settings=settings_for(hosts[0], 0, Settings())) as alice,
            RTCPeerConnection(settings=settings_for(hosts[1], 1, Settings())) as bob,
        ):
            pictures, track = open_media_track("video")
            sender = alice.add_track(track)
            trickle(alice, bob)
            async with bob.subscribe("track") as tracks:
                await negotiate(alice, bob)
                receiver: RTCRtpReceiver = (await tracks.receive()).receiver
            receiver.decode = False
            await state_reached(alice, "connected")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(take, functools.partial(receiver.rtp_packets))
                nursery.start_soon(take, functools.partial(receiver.encoded_frames))
                nursery.start_soon(take, functools.partial(sender.keyframe_requests))
                nursery.start_soon(take, functools.partial(sender.bitrate_changes))
                nursery.start_soon(take_track, receiver)
                for number in range(6):
                    await pictures.send(vp8_frame(number))
                    await trio.sleep(0.033)
                await sender.send_rtp(RtpPacket(96, 1, 1, 1, b"\x10\x11" + bytes(20), True))
                await sender.replace_track(None)
                nursery.cancel_scope.cancel()


async def take(subscribe: Callable[[], object]) -> None:
    async with subscribe() as items:  # type: ignore[attr-defined]
        async for _ in items:
            pass


async def take_track(receiver: RTCRtpReceiver) -> None:
    async for _ in receiver.track:
        pass


async def live_until(step: int) -> int:
    """Call in a world of its own, cancelled at a step; return how many steps the call had."""
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        with trio.fail_after(60):
            return await cancelled_at(step, functools.partial(live_and_hang_up, hosts), hosts)


async def test_a_call_is_cancelled_at_any_step() -> None:
    """The longer profiles have the patience for every one."""
    end = await live_until(0)
    assert end > 100
    stride = 7 if len(seeds(1)) == 1 else 1
    for step in range(1, end + 1, stride):
        await live_until(step)
