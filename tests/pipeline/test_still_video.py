"""A still image, sent once by the application, reaches the peer, also one that joins late or requests a keyframe."""

import av
import pytest
import trio

from tests.strategies.media import media_peers, until_connected, vp8_frame
from tests.strategies.peers import Peers, description_of, trickle
from trio_rtc import EncodedFrame, MediaStreamTrack, RTCPeerConnection, open_media_track
from trio_rtc.codecs import create_video_decoder

pytestmark = pytest.mark.usefixtures("autojump_clock")

STEPS = ["offer", "answer", "connection"]


def still(luma: int) -> av.VideoFrame:
    """Return a uniformly gray video frame."""
    frame = av.VideoFrame(64, 48, "yuv420p")
    for plane, value in zip(frame.planes, (luma, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


class Watcher:
    """Records the video frames that a peer receives.

    Attributes:
        frames: Received frames.
    """

    def __init__(self, peer: RTCPeerConnection, nursery: trio.Nursery) -> None:
        self.frames: list[EncodedFrame] = []
        peer.on_track = lambda event: nursery.start_soon(self._watch, event.track)

    @property
    def grays(self) -> list[int]:
        """The luma of each frame."""
        decoder = create_video_decoder("VP8")
        decoded = [image for frame in self.frames for image in decoder.decode(frame)]
        decoder.close()
        return [bytes(image.planes[0])[0] for image in decoded]

    async def _watch(self, track: MediaStreamTrack) -> None:
        async for frame in track:
            self.frames.append(frame)


async def run_step(peers: Peers, step: str) -> None:
    """Run one step of the negotiation."""
    alice, bob = peers.alice, peers.bob
    if step == "offer":
        trickle(alice, bob)
        await alice.set_local_description()
    elif step == "answer":
        await bob.set_remote_description(description_of(alice))
        await bob.set_local_description()
        await alice.set_remote_description(description_of(bob))
    else:
        await until_connected(alice)
        await until_connected(bob)


async def connect_in_steps(peers: Peers) -> None:
    for step in STEPS:
        await run_step(peers, step)


@pytest.mark.parametrize("before", STEPS)
@pytest.mark.parametrize("how", ["add_track", "add_transceiver", "replace_track"])
async def test_a_still_image_from_before_the_connection_reaches_the_peer(how: str, before: str) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher = Watcher(peers.bob, nursery)
        frames, track = open_media_track("video")
        if how == "replace_track":
            await peers.alice.add_transceiver("video").sender.replace_track(track)
        else:
            getattr(peers.alice, how)(track)
        for step in STEPS:
            if step == before:
                await frames.send(still(90))
                await frames.send(still(150))
            await run_step(peers, step)
        await trio.sleep(2)
        assert watcher.grays == pytest.approx([150], abs=3)
        await frames.send(still(60))
        await trio.sleep(1)
        assert watcher.grays == pytest.approx([150, 60], abs=3)
        nursery.cancel_scope.cancel()


async def test_a_still_image_reaches_a_second_peer() -> None:
    """Both connections share an encoder, which has already encoded the frame for the first one."""
    async with media_peers() as first, media_peers(seed=1) as second, trio.open_nursery() as nursery:
        watchers = [Watcher(peers.bob, nursery) for peers in (first, second)]
        frames, track = open_media_track("video")
        for peers in (first, second):
            peers.alice.add_track(track)
        await frames.send(still(150))
        await connect_in_steps(first)
        await trio.sleep(5)
        await connect_in_steps(second)
        await trio.sleep(2)
        # The encoder's second frame is sent to both, so that neither misses the reference of the third.
        assert [watcher.grays for watcher in watchers] == [
            pytest.approx([150, 150], abs=3),
            pytest.approx([150], abs=3),
        ]
        await frames.send(still(60))
        await trio.sleep(1)
        assert [watcher.grays[-1] for watcher in watchers] == pytest.approx([60, 60], abs=3)
        nursery.cancel_scope.cancel()


async def test_a_still_image_of_a_disabled_track_is_black_also_when_it_is_enabled_later() -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher = Watcher(peers.bob, nursery)
        frames, track = open_media_track("video")
        peers.alice.add_track(track)
        track.enabled = False
        await frames.send(still(150))
        track.enabled = True
        await connect_in_steps(peers)
        await trio.sleep(2)
        assert watcher.grays == pytest.approx([0], abs=16)
        nursery.cancel_scope.cancel()


async def test_a_frame_from_before_the_track_had_a_sender_is_not_sent() -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher = Watcher(peers.bob, nursery)
        frames, track = open_media_track("video")
        await frames.send(still(150))
        peers.alice.add_track(track)
        await connect_in_steps(peers)
        await trio.sleep(2)
        assert watcher.frames == []
        nursery.cancel_scope.cancel()


async def test_the_frame_is_released_when_every_track_of_its_source_was_stopped() -> None:
    async with media_peers() as peers:
        frames, track = open_media_track("video")
        clone = track.clone()
        peers.alice.add_track(track)
        peers.alice.add_track(clone)
        await frames.send(still(150))
        track.stop()
        assert track._state.source._retained
        clone.stop()
        assert not track._state.source._retained


@pytest.mark.parametrize("how", ["stop", "replace_track", "remove_track", "transceiver.stop", "disable"])
async def test_a_still_image_that_is_no_longer_sent_is_not_repeated(how: str) -> None:
    """It is not repeated even if the peer requests a keyframe."""
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher = Watcher(peers.bob, nursery)
        frames, track = open_media_track("video")
        sender = peers.alice.add_track(track)
        await frames.send(still(150))
        await connect_in_steps(peers)
        await trio.sleep(1)
        assert watcher.grays == pytest.approx([150], abs=3)
        if how == "stop":
            track.stop()
        elif how == "replace_track":
            await sender.replace_track(None)
        elif how == "remove_track":
            peers.alice.remove_track(sender)
        elif how == "transceiver.stop":
            peers.alice.get_transceivers()[0].stop()
        else:
            track.enabled = False
        peers.bob.get_receivers()[0].request_keyframe()
        await trio.sleep(2)
        expected = [150, 0] if how == "disable" else [150]
        assert watcher.grays == pytest.approx(expected, abs=16)
        nursery.cancel_scope.cancel()


async def watched_still(peers: Peers, nursery: trio.Nursery) -> tuple[Watcher, MediaStreamTrack]:
    """Connect, send a still image once, and return its watcher and track."""
    watcher = Watcher(peers.bob, nursery)
    frames, track = open_media_track("video")
    peers.alice.add_track(track)
    await frames.send(still(150))
    await connect_in_steps(peers)
    await trio.sleep(5)
    assert watcher.grays == pytest.approx([150], abs=3)
    return watcher, track


async def test_a_request_for_a_keyframe_is_answered_with_the_still_image() -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher, _ = await watched_still(peers, nursery)
        [before] = watcher.frames
        peers.bob.get_receivers()[0].request_keyframe()
        await trio.sleep(0.3)
        assert len(watcher.frames) == 2
        await trio.sleep(20)
        [_, again] = watcher.frames
        assert again.keyframe
        # Its timestamp is that of a frame captured now, so that receivers do not consider it late.
        assert (again.timestamp - before.timestamp) / 90_000 == pytest.approx(5.1, abs=0.2)
        nursery.cancel_scope.cancel()


async def test_consecutive_requests_are_all_answered() -> None:
    """Keyframes are at least 0.3 seconds apart, so that the second request is too early for one."""
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher, _ = await watched_still(peers, nursery)
        (receiver,) = peers.bob.get_receivers()
        for _ in range(2):
            receiver.request_keyframe()
            await trio.sleep(0.25)
        await trio.sleep(3)
        assert [frame.keyframe for frame in watcher.frames].count(True) >= 3
        assert len(watcher.frames) <= 5
        nursery.cancel_scope.cancel()


async def test_a_continuing_source_answers_with_its_next_frame() -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher = Watcher(peers.bob, nursery)
        frames, track = open_media_track("video")
        peers.alice.add_track(track)
        await frames.send(still(0))
        await connect_in_steps(peers)
        await trio.sleep(0.5)
        for number in range(30):
            if number % 10 == 5:
                peers.bob.get_receivers()[0].request_keyframe()
            await frames.send(still(8 * number))
            await trio.sleep(1 / 15)
        await trio.sleep(1)
        assert len(watcher.frames) == 31
        assert sum(frame.keyframe for frame in watcher.frames) == 4
        nursery.cancel_scope.cancel()


async def test_a_still_image_of_a_source_that_has_ended_is_still_repeated() -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher = Watcher(peers.bob, nursery)
        frames, track = open_media_track("video")
        peers.alice.add_track(track)
        await connect_in_steps(peers)
        await frames.send(still(150))
        await frames.aclose()
        await trio.sleep(1)
        peers.bob.get_receivers()[0].request_keyframe()
        await trio.sleep(1)
        assert watcher.grays == pytest.approx([150, 150], abs=3)
        nursery.cancel_scope.cancel()


async def test_a_second_peer_that_connects_later_receives_the_still_image() -> None:
    async with media_peers() as peers, media_peers(seed=1) as later, trio.open_nursery() as nursery:
        _, track = await watched_still(peers, nursery)
        watcher = Watcher(later.bob, nursery)
        later.alice.add_track(track)
        await connect_in_steps(later)
        await trio.sleep(2)
        assert watcher.grays == pytest.approx([150], abs=3)
        nursery.cancel_scope.cancel()


async def test_an_image_selected_again_by_replace_track_is_sent_again() -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher = Watcher(peers.bob, nursery)
        slides = [open_media_track("video") for _ in range(2)]
        sender = peers.alice.add_track(slides[0][1])
        await connect_in_steps(peers)
        await slides[0][0].send(still(150))
        await trio.sleep(1)
        await sender.replace_track(slides[1][1])
        await slides[1][0].send(still(60))
        await trio.sleep(1)
        await sender.replace_track(slides[0][1])
        await trio.sleep(1)
        assert watcher.grays == pytest.approx([150, 60, 150], abs=3)
        nursery.cancel_scope.cancel()


async def test_a_still_image_is_sent_again_when_the_direction_sends_again() -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher, _ = await watched_still(peers, nursery)
        for direction in ("recvonly", "sendonly"):
            peers.alice.get_transceivers()[0].direction = direction
            await connect_in_steps(peers)
            await trio.sleep(1)
        assert watcher.grays == pytest.approx([150, 150], abs=3)
        nursery.cancel_scope.cancel()


async def test_a_still_image_is_sent_again_when_its_encoding_becomes_active() -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher, _ = await watched_still(peers, nursery)
        (sender,) = peers.alice.get_senders()
        for active in (False, True):
            parameters = sender.get_parameters()
            parameters.encodings[0].active = active
            await sender.set_parameters(parameters)
            await trio.sleep(1)
        assert watcher.grays == pytest.approx([150, 150], abs=3)
        nursery.cancel_scope.cancel()


async def test_a_still_image_is_sent_again_with_another_codec() -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher, _ = await watched_still(peers, nursery)
        (sender,) = peers.alice.get_senders()
        parameters = sender.get_parameters()
        codec = next(each for each in parameters.codecs if each.mime_type == "video/VP9")
        parameters.encodings[0].codec = codec
        await sender.set_parameters(parameters)
        await trio.sleep(1)
        assert [frame.codec for frame in watcher.frames] == ["VP8", "VP9"]
        assert watcher.frames[-1].keyframe
        nursery.cancel_scope.cancel()


async def test_a_still_image_is_sent_again_when_the_path_is_restored() -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher, _ = await watched_still(peers, nursery)
        peers.network.partition("alice", "bob")
        await trio.sleep(8)
        assert peers.alice.connection_state == "disconnected"
        peers.network.heal()
        await trio.sleep(6)
        assert peers.alice.connection_state == "connected"
        assert watcher.grays == pytest.approx([150, 150], abs=3)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("is_last", [True, False])
async def test_an_encoded_keyframe_is_sent_again_if_no_frame_has_followed_it(is_last: bool) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher = Watcher(peers.bob, nursery)
        frames, track = open_media_track("video")
        peers.alice.add_track(track)
        await connect_in_steps(peers)
        await trio.sleep(1)
        await frames.send(vp8_frame(1))
        if not is_last:
            await frames.send(vp8_frame(2, keyframe=False))
        await trio.sleep(1)
        before = len(watcher.frames)
        peers.bob.get_receivers()[0].request_keyframe()
        await trio.sleep(2)
        repeated = watcher.frames[before:]
        assert [frame.payload for frame in repeated] == ([vp8_frame(1).payload] if is_last else [])
        if is_last:
            assert repeated[0].timestamp - watcher.frames[0].timestamp == pytest.approx(
                1.2 * 90_000, abs=20_000
            )
        nursery.cancel_scope.cancel()


async def test_an_encoded_still_image_from_before_the_connection_reaches_the_peer() -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher = Watcher(peers.bob, nursery)
        frames, track = open_media_track("video")
        peers.alice.add_track(track)
        await frames.send(vp8_frame(1))
        await connect_in_steps(peers)
        await trio.sleep(2)
        assert [frame.payload for frame in watcher.frames] == [vp8_frame(1).payload]
        nursery.cancel_scope.cancel()
