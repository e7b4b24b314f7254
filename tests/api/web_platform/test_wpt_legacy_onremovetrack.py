"""``remove_track`` of a received stream (W3C webrtc section 5.1.1)."""

import pytest

from tests.api.web_platform.negotiation import local_track
from tests.strategies.media import connect_track
from tests.strategies.peers import description_of, two_peers
from trio_rtc import MediaStream

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_it_is_fired_when_the_stream_is_empty_and_before_the_method_returns() -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_track(local_track(), MediaStream())
        event = await connect_track(peers.alice, peers.bob)
        (stream,) = event.streams
        order: list[object] = []
        stream.add_event_listener(
            "remove_track", lambda event: order.append((event.track, stream.get_tracks()))
        )
        peers.alice.remove_track(sender)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        order.append("returned")
        assert order == [(event.track, []), "returned"]
