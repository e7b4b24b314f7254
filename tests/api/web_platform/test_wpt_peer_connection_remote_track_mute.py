"""``muted`` of received tracks (W3C webrtc section 5.3, process remote tracks)."""

import pytest
import trio

from tests.api.web_platform.negotiation import event_log, local_track
from tests.strategies.media import connect_track, media_peers, opus_frame
from tests.strategies.peers import description_of, negotiate
from trio_rtc import MediaStream, open_media_track

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_it_is_muted_until_media_arrives_and_when_it_is_removed() -> None:
    async with media_peers() as peers:
        source, track = open_media_track("audio")
        sender = peers.alice.add_track(track, MediaStream())
        event = await connect_track(peers.alice, peers.bob)
        log = event_log(event.track, "mute", "unmute")
        assert event.track.muted
        await source.send(opus_frame(0))
        await trio.sleep(1)
        assert log == ["unmute"]
        peers.alice.remove_track(sender)
        await negotiate(peers.alice, peers.bob)
        assert log == ["unmute", "mute"]
        assert event.track.muted


@pytest.mark.parametrize("how", ["direction", "stop"])
async def test_the_answerers_own_change_mutes_too(how: str) -> None:
    async with media_peers() as peers:
        source, track = open_media_track("audio")
        peers.alice.add_track(track)
        event = await connect_track(peers.alice, peers.bob)
        await source.send(opus_frame(0))
        await trio.sleep(1)
        log = event_log(event.track, "mute", "ended")
        if how == "direction":
            event.transceiver.direction = "inactive"
        else:
            event.transceiver.stop()
        await negotiate(peers.bob, peers.alice)
        await trio.sleep(1)
        assert log == (["mute"] if how == "direction" else ["ended"])


async def test_a_muted_track_fires_no_second_event() -> None:
    async with media_peers() as peers:
        sender = peers.alice.add_track(local_track())
        event = await connect_track(peers.alice, peers.bob)
        log = event_log(event.track, "mute", "unmute")
        peers.alice.remove_track(sender)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        await trio.sleep(1)
        assert log == []
