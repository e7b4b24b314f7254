"""Contributing and synchronization sources (W3C webrtc section 5.3.1)."""

import attrs
import pytest
import trio

from tests.strategies.media import connect_track, media_peers, opus_frame
from tests.strategies.peers import WALL_CLOCK
from trio_rtc import open_media_track

Clock = trio.testing.MockClock


async def test_sources_of_played_frames(autojump_clock: Clock) -> None:
    async with media_peers() as peers, trio.open_nursery() as nursery:
        source, track = open_media_track("audio")
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        receiver = event.receiver
        frame = attrs.evolve(opus_frame(0), audio_level=20, contributing_sources=(7, 8))
        nursery.start_soon(event.track.receive)
        await source.send(frame)
        await trio.sleep(1)
        (synchronizing,) = receiver.get_synchronization_sources()
        assert synchronizing.audio_level == pytest.approx(0.1)
        assert {each.source for each in receiver.get_contributing_sources()} == {7, 8}
        stamps = {each.rtp_timestamp for each in receiver.get_contributing_sources()}
        assert stamps == {synchronizing.rtp_timestamp}
        assert 0 <= synchronizing.rtp_timestamp < 1 << 32
        await trio.sleep(10)
        assert receiver.get_synchronization_sources() == []
        assert receiver.get_contributing_sources() == []
        nursery.cancel_scope.cancel()


async def test_sources_are_reported_without_a_consumer_of_frames(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        source, track = open_media_track("audio")
        peers.alice.add_track(track)
        receiver = (await connect_track(peers.alice, peers.bob)).receiver
        assert receiver.get_synchronization_sources() == []
        for index, contributing in enumerate([(7,), (8, 9), ()]):
            frame = attrs.evolve(opus_frame(index), audio_level=20, contributing_sources=contributing)
            await source.send(frame)
            await trio.sleep(1)
        sent_at = WALL_CLOCK * 1000 + (trio.current_time() - 1) * 1000
        (synchronizing,) = receiver.get_synchronization_sources()
        assert synchronizing.timestamp == pytest.approx(sent_at, abs=100)
        assert synchronizing.audio_level == pytest.approx(0.1)
        contributing_sources = receiver.get_contributing_sources()
        assert [each.source for each in contributing_sources] in ([8, 9, 7], [9, 8, 7])
        stamps = [each.rtp_timestamp for each in contributing_sources]
        assert stamps[0] == stamps[1] == (synchronizing.rtp_timestamp - 960) & 0xFFFFFFFF
        await trio.sleep(7.5)
        assert len(receiver.get_contributing_sources()) == 2
        await trio.sleep(2)
        assert receiver.get_synchronization_sources() == receiver.get_contributing_sources() == []
