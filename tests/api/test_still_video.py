"""A still image is sent once: the last video frame before packets can leave reaches the peer."""

import av
import pytest
import trio

from tests.strategies.media import media_peers, until_connected
from tests.strategies.peers import Peers, description_of, trickle
from trio_rtc import EncodedFrame, MediaStreamTrack, RTCPeerConnection, open_media_track
from trio_rtc.codecs import create_video_decoder

pytestmark = pytest.mark.usefixtures("autojump_clock")

STEPS = ["offer", "answer", "connection"]


def still(luma: int) -> av.VideoFrame:
    """Return a video frame of one gray."""
    frame = av.VideoFrame(64, 48, "yuv420p")
    for plane, value in zip(frame.planes, (luma, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


class Watcher:
    """Receives the video of a peer.

    Attributes:
        frames: What was received.
    """

    def __init__(self, peer: RTCPeerConnection, nursery: trio.Nursery) -> None:
        self.frames: list[EncodedFrame] = []
        peer.on_track = lambda event: nursery.start_soon(self._watch, event.track)

    @property
    def grays(self) -> list[int]:
        """The luma of each frame."""
        decoder = create_video_decoder("VP8")
        decoded = [picture for frame in self.frames for picture in decoder.decode(frame)]
        decoder.close()
        return [bytes(picture.planes[0])[0] for picture in decoded]

    async def _watch(self, track: MediaStreamTrack) -> None:
        async for frame in track:
            self.frames.append(frame)


async def take_step(peers: Peers, step: str) -> None:
    """Carry out one step of the negotiation."""
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
        await take_step(peers, step)


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
            await take_step(peers, step)
        await trio.sleep(2)
        assert watcher.grays == pytest.approx([150], abs=3)
        await frames.send(still(60))
        await trio.sleep(1)
        assert watcher.grays == pytest.approx([150, 60], abs=3)
        nursery.cancel_scope.cancel()


async def test_a_still_image_reaches_a_peer_that_another_one_has_preceded() -> None:
    """Both connections share an encoder, which has encoded the frame for the first one already."""
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
        assert [watcher.grays for watcher in watchers] == [pytest.approx([150], abs=3)] * 2
        for watcher in watchers:
            watcher.frames.clear()
        await frames.send(still(60))
        await frames.send(still(60))
        await trio.sleep(1)
        assert all(watcher.grays[-1] == pytest.approx(60, abs=3) for watcher in watchers)
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


async def test_a_frame_from_before_the_track_was_added_is_not_sent() -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        watcher = Watcher(peers.bob, nursery)
        frames, track = open_media_track("video")
        await frames.send(still(150))
        peers.alice.add_track(track)
        await connect_in_steps(peers)
        await trio.sleep(2)
        assert watcher.frames == []
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("how", ["stop", "replace_track", "remove_track", "transceiver.stop", "close"])
async def test_the_frame_is_released_with_its_sender_or_track(how: str) -> None:
    async with media_peers() as peers:
        frames, track = open_media_track("video")
        sender = peers.alice.add_track(track)
        await frames.send(still(150))
        assert len(track._source._waiting) == 1
        if how == "stop":
            track.stop()
        elif how == "replace_track":
            await sender.replace_track(None)
        elif how == "remove_track":
            peers.alice.remove_track(sender)
        elif how == "transceiver.stop":
            peers.alice.get_transceivers()[0].stop()
        else:
            peers.alice.close()
        assert track._source._waiting == {}


async def test_nothing_is_retained_once_frames_are_sent() -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        Watcher(peers.bob, nursery)
        frames, track = open_media_track("video")
        peers.alice.add_track(track)
        await frames.send(still(150))
        await connect_in_steps(peers)
        await trio.sleep(1)
        assert track._source._waiting == {}
        nursery.cancel_scope.cancel()
