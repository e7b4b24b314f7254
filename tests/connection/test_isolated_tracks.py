"""Isolated tracks (W3C webrtc-identity section 9): sent only to the peer whose identity was validated."""

from functools import partial

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.identity import ALICE, BOB, DOMAIN, ScriptedProvider, identity_settings
from tests.strategies.media import media_peers, send_frames, until_connected
from tests.strategies.peers import connect, negotiate, settings_for, two_peers
from trio_rtc import (
    Event,
    MediaStreamTrack,
    RTCConfiguration,
    RTCOutboundRtpStreamStats,
    RTCPeerConnection,
    RTCRtpSender,
    open_media_track,
)

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def packets_sent(sender: RTCRtpSender) -> int:
    report = await sender.get_stats()
    return sum(each.packets_sent for each in report.values() if isinstance(each, RTCOutboundRtpStreamStats))


def test_tracks_are_isolated_by_a_peer_identity() -> None:
    _, track = open_media_track("audio", peer_identity=BOB)
    assert track.isolated
    assert track.clone().isolated
    _, other = open_media_track("audio")
    assert not other.isolated
    assert not other.clone().isolated


@pytest.mark.parametrize("identity", ["", "bob", "bob@", "b b@example.org"])
def test_malformed_peer_identity(identity: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        open_media_track("audio", peer_identity=identity)


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_isolated_track_is_not_sent_without_an_identity(kind: str) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        isolated, plain = open_media_track(kind, peer_identity=BOB), open_media_track(kind)
        senders = [peers.alice.add_track(track) for _, track in (isolated, plain)]
        await connect(peers.alice, peers.bob)
        for source, _ in (isolated, plain):
            nursery.start_soon(send_frames, source, kind)
        await trio.sleep(3)
        assert await packets_sent(senders[0]) == 0
        assert await packets_sent(senders[1]) > 50
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_isolated_track_is_sent_from_the_validation_on(kind: str) -> None:
    provider = ScriptedProvider()
    settings = attrs.evolve(identity_settings(provider), decode=False)
    async with two_peers(settings=settings) as peers, trio.open_nursery() as nursery:
        source, track = open_media_track(kind, peer_identity="bob@EXAMPLE.org")
        sender = peers.alice.add_track(track.clone())
        peers.bob.set_identity_provider(DOMAIN, username_hint=BOB)
        await peers.bob.get_identity_assertion()
        provider.before = partial(trio.sleep, 10)
        nursery.start_soon(send_frames, source, kind)
        await connect(peers.alice, peers.bob)
        await until_connected(peers.alice)
        await trio.sleep(5)
        assert await packets_sent(sender) == 0
        await peers.alice.peer_identity
        assert await packets_sent(sender) == 0
        [receiver] = peers.bob.get_receivers()
        with trio.fail_after(2):
            await receiver.track.receive()
        await trio.sleep(1)
        assert await packets_sent(sender) > 20
        nursery.cancel_scope.cancel()


async def test_isolated_track_is_not_sent_to_another_identity() -> None:
    async with (
        two_peers(settings=identity_settings(ScriptedProvider())) as peers,
        trio.open_nursery() as nursery,
    ):
        source, track = open_media_track("audio", peer_identity=ALICE)
        sender = peers.alice.add_track(track)
        peers.bob.set_identity_provider(DOMAIN, username_hint=BOB)
        nursery.start_soon(send_frames, source, "audio")
        await connect(peers.alice, peers.bob)
        assert (await peers.alice.peer_identity).name == BOB
        await trio.sleep(3)
        assert await packets_sent(sender) == 0
        # A track that is not isolated replaces it.
        plain_source, plain = open_media_track("audio")
        nursery.start_soon(send_frames, plain_source, "audio")
        await sender.replace_track(plain)
        await trio.sleep(1)
        before = await packets_sent(sender)
        assert before > 20
        await sender.replace_track(track)
        await trio.sleep(1)
        assert await packets_sent(sender) <= before + 1
        nursery.cancel_scope.cancel()


async def test_tracks_received_from_a_demanded_peer_are_isolated() -> None:
    provider = ScriptedProvider()
    async with two_peers(settings=identity_settings(provider)) as peers, trio.open_nursery() as nursery:
        settings = settings_for(peers.hosts[1], 7, identity_settings(provider))
        async with RTCPeerConnection(RTCConfiguration(peer_identity=ALICE), settings=settings) as bob:
            peers.alice.set_identity_provider(DOMAIN, username_hint=ALICE)
            source, track = open_media_track("audio")
            peers.alice.add_track(track)
            nursery.start_soon(send_frames, source, "audio")
            await connect(peers.alice, bob)
            [receiver] = bob.get_receivers()
            assert receiver.track.isolated
            # The application can read it.
            await receiver.track.receive()
            # Another connection does not forward it.
            sender = peers.bob.add_track(receiver.track)
            other_settings = settings_for(peers.hosts[0], 8)
            async with RTCPeerConnection(settings=other_settings) as third:
                await connect(peers.bob, third)
                await until_connected(peers.bob)
                await trio.sleep(2)
                assert await packets_sent(sender) == 0
        nursery.cancel_scope.cancel()


async def test_isolation_change_is_a_queued_event() -> None:
    async with two_peers(settings=identity_settings(ScriptedProvider())) as peers:
        peers.alice.set_identity_provider(DOMAIN, username_hint=ALICE)
        peers.alice.add_transceiver("audio")
        await connect(peers.alice, peers.bob)
        await peers.bob.peer_identity
        [receiver] = peers.bob.get_receivers()
        tracks = [receiver.track, receiver.track.clone()]
        fired: list[object] = []

        def record(event: Event) -> None:
            assert isinstance(event.target, MediaStreamTrack)
            assert event.target.isolated
            fired.append(event.target)

        for track in tracks:
            track.on_isolation_change = record
        peers.bob.set_configuration(RTCConfiguration(peer_identity=ALICE))
        assert fired == []
        assert not receiver.track.isolated
        await trio.testing.wait_all_tasks_blocked()
        assert fired == tracks
        peers.bob.set_configuration(RTCConfiguration(peer_identity=ALICE))
        # A later track is isolated from the beginning.
        peers.alice.add_transceiver("video")
        await negotiate(peers.alice, peers.bob)
        assert [each.track.isolated for each in peers.bob.get_receivers()] == [True, True]
        assert len(fired) == 2
