"""Peers without BUNDLE: each media section has its own transport."""

import re

import pytest
import trio

from tests.strategies.calls import opus_frame, vp8_frame
from tests.strategies.peers import connect, description_of, two_peers
from tests.strategies.unbundled import unbundled_call
from trio_rtc import (
    MediaStreamTrackSource,
    RTCConfiguration,
    RTCPeerConnection,
    Settings,
    open_media_track,
)
from trio_rtc.stats import RTCInboundRtpStreamStats, RTCTransportStats

pytestmark = pytest.mark.usefixtures("autojump_clock")

SECONDS = 2


async def send_audio(source: MediaStreamTrackSource) -> None:
    for index in range(SECONDS * 50):
        await source.send(opus_frame(index))
        await trio.sleep(0.02)


async def send_video(source: MediaStreamTrackSource) -> None:
    for index in range(SECONDS * 25):
        await source.send(vp8_frame(index, keyframe=not index))
        await trio.sleep(0.04)


def add_sources(*connections: RTCPeerConnection) -> list[MediaStreamTrackSource]:
    """Add an audio track to the first connection and a video track to the last one."""
    sources = []
    for kind, pc in zip(("audio", "video"), (connections[0], connections[-1]), strict=True):
        source, track = open_media_track(kind)
        pc.add_track(track)
        sources.append(source)
    return sources


async def received(*connections: RTCPeerConnection) -> dict[str, int]:
    """Return the numbers of audio and video frames received in some time."""
    counts: dict[str, int] = {"audio": 0, "video": 0}

    async def read(kind: str, pc: RTCPeerConnection) -> None:
        track = next(each.track for each in pc.get_receivers() if each.track.kind == kind)
        async for _ in track:
            counts[kind] += 1

    with trio.move_on_after(SECONDS + 1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, "audio", connections[0])
            nursery.start_soon(read, "video", connections[-1])
            await trio.sleep_forever()
    return counts


async def transports_of(pc: RTCPeerConnection) -> list[RTCTransportStats]:
    return [each for each in (await pc.get_stats()).values() if isinstance(each, RTCTransportStats)]


async def test_audio_and_video_in_both_directions_on_two_transports() -> None:
    async with unbundled_call(2) as call:
        pc, parts = call.pc, call.peer.parts
        ours, theirs = add_sources(pc), add_sources(*parts)
        states = []
        pc.on_connection_state_change = lambda _: states.append(pc.connection_state)
        answer = await call.negotiate()
        assert "a=group" not in answer.sdp
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            for audio_source, video_source in (ours, theirs):
                nursery.start_soon(send_audio, audio_source)
                nursery.start_soon(send_video, video_source)
            counts: list[dict[str, int]] = []

            async def count(*connections: RTCPeerConnection) -> None:
                counts.append(await received(*connections))

            nursery.start_soon(count, pc)
            nursery.start_soon(count, *parts)
        for each in counts:
            assert each["audio"] >= SECONDS * 50 - 5
            assert each["video"] == SECONDS * 25
        assert states == ["connecting", "connected"]
        audio, video = pc.get_transceivers()
        assert audio.sender.transport is not video.sender.transport
        assert audio.sender.transport is audio.receiver.transport
        transports = await transports_of(pc)
        assert [each.id for each in transports] == ["transport", "transport-1"]
        assert len({each.ice_local_username_fragment for each in transports}) == 1
        inbound = [
            each for each in (await pc.get_stats()).values() if isinstance(each, RTCInboundRtpStreamStats)
        ]
        assert {each.kind: each.transport_id for each in inbound} == {
            "audio": "transport",
            "video": "transport-1",
        }


async def test_the_state_combines_all_transports() -> None:
    async with unbundled_call(2) as call:
        add_sources(call.pc)
        add_sources(*call.peer.parts)
        await call.negotiate()
        await trio.sleep(1)
        assert call.pc.connection_state == "connected"
        call.peer.parts[1].close()
        await trio.sleep(40)
        assert call.pc.connection_state == "failed"
        assert call.pc.ice_connection_state == "failed"


async def test_the_peer_has_closed_when_all_transports_are_closed() -> None:
    async with unbundled_call(2) as call:
        add_sources(call.pc)
        add_sources(*call.peer.parts)
        await call.negotiate()
        await trio.sleep(1)
        call.peer.parts[1].close()
        with trio.move_on_after(2) as waiting:
            await call.pc.peer_closed()
        assert waiting.cancelled_caught
        call.peer.parts[0].close()
        with trio.fail_after(1):
            await call.pc.peer_closed()


async def test_a_rejected_section_ends_only_its_transport() -> None:
    async with unbundled_call(2) as call:
        add_sources(call.pc)
        add_sources(*call.peer.parts)
        await call.negotiate()
        await trio.sleep(1)
        sockets = len(call.host.open_sockets)
        await call.negotiate(kept=1)
        await trio.sleep(1)
        assert len(call.host.open_sockets) == sockets // 2
        assert call.pc.connection_state == "connected"
        assert [each.id for each in await transports_of(call.pc)] == ["transport"]
        assert [each.current_direction for each in call.pc.get_transceivers()] == ["sendrecv"]


async def test_data_channels_have_a_transport_of_their_own() -> None:
    async with unbundled_call(2) as call:
        audio, data = call.peer.parts
        source, track = open_media_track("audio")
        audio.add_track(track)
        theirs = data.create_data_channel("chat")
        async with call.pc.subscribe("data_channel") as announced:
            await call.negotiate()
            ours = (await announced.receive()).channel
        await theirs.opened()
        await theirs.send("there")
        assert await ours.receive() == "there"
        await ours.send("and back")
        assert await theirs.receive() == "and back"
        assert call.pc.sctp is not None
        assert call.pc.sctp.transport is not call.pc.get_receivers()[0].transport
        source.close()


async def test_a_waiting_channel_opens_on_the_transport_of_its_section() -> None:
    async with unbundled_call(2) as call:
        audio, data = call.peer.parts
        _, track = open_media_track("audio")
        audio.add_track(track)
        data.create_data_channel("theirs")
        ours = call.pc.create_data_channel("ours")
        async with data.subscribe("data_channel") as announced:
            await call.negotiate()
            there = (await announced.receive()).channel
        await ours.opened()
        await ours.send("there")
        assert await there.receive() == "there"


async def test_all_transports_have_the_same_credentials() -> None:
    """Pion rejects an offer whose sections have different credentials."""
    async with unbundled_call(2) as call:
        add_sources(call.pc)
        add_sources(*call.peer.parts)
        answer = (await call.negotiate()).sdp
        await trio.sleep(1)
        fragments = set(re.findall(r"a=ice-ufrag:(.*)\r", answer))
        assert len(fragments) == 1
        offer = (await call.pc.create_offer()).sdp
        assert set(re.findall(r"a=ice-ufrag:(.*)\r", offer)) == fragments
        assert offer.count("a=candidate:") == 2
        restarted = (await call.pc.create_offer(ice_restart=True)).sdp
        renewed = set(re.findall(r"a=ice-ufrag:(.*)\r", restarted))
        assert len(renewed) == 1
        assert renewed != fragments
        # Without an ICE restart the credentials stay.
        assert set(re.findall(r"a=ice-ufrag:(.*)\r", (await call.pc.create_offer()).sdp)) == fragments


@pytest.mark.parametrize("kind", ["taken back", "replaced"])
async def test_an_offer_after_another_has_one_set_of_credentials(kind: str) -> None:
    async with two_peers(settings=Settings(decode=False)) as peers:
        for each in ("audio", "video"):
            peers.alice.add_transceiver(each)
        await peers.alice.set_local_description()
        await trio.sleep(1)
        if kind == "taken back":
            await peers.alice.set_local_description({"type": "rollback"})
        peers.alice.create_data_channel("chat")
        offer = (await peers.alice.create_offer()).sdp
        assert len(re.findall(r"a=ice-ufrag:.*\r", offer)) == 3
        assert len(set(re.findall(r"a=ice-ufrag:.*\r", offer))) == 1
        await connect(peers.alice, peers.bob)
        await trio.sleep(2)
        assert peers.alice.connection_state == peers.bob.connection_state == "connected"


async def test_sections_that_join_and_leave_never_change_the_credentials() -> None:
    """Firefox interprets a change as an ICE restart."""
    async with two_peers(settings=Settings(decode=False)) as peers:
        peers.alice.add_transceiver("audio")
        peers.alice.create_data_channel("chat")
        fragments: set[str] = set()
        for number in range(4):
            offerer, answerer = (peers.alice, peers.bob) if number in (0, 3) else (peers.bob, peers.alice)
            if number == 1:
                offerer.add_transceiver("video")
            elif number == 2:
                offerer.get_transceivers()[-1].stop()
            await connect(offerer, answerer)
            await trio.sleep(1)
            fragments.update(re.findall(r"a=ice-ufrag:(.*)\r", description_of(peers.alice).sdp))
            assert peers.alice.connection_state == "connected"
        assert len(fragments) == 1


async def test_a_rolled_back_answer_ends_its_transport() -> None:
    async with unbundled_call(2) as call:
        add_sources(*call.peer.parts)
        offer = await call.peer.offer()
        await call.pc.set_remote_description(offer)
        await call.pc.create_answer()
        await call.pc.set_remote_description({"type": "rollback"})
        await trio.sleep(1)
        assert call.host.open_sockets == ()
        assert await transports_of(call.pc) == []
        assert call.pc.get_transceivers() == []


async def test_more_sections_than_transports_are_rejected() -> None:
    async with unbundled_call(18) as call:
        for part in call.peer.parts:
            part.add_transceiver("audio")
        answer = await call.negotiate()
        ports = re.findall(r"^m=audio (\d+) ", answer.sdp, flags=re.MULTILINE)
        assert len(ports) == 18
        assert [index for index, port in enumerate(ports) if port == "0"] == [16, 17]
        await trio.sleep(1)
        assert call.pc.connection_state == "connected"


async def test_an_answer_without_bundle() -> None:
    async with unbundled_call(3) as call:
        pc, (audio, video, data) = call.pc, call.peer.parts
        ours, theirs = add_sources(pc), add_sources(audio, video)
        channel = pc.create_data_channel("chat")
        async with data.subscribe("data_channel") as announced:
            await call.offer()
            there = (await announced.receive()).channel
        await channel.opened()
        await channel.send("there")
        assert await there.receive() == "there"
        async with trio.open_nursery() as nursery:
            for sent_audio, sent_video in (ours, theirs):
                nursery.start_soon(send_audio, sent_audio)
                nursery.start_soon(send_video, sent_video)
            counts = await received(pc)
        assert counts["audio"] >= SECONDS * 50 - 5
        assert counts["video"] == SECONDS * 25
        assert len(await transports_of(pc)) == 3
        assert [each.connection_state for each in (pc, *call.peer.parts)] == 4 * ["connected"]


@pytest.mark.parametrize(
    ("policy", "transports"),
    [("balanced", [0, 1, None]), ("max-compat", [0, 1, 2]), ("max-bundle", [0, None, None])],
)
async def test_the_bundle_policy_determines_the_offered_transports(
    policy: str, transports: list[int | None]
) -> None:
    configuration = RTCConfiguration(bundle_policy=policy)
    async with unbundled_call(3, configuration=configuration) as call:
        for kind in ("audio", "video", "audio"):
            call.pc.add_transceiver(kind)
        await call.offer()
        await trio.sleep(1)
        assert [each.stopped for each in call.pc.get_transceivers()] == [False] * (3 - transports.count(None))
        ids = [each.id for each in await transports_of(call.pc)]
        assert ids == [
            f"transport-{number}" if number else "transport" for number in transports if number is not None
        ]
        assert call.pc.connection_state == "connected"


async def test_a_peer_that_bundles_leaves_one_transport() -> None:
    async with two_peers(settings=Settings(decode=False)) as peers:
        for kind in ("audio", "video"):
            peers.alice.add_transceiver(kind)
        peers.alice.create_data_channel("chat")
        sections: set[int | None] = set()
        peers.alice.on_ice_candidate = lambda event: sections.add(
            None if event.candidate is None else event.candidate.sdp_m_line_index
        )
        await peers.alice.set_local_description()
        await trio.sleep(1)
        # Until the peer has answered, each section may need its own transport (W3C's policy "balanced").
        assert sections == {0, 1, 2, None}
        assert len(peers.hosts[0].open_sockets) == 3
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        await trio.sleep(1)
        await peers.alice.set_remote_description(description_of(peers.bob))
        await trio.sleep(1)
        assert peers.alice.connection_state == peers.bob.connection_state == "connected"
        assert [len(host.open_sockets) for host in peers.hosts] == [1, 1]
        views = {each.sender.transport for each in peers.alice.get_transceivers()}
        assert peers.alice.sctp is not None
        assert views == {peers.alice.sctp.transport}
        assert [each.id for each in await transports_of(peers.alice)] == ["transport"]


async def test_a_rolled_back_offer_leaves_no_socket() -> None:
    async with two_peers(settings=Settings(decode=False)) as peers:
        for kind in ("audio", "video"):
            peers.alice.add_transceiver(kind)
        await peers.alice.set_local_description()
        await peers.alice.set_local_description({"type": "rollback"})
        await trio.sleep(1)
        assert len(peers.hosts[0].open_sockets) <= 1
        await connect(peers.alice, peers.bob)
        await trio.sleep(2)
        assert peers.alice.connection_state == "connected"
        assert [len(host.open_sockets) for host in peers.hosts] == [1, 1]
