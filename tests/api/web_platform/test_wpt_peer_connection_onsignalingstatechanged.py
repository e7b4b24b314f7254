"""``signaling_state_change``: its order among other events (W3C webrtc section 4.4.1.5)."""

import pytest
import trio

from tests.api.web_platform.negotiation import ROLLBACK, event_log, local_track, signaling_log
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import MediaStream

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_each_change_has_one_event() -> None:
    async with two_peers() as peers:
        logs = [signaling_log(pc) for pc in (peers.alice, peers.bob)]
        await peers.alice.set_local_description()
        await peers.alice.set_local_description(ROLLBACK)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description({"type": "pranswer"})
        await peers.alice.set_remote_description(description_of(peers.bob))
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert logs == [
            ["have-local-offer", "stable", "have-local-offer", "have-remote-pranswer", "stable"],
            ["have-remote-offer", "have-local-pranswer", "stable"],
        ]


async def test_it_precedes_the_events_of_tracks_and_streams() -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_track(local_track(), MediaStream())
        await negotiate(peers.alice, peers.bob)
        order = event_log(peers.bob, "signaling_state_change", "track")
        (receiver,) = peers.bob.get_receivers()
        stream_events: list[str] = []
        peers.bob.on_track = lambda event: stream_events.extend(stream.id for stream in event.streams)
        sender.set_streams(MediaStream())
        peers.alice.add_track(local_track("video"))
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        assert order == ["signaling_state_change", "track", "track"]
        assert len(stream_events) == 1
        assert receiver.track.ready_state == "live"


async def test_closing_fires_none() -> None:
    async with two_peers() as peers:
        await peers.alice.set_local_description()
        states = signaling_log(peers.alice)
        peers.alice.close()
        await trio.sleep(1)
        assert (str(peers.alice.signaling_state), states) == ("closed", [])
