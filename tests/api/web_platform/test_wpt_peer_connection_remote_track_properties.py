"""Ids and labels of received tracks and streams (W3C webrtc section 5.1.1)."""

import pytest

from tests.api.web_platform.negotiation import local_track
from tests.strategies.peers import negotiate, two_peers
from trio_rtc import MediaStream, RTCTrackEvent

pytestmark = [
    pytest.mark.usefixtures("autojump_clock"),
    pytest.mark.parametrize("kind", ["audio", "video"]),
]


async def received(kind: str, stream: MediaStream) -> RTCTrackEvent:
    """Send a track of a stream to another peer, and return the event there."""
    async with two_peers() as peers:
        events: list[RTCTrackEvent] = []
        peers.bob.on_track = events.append
        peers.alice.add_track(local_track(kind), stream)
        await negotiate(peers.alice, peers.bob)
        return events[0]


async def test_the_id_of_the_stream_and_the_label_of_the_track(kind: str) -> None:
    stream = MediaStream()
    event = await received(kind, stream)
    assert [each.id for each in event.streams] == [stream.id]
    assert event.track.label == f"remote {kind}"


async def test_tracks_of_several_connections_have_different_ids(kind: str) -> None:
    stream = MediaStream()
    ids = {(await received(kind, stream)).track.id for _ in range(3)}
    assert len(ids) > 1
