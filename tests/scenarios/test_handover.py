"""A call handed over to another endpoint: new ICE credentials, another fingerprint, a new DTLS association."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from tests.strategies.calls import opus_frame, vp8_frame
from tests.strategies.peers import description_of, settings_for
from tests.strategies.scenarios import messages_pass, state_reached
from trio_rtc import (
    InvalidAccessError,
    MediaStreamTrack,
    MediaStreamTrackSource,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    Settings,
    open_media_track,
)
from trio_rtc.testing import Link, SimulatedHost, SimulatedNetwork

pytestmark = pytest.mark.usefixtures("autojump_clock")

FINGERPRINT = (
    "BA:DC:0F:FE:EB:AD:C0:DE:DE:AD:BE:EF:B0:BB:1E:5F:AB:1E:CA:11:AB:1E:D0:0D:FE:E1:DE:AD:C0:1D:B0:55"
)

ENCODED = Settings(decode=False)


@attrs.define
class Call:
    """The caller and the endpoints of the other side, each on a host of its own."""

    network: SimulatedNetwork
    hosts: list[SimulatedHost]
    caller: RTCPeerConnection
    endpoints: list[RTCPeerConnection]


@asynccontextmanager
async def call_with(count: int = 2) -> AsyncIterator[Call]:
    network = SimulatedNetwork(link=Link(delay=0.02))
    hosts = [network.add_host(f"host{number}", [f"10.0.0.{number + 1}"]) for number in range(count + 1)]
    async with (
        network,
        RTCPeerConnection(settings=settings_for(hosts[0], 0, ENCODED)) as caller,
        trio.open_nursery() as nursery,
    ):

        async def run(number: int, task_status: trio.TaskStatus[RTCPeerConnection]) -> None:
            async with RTCPeerConnection(settings=settings_for(hosts[number], number, ENCODED)) as pc:
                task_status.started(pc)
                await trio.sleep_forever()

        endpoints = [await nursery.start(run, number) for number in range(1, count + 1)]
        yield Call(network, hosts, caller, endpoints)
        nursery.cancel_scope.cancel()


async def offer(pc: RTCPeerConnection) -> RTCSessionDescription:
    """Return an offer with all candidates, which is applied."""
    await pc.set_local_description(await pc.create_offer())
    await pc.gathering_complete()
    return description_of(pc)


async def answer(pc: RTCPeerConnection, offered: RTCSessionDescription) -> RTCSessionDescription:
    """Return an answer with all candidates, which is applied."""
    await pc.set_remote_description(offered)
    await pc.set_local_description()
    await pc.gathering_complete()
    return description_of(pc)


async def hand_over(caller: RTCPeerConnection, endpoint: RTCPeerConnection) -> None:
    """Negotiate with an endpoint, with an ICE restart if it is not the first one."""
    caller.restart_ice()
    await caller.set_remote_description(await answer(endpoint, await offer(caller)))


def with_other_fingerprint(description: RTCSessionDescription) -> RTCSessionDescription:
    sdp = re.sub("a=fingerprint:sha-256 .*\r", f"a=fingerprint:sha-256 {FINGERPRINT}\r", description.sdp)
    return RTCSessionDescription(description.type, sdp)


async def channels_between(
    one: RTCPeerConnection, other: RTCPeerConnection, label: str = "chat"
) -> tuple[RTCDataChannel, RTCDataChannel]:
    async with other.subscribe("data_channel") as announced:
        mine = one.create_data_channel(label)
        await mine.opened()
        async for event in announced:
            if event.channel.id == mine.id:
                return mine, event.channel
    raise AssertionError("the channel was not announced")


@attrs.define
class Media:
    """Audio and video that a connection sends, and the frames that it receives."""

    audio: MediaStreamTrackSource
    video: MediaStreamTrackSource
    received: dict[str, int] = attrs.field(factory=lambda: {"audio": 0, "video": 0, "keyframes": 0})
    keyframe_requested: bool = True

    async def run(self, pc: RTCPeerConnection) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send)
            for sender in pc.get_senders():
                if sender.track is not None and sender.track.kind == "video":
                    nursery.start_soon(self._watch, sender)
            for receiver in pc.get_receivers():
                nursery.start_soon(self._count, receiver.track)

    async def _send(self) -> None:
        for index in range(100_000):
            await self.audio.send(opus_frame(index))
            if index % 2:
                keyframe, self.keyframe_requested = self.keyframe_requested, False
                await self.video.send(vp8_frame(index // 2, keyframe=keyframe))
            await trio.sleep(0.02)

    async def _watch(self, sender: RTCRtpSender) -> None:
        async with sender.keyframe_requests() as requests:
            async for _ in requests:
                self.keyframe_requested = True

    async def _count(self, track: MediaStreamTrack) -> None:
        async for frame in track:
            self.received[track.kind] += 1
            self.received["keyframes"] += frame.keyframe


def add_media(pc: RTCPeerConnection) -> Media:
    (audio, audio_track), (video, video_track) = open_media_track("audio"), open_media_track("video")
    pc.add_track(audio_track)
    pc.add_track(video_track)
    return Media(audio, video)


async def assert_media(*sides: Media) -> None:
    """Require that each side receives nearly all frames of two seconds, video from a keyframe on."""
    for side in sides:
        side.received.update(audio=0, video=0)
    await trio.sleep(2)
    for side in sides:
        assert side.received["audio"] >= 95
        assert side.received["video"] >= 47
        assert side.received["keyframes"] >= 1


async def test_the_caller_hands_over_to_another_endpoint() -> None:
    async with call_with() as call, trio.open_nursery() as nursery:
        caller, (first, second) = call.caller, call.endpoints
        ours, theirs, others = map(add_media, (caller, first, second))
        before, before_there = caller.create_data_channel("before"), first.create_data_channel("x")
        await hand_over(caller, first)
        for side, pc in ((ours, caller), (theirs, first)):
            nursery.start_soon(side.run, pc)
        await state_reached(caller, "connected")
        await before.opened()
        await assert_media(ours, theirs)
        transport, sctp = caller.get_senders()[0].transport, caller.sctp
        assert transport is not None
        assert sctp is not None
        certificates = transport.get_remote_certificates()
        log: list[str] = []
        transport.on_state_change = lambda _: log.append(f"dtls {transport.state}")
        sctp.on_state_change = lambda _: log.append(f"sctp {sctp.state}")
        before.on_close = lambda _: log.append("channel closed")
        before.on_error = lambda event: log.append(f"channel error {event.error}")
        caller.on_connection_state_change = lambda _: log.append(f"connection {caller.connection_state}")
        await hand_over(caller, second)
        nursery.start_soon(others.run, second)
        ours.received["keyframes"] = 0
        with trio.fail_after(2):
            await state_reached(caller, "connected")
        await assert_media(ours, others)
        mine, there = await channels_between(caller, second)
        await messages_pass(mine, there)
        assert log == [
            "dtls new", "connection connecting", "sctp closed", "channel closed",
            "dtls connecting", "dtls connected", "connection connected",
        ]  # fmt: skip
        assert caller.get_senders()[0].transport is transport
        assert transport.get_remote_certificates() != certificates
        assert caller.sctp is not sctp
        # The former endpoint is told that its association has ended.
        with trio.fail_after(1):
            await first.peer_closed()
        assert before_there.ready_state == "closed"
        nursery.cancel_scope.cancel()


async def test_another_endpoint_offers() -> None:
    async with call_with() as call:
        caller, (first, second) = call.caller, call.endpoints
        caller.create_data_channel("before")
        offered = await offer(caller)
        await caller.set_remote_description(await answer(first, offered))
        await state_reached(caller, "connected")
        # The other endpoint learns the sections of the call from the first offer, and its role is the server's.
        learned = offered.sdp.replace("a=setup:actpass", "a=setup:active")
        await answer(second, RTCSessionDescription("offer", learned))
        second.restart_ice()
        second.create_data_channel("there")
        reply = await answer(caller, await offer(second))
        await second.set_remote_description(reply)
        with trio.fail_after(2):
            await messages_pass(*await channels_between(caller, second))
        assert caller.connection_state == second.connection_state == "connected"


@pytest.mark.parametrize("connected", [False, True])
async def test_several_endpoints_answer_an_offer(connected: bool) -> None:
    """Forks of a call send provisional answers to one offer; the last of them takes it (RFC 9429 section 3.2)."""
    async with call_with() as call:
        caller, (first, second) = call.caller, call.endpoints
        channel = caller.create_data_channel("chat")
        offered = await offer(caller)
        fragment = re.findall("a=ice-ufrag:(.*)\r", offered.sdp)
        answers = [await answer(each, offered) for each in (first, second)]
        await caller.set_remote_description(RTCSessionDescription("pranswer", answers[0].sdp))
        if connected:
            await state_reached(caller, "connected")
            await channel.opened()
            assert channel.ready_state == "open"
        async with second.subscribe("data_channel") as announced:
            await caller.set_remote_description(answers[1])
            with trio.fail_after(3):
                await state_reached(caller, "connected")
                if connected:
                    assert channel.ready_state == "closed"
                    channel = caller.create_data_channel("again")
                await channel.opened()
                await messages_pass(channel, (await announced.receive()).channel)
        assert fragment == re.findall("a=ice-ufrag:(.*)\r", description_of(caller).sdp)


async def test_many_handovers_before_the_connection_is_made() -> None:
    """Messages of associations that have been replaced do not affect the last one."""
    async with call_with(6) as call:
        call.caller.create_data_channel("chat")
        for former, endpoint in zip([None, *call.endpoints], call.endpoints, strict=False):
            await hand_over(call.caller, endpoint)
            if former is not None:
                former.close()
        with trio.fail_after(5):
            await messages_pass(*await channels_between(call.caller, call.endpoints[-1], "last"))
        assert call.caller.connection_state == "connected"


async def test_failover_from_an_endpoint_that_has_vanished() -> None:
    async with call_with() as call:
        caller, (first, second) = call.caller, call.endpoints
        caller.create_data_channel("chat")
        await hand_over(caller, first)
        await state_reached(caller, "connected")
        for source, destination in (("host0", "host1"), ("host1", "host0")):
            call.network.set_link(source, destination, Link(loss=1.0))
        await state_reached(caller, "failed")
        await hand_over(caller, second)
        with trio.fail_after(2):
            await messages_pass(*await channels_between(caller, second))
        assert caller.connection_state == "connected"


async def test_a_handover_to_an_endpoint_with_a_wrong_fingerprint_fails() -> None:
    """The former association does not go on: its keys are removed with the failure."""
    async with call_with() as call, trio.open_nursery() as nursery:
        caller, (first, second) = call.caller, call.endpoints
        ours, theirs, _ = map(add_media, (caller, first, second))
        await hand_over(caller, first)
        for side, pc in ((ours, caller), (theirs, first)):
            nursery.start_soon(side.run, pc)
        await state_reached(caller, "connected")
        await assert_media(ours, theirs)
        caller.restart_ice()
        answered = await answer(second, await offer(caller))
        await caller.set_remote_description(with_other_fingerprint(answered))
        with trio.fail_after(5):
            await state_reached(caller, "failed")
        transport = caller.get_senders()[0].transport
        assert transport is not None
        assert transport.state == "failed"
        await trio.sleep(0.3)
        received = dict(ours.received), dict(theirs.received)
        await trio.sleep(1)
        assert received == (ours.received, theirs.received)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("kind", ["offer", "answer", "pranswer"])
async def test_another_fingerprint_needs_an_ice_restart(kind: str) -> None:
    """RFC 9429 section 5.11."""
    async with call_with(1) as call:
        caller, endpoint = call.caller, call.endpoints[0]
        caller.create_data_channel("chat")
        await hand_over(caller, endpoint)
        channels = await channels_between(caller, endpoint)
        offered = await offer(caller)
        if kind == "offer":
            receiver, description = endpoint, offered
        else:
            receiver = caller
            description = RTCSessionDescription(kind, (await answer(endpoint, offered)).sdp)
        state, remote = receiver.signaling_state, receiver.remote_description
        with pytest.raises(InvalidAccessError, match="ICE restart"):
            await receiver.set_remote_description(with_other_fingerprint(description))
        assert (receiver.signaling_state, receiver.remote_description) == (state, remote)
        await receiver.set_remote_description(description)
        await messages_pass(*channels)
