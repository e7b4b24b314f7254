"""``get_synchronization_sources`` (W3C webrtc section 5.3)."""

import pytest
import trio

from tests.strategies.media import connect_track, media_peers, send_frames
from tests.strategies.peers import WALL_CLOCK
from trio_rtc import RTCRtpSynchronizationSource, open_media_track

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_the_source_of_played_media(kind: str) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track(kind)
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        assert event.receiver.get_synchronization_sources() == []
        started = (WALL_CLOCK + trio.current_time()) * 1000
        nursery.start_soon(send_frames, source, kind)
        for _ in range(5):
            await event.track.receive()
        (found,) = event.receiver.get_synchronization_sources()
        assert isinstance(found, RTCRtpSynchronizationSource)
        assert started <= found.timestamp <= (WALL_CLOCK + trio.current_time()) * 1000
        assert 0 <= found.rtp_timestamp < 2**32
        assert 0 < found.source < 2**32
        assert found.audio_level is None or 0 <= found.audio_level <= 1
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_a_source_is_forgotten_after_ten_seconds(kind: str) -> None:
    async with media_peers() as peers:
        source, track = open_media_track(kind)
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        with trio.move_on_after(1):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send_frames, source, kind)
                while True:
                    await event.track.receive()
        assert len(event.receiver.get_synchronization_sources()) == 1
        await trio.sleep(8)
        assert len(event.receiver.get_synchronization_sources()) == 1
        await trio.sleep(3)
        assert event.receiver.get_synchronization_sources() == []
