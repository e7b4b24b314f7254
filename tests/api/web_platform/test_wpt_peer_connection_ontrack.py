"""The ``track`` event of a description (W3C webrtc sections 4.4.1.5 and 5.7)."""

import pytest

from tests.api.web_platform.negotiation import local_track
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import MediaStream, RTCPeerConnection, RTCTrackEvent

pytestmark = pytest.mark.usefixtures("autojump_clock")


def recorded(pc: RTCPeerConnection) -> list[RTCTrackEvent]:
    events: list[RTCTrackEvent] = []
    pc.on_track = events.append
    return events


def check(pc: RTCPeerConnection, event: RTCTrackEvent) -> None:
    """Check that an event is consistent with its connection's transceivers."""
    assert isinstance(event, RTCTrackEvent)
    assert event.type == "track"
    assert event.transceiver in pc.get_transceivers()
    assert event.receiver is event.transceiver.receiver
    assert event.track is event.receiver.track
    assert all(event.track in stream.get_tracks() for stream in event.streams)


@pytest.mark.parametrize("kind", ["audio", "video"])
@pytest.mark.parametrize("way", ["add_track", "add_transceiver"])
async def test_an_offered_track(kind: str, way: str) -> None:
    async with two_peers() as peers:
        track, stream = local_track(kind), MediaStream()
        if way == "add_track":
            peers.alice.add_track(track, stream)
        else:
            peers.alice.add_transceiver(track, streams=[stream])
        events = recorded(peers.bob)
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        (event,) = events
        check(peers.bob, event)
        assert (event.track.kind, event.track.id) == (kind, track.id)
        assert [each.id for each in event.streams] == [stream.id]


@pytest.mark.parametrize(
    ("direction", "count"), [("sendrecv", 1), ("sendonly", 1), ("recvonly", 0), ("inactive", 0)]
)
async def test_only_a_section_that_sends_has_an_event(direction: str, count: int) -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio", direction=direction)
        events = recorded(peers.bob)
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        assert len(events) == count
        assert len(peers.bob.get_transceivers()) == 1


async def test_a_transceiver_of_ours_is_used() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        sender = peers.bob.add_track(local_track())
        events = recorded(peers.bob)
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        (event,) = events
        check(peers.bob, event)
        assert event.transceiver.sender is sender


async def test_an_answer_that_sends_has_an_event_too() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("video")
        events = recorded(peers.alice)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        peers.bob.add_track(local_track("video"))
        await peers.bob.set_local_description()
        assert events == []
        await peers.alice.set_remote_description(description_of(peers.bob))
        (event,) = events
        check(peers.alice, event)
        assert event.transceiver is transceiver


async def test_unchanged_sections_have_no_further_event() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        events = recorded(peers.bob)
        await negotiate(peers.alice, peers.bob)
        peers.alice.add_track(local_track("video"))
        await negotiate(peers.alice, peers.bob)
        assert [event.track.kind for event in events] == ["audio", "video"]
