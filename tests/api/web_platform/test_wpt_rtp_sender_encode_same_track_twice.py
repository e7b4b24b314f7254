"""A track with two senders is sent twice (W3C webrtc section 5.1, ``add_transceiver``)."""

import pytest
import trio

from tests.strategies.media import connect_track, media_peers, send_frames
from trio_rtc import open_media_track

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_both_receivers_get_its_frames(kind: str) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track(kind)
        for _ in range(2):
            peers.alice.add_transceiver(track)
        await connect_track(peers.alice, peers.bob)
        nursery.start_soon(send_frames, source, kind)
        with trio.fail_after(5):
            for receiver in peers.bob.get_receivers():
                assert await receiver.track.receive()
        nursery.cancel_scope.cancel()
