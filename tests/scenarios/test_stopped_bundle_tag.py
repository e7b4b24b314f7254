"""The end of the section with the BUNDLE tag, while the other sections go on (RFC 9143 section 7.3, RFC 9429 5.3.1)."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from tests.strategies.calls import opus_frame, vp8_frame
from tests.strategies.peers import connect, description_of, negotiate, two_peers
from tests.strategies.scenarios import messages_pass
from trio_rtc import (
    MediaStreamTrack,
    MediaStreamTrackSource,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    Settings,
    open_media_track,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")

STATE_EVENTS = ("connection_state_change", "ice_connection_state_change", "ice_gathering_state_change")


@attrs.frozen(eq=False)
class Call:
    """Two connected peers: Alice sends audio and video, and there is a channel; each has its own section."""

    alice: RTCPeerConnection
    bob: RTCPeerConnection
    channels: tuple[RTCDataChannel, RTCDataChannel]
    received: Counter[str]
    events: list[str]

    async def expect(self, *kinds: str, channel: bool = True) -> None:
        """Require that media of these kinds arrives without a gap, and messages if the channel is open."""
        await trio.sleep(0.5)
        self.received.clear()
        await trio.sleep(2)
        assert set(self.received) == set(kinds)
        for kind in kinds:
            assert self.received[kind] >= {"audio": 98, "video": 48}[kind]
        if channel:
            await messages_pass(*self.channels)

    def pop_events(self) -> list[str]:
        events = self.events.copy()
        self.events.clear()
        return events


async def send_audio(source: MediaStreamTrackSource) -> None:
    for index in range(100_000):
        try:
            await source.send(opus_frame(index))
        except trio.BrokenResourceError:
            return
        await trio.sleep(0.02)


async def send_video(source: MediaStreamTrackSource) -> None:
    for index in range(100_000):
        await source.send(vp8_frame(index, keyframe=index % 25 == 0))
        await trio.sleep(0.04)


@asynccontextmanager
async def call(policy: RTCBundlePolicy, *, data_first: bool = False) -> AsyncIterator[Call]:
    async with (
        two_peers(
            configuration=RTCConfiguration(bundle_policy=policy), settings=Settings(decode=False)
        ) as peers,
        trio.open_nursery() as nursery,
    ):
        alice, bob = peers.alice, peers.bob
        channels = [pc.create_data_channel("chat", negotiated=True, id=1) for pc in (alice, bob)]
        if data_first:
            await connect(alice, bob)
        (audio, audio_track), (video, video_track) = open_media_track("audio"), open_media_track("video")
        alice.add_track(audio_track)
        alice.add_track(video_track)
        await connect(alice, bob)
        result = Call(alice, bob, (channels[0], channels[1]), Counter(), [])
        await channels[0].opened()
        nursery.start_soon(send_audio, audio)
        nursery.start_soon(send_video, video)

        async def receive(track: MediaStreamTrack) -> None:
            async for _ in track:
                result.received[track.kind] += 1

        for receiver in bob.get_receivers():
            nursery.start_soon(receive, receiver.track)
        await result.expect("audio", "video")
        for pc in (alice, bob):
            for name in STATE_EVENTS:
                pc.add_event_listener(name, lambda event: result.events.append(event.type))
        yield result
        nursery.cancel_scope.cancel()


def bundle(pc: RTCPeerConnection) -> list[str]:
    """Return the MIDs of the BUNDLE group; the first one is the tag."""
    (group,) = re.findall("a=group:BUNDLE(.*)\r\n", description_of(pc).sdp)
    return str(group).split()


def ports(pc: RTCPeerConnection) -> list[bool]:
    """Return for each section whether its port is not zero."""
    return [port != "0" for port in re.findall(r"m=\w+ (\d+)", description_of(pc).sdp)]


@pytest.mark.parametrize("stopper", ["alice", "bob"])
@pytest.mark.parametrize("policy", list(RTCBundlePolicy))
async def test_the_tagged_section_is_stopped(policy: RTCBundlePolicy, stopper: str) -> None:
    async with call(policy) as parts:
        alice, bob = parts.alice, parts.bob
        _, video = alice.get_senders()
        transport = video.transport
        assert bundle(alice) == bundle(bob) == ["0", "1", "2"]
        offerer, answerer = (alice, bob) if stopper == "alice" else (bob, alice)
        if stopper == "bob":
            # In an answer, a stopping transceiver is inactive; the next offer rejects its section (W3C webrtc 5.4).
            bob.get_transceivers()[0].stop()
            await negotiate(alice, bob)
            assert bundle(bob) == ["0", "1", "2"]
        else:
            alice.get_transceivers()[0].stop()
        await negotiate(offerer, answerer)
        for pc in (alice, bob):
            assert bundle(pc) == ["1", "2"]
            assert ports(pc) == [False, True, True]
        await parts.expect("video")
        # The other sections keep the transport, which gathers nothing.
        assert parts.pop_events() == []
        assert video.transport is transport
        assert alice.sctp is not None
        assert alice.sctp.transport is transport

        # Candidates of the next generation have the MID of the new tag.
        mids: list[str | None] = []
        alice.add_event_listener(
            "ice_candidate", lambda event: mids.append(event.candidate and event.candidate.sdp_mid)
        )
        alice.restart_ice()
        await negotiate(alice, bob)
        await parts.expect("video")
        assert mids == ["1", "1", None]
        assert alice.connection_state == bob.connection_state == "connected"
        parts.pop_events()

        # A new section in the place of the stopped one joins the bundle, and does not become its tag.
        added, track = open_media_track("audio")
        sender = alice.add_track(track)
        await negotiate(alice, bob)
        for pc in (alice, bob):
            assert bundle(pc) == ["1", "3", "2"]
            assert ports(pc)[1:] == [True, True]
        assert sender.transport is transport
        assert parts.pop_events() == []
        await parts.expect("video")
        added.close()


def rejecting_data(sdp: str) -> str:
    """Return a description that rejects the section of data channels, as some peers' APIs can."""
    without = re.sub(r"(a=group:BUNDLE) 0 ", r"\1 ", sdp)
    return re.sub(r"m=application \d+", "m=application 0", without)


@pytest.mark.parametrize("side", ["offer", "answer"])
async def test_the_tagged_section_of_data_channels_is_rejected(side: str) -> None:
    async with call(RTCBundlePolicy.BALANCED, data_first=True) as parts:
        alice, bob = parts.alice, parts.bob
        assert bundle(alice) == ["0", "1", "2"]
        transport = alice.get_senders()[1].transport
        await alice.set_local_description()
        offer = description_of(alice).sdp
        if side == "offer":
            offer = rejecting_data(offer)
        await bob.set_remote_description({"type": "offer", "sdp": offer})
        await bob.set_local_description()
        answer = description_of(bob).sdp
        if side == "offer":
            assert bundle(bob) == ["1", "2"]
        else:
            answer = rejecting_data(answer)
        await alice.set_remote_description({"type": "answer", "sdp": answer})
        assert parts.channels[0].ready_state == "closed"
        assert alice.sctp is None
        await parts.expect("audio", "video", channel=False)
        assert parts.pop_events() == []
        assert alice.get_senders()[1].transport is transport
        # The next offer has the new tag.
        await alice.set_local_description()
        assert bundle(alice) == ["1", "2"]
        assert ports(alice) == [False, True, True]
        await alice.set_local_description({"type": "rollback"})
        if side == "answer":
            # Bob's own answer has not rejected the section, so he would refuse another one in its place.
            return
        # A new section of channels takes the place.
        alice.create_data_channel("again")
        async with bob.subscribe("data_channel") as announced:
            await negotiate(alice, bob)
            with trio.fail_after(2):
                await announced.receive()
        assert bundle(alice)[0] == bundle(bob)[0] == "1"
        await parts.expect("audio", "video", channel=False)
        assert alice.sctp is not None
        assert alice.sctp.transport is transport
