"""``set_streams`` (W3C webrtc section 5.2)."""

import pytest

from tests.api.web_platform.negotiation import local_track, needs, section, settled_needs
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import InvalidStateError, MediaStream, RTCTrackEvent

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_the_streams_at_the_peer(count: int) -> None:
    async with two_peers() as peers:
        streams = [MediaStream() for _ in range(count)]
        sender = peers.alice.add_transceiver(local_track()).sender
        sender.set_streams(*streams)
        events: list[RTCTrackEvent] = []
        peers.bob.on_track = events.append
        await negotiate(peers.alice, peers.bob)
        (event,) = events
        assert [stream.id for stream in event.streams] == [stream.id for stream in streams]


async def test_repeated_streams_count_once() -> None:
    async with two_peers() as peers:
        stream = MediaStream()
        sender = peers.alice.add_track(local_track())
        sender.set_streams(stream, stream)
        await peers.alice.set_local_description()
        assert section(description_of(peers.alice), 0).count("a=msid:") == 1


async def test_it_replaces_earlier_streams() -> None:
    async with two_peers() as peers:
        one, two = MediaStream(), MediaStream()
        sender = peers.alice.add_track(local_track(), one)
        events: list[RTCTrackEvent] = []
        peers.bob.on_track = events.append
        await negotiate(peers.alice, peers.bob)
        sender.set_streams(two)
        await negotiate(peers.alice, peers.bob)
        assert [[stream.id for stream in event.streams] for event in events] == [[one.id], [two.id]]


@pytest.mark.parametrize(("change", "needed"), [("same", 0), ("none", 1), ("more", 1), ("order", 0)])
async def test_negotiation_is_needed_for_other_streams(change: str, needed: int) -> None:
    async with two_peers() as peers:
        one, two = MediaStream(), MediaStream()
        sender = peers.alice.add_track(local_track(), one, two)
        await negotiate(peers.alice, peers.bob)
        log = needs(peers.alice)
        sender.set_streams(
            *{"same": [one, two], "none": [], "more": [one, two, MediaStream()], "order": [two, one]}[change]
        )
        assert await settled_needs(log) == needed


async def test_a_closed_connection_refuses() -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_track(local_track())
        peers.alice.close()
        with pytest.raises(InvalidStateError):
            sender.set_streams()
