"""Events of received tracks when an offer is rolled back (W3C webrtc section 4.4.1.5)."""

import pytest
import trio.testing

from tests.api.web_platform.negotiation import ROLLBACK, event_log, local_track
from tests.strategies.peers import Peers, description_of, negotiate, two_peers
from trio_rtc import MediaStream, RTCTrackEvent

pytestmark = [
    pytest.mark.usefixtures("autojump_clock"),
    pytest.mark.parametrize("kind", ["audio", "video"]),
    pytest.mark.parametrize("with_stream", [False, True], ids=["without stream", "with stream"]),
]


def add_track(peers: Peers, kind: str, *, with_stream: bool) -> list[RTCTrackEvent]:
    """Add a track of Alice's, and return the list of Bob's ``track`` events."""
    peers.alice.add_track(local_track(kind), *([MediaStream()] if with_stream else []))
    events: list[RTCTrackEvent] = []
    peers.bob.on_track = events.append
    return events


def removals(event: RTCTrackEvent) -> list[str]:
    """Return a log of the removals of an event's track."""
    return event_log(event.streams[0], "remove_track") if event.streams else event_log(event.track, "mute")


async def test_a_rolled_back_offer_is_set_again(kind: str, with_stream: bool) -> None:
    """The transceiver of Bob's own track is associated with the section, so there is no other."""
    async with two_peers() as peers:
        events = add_track(peers, kind, with_stream=with_stream)
        bob = peers.bob
        bob.add_track(local_track(kind))
        await peers.alice.set_local_description()
        await bob.set_remote_description(description_of(peers.alice))
        log = removals(events[0])
        await bob.set_remote_description(ROLLBACK)
        await trio.testing.wait_all_tasks_blocked()
        assert events[0].track.muted
        assert log == (["remove_track"] if with_stream else [])
        await bob.set_remote_description(description_of(peers.alice))
        assert len(bob.get_transceivers()) == 1
        assert len(events) == 2
        assert events[0].track is events[1].track
        assert [each.id for each in events[0].streams] == [each.id for each in events[1].streams]


async def test_a_rolled_back_change_of_direction(kind: str, with_stream: bool) -> None:
    async with two_peers() as peers:
        events = add_track(peers, kind, with_stream=with_stream)
        alice, bob = peers.alice, peers.bob
        await negotiate(alice, bob)
        (transceiver,) = bob.get_transceivers()
        assert transceiver.direction == transceiver.current_direction == "recvonly"
        log = removals(events[0])
        alice.get_transceivers()[0].direction = "inactive"
        await alice.set_local_description()
        await bob.set_remote_description(description_of(alice))
        await trio.testing.wait_all_tasks_blocked()
        assert events[0].track.muted
        assert log == (["remove_track"] if with_stream else [])
        await bob.set_remote_description(ROLLBACK)
        assert len(events) == 2
        assert events[0].track is events[1].track
        assert [each.id for each in events[0].streams] == [each.id for each in events[1].streams]
