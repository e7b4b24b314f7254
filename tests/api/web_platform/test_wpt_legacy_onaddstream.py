"""The obsolete events of streams, and the order of all events of a description (W3C webrtc section 4.4.1.5)."""

import pytest

from tests.api.web_platform.negotiation import event_log, local_track
from tests.strategies.peers import negotiate, two_peers
from trio_rtc import MediaStream

pytestmark = [
    pytest.mark.usefixtures("autojump_clock"),
    pytest.mark.filterwarnings("ignore:.*is obsolete:DeprecationWarning"),
]


async def test_one_event_for_each_stream_with_all_its_tracks() -> None:
    async with two_peers() as peers:
        stream = MediaStream([local_track(), local_track("video")])
        for track in stream.get_tracks():
            peers.alice.add_track(track, stream)
        added: list[MediaStream] = []
        peers.bob.on_add_stream = lambda event: added.append(event.stream)
        await negotiate(peers.alice, peers.bob)
        (remote,) = added
        assert remote.id == stream.id
        assert [track.id for track in remote.get_tracks()] == [track.id for track in stream.get_tracks()]


async def test_a_track_without_stream_has_no_event() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        log = event_log(peers.bob, "add_stream", "track")
        await negotiate(peers.alice, peers.bob)
        assert log == ["track"]


async def test_a_track_added_to_a_known_stream_fires_at_the_stream() -> None:
    async with two_peers() as peers:
        stream = MediaStream()
        peers.alice.add_track(local_track(), stream)
        added: list[MediaStream] = []
        peers.bob.on_add_stream = lambda event: added.append(event.stream)
        await negotiate(peers.alice, peers.bob)
        (remote,) = added
        order = event_log(remote, "add_track")
        peers.bob.add_event_listener("track", lambda event: order.append(event.type))
        peers.alice.add_track(local_track("video"), stream)
        await negotiate(peers.alice, peers.bob)
        assert order == ["add_track", "track"]
        assert added == [remote]
        assert len(remote.get_tracks()) == 2
