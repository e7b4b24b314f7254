"""``track`` events and streams, by the ``a=msid`` lines of an offer (W3C webrtc section 5.1.1, RFC 8830)."""

import pytest

from tests.api.web_platform.negotiation import event_log, local_track
from tests.strategies.peers import two_peers
from trio_rtc import MediaStream, RTCPeerConnection, RTCSessionDescription, RTCTrackEvent

pytestmark = pytest.mark.usefixtures("autojump_clock")


def with_msids(offer: RTCSessionDescription, *names: str) -> RTCSessionDescription:
    """Return an offer whose sections have other stream ids: one name for each, several joined by spaces."""
    head, *sections = offer.sdp.split("m=")
    for index, (text, streams) in enumerate(zip(sections, names, strict=True)):
        lines = [line for line in text.splitlines(keepends=True) if "msid:" not in line]
        lines += [f"a=msid:{stream} track{index}\r\n" for stream in streams.split()]
        sections[index] = "".join(lines)
    return RTCSessionDescription("offer", "m=".join([head, *sections]))


def recorded(pc: RTCPeerConnection) -> list[RTCTrackEvent]:
    events: list[RTCTrackEvent] = []
    pc.on_track = events.append
    return events


async def test_one_event_for_each_section() -> None:
    async with two_peers() as peers:
        for kind in ("audio", "video"):
            peers.alice.add_track(local_track(kind))
        events = recorded(peers.bob)
        await peers.bob.set_remote_description(with_msids(await peers.alice.create_offer(), "one", "two"))
        assert [[stream.id for stream in event.streams] for event in events] == [["one"], ["two"]]
        assert [event.track.kind for event in events] == ["audio", "video"]
        assert [event.track.id for event in events] == ["track0", "track1"]


async def test_two_tracks_in_one_stream() -> None:
    async with two_peers() as peers:
        for kind in ("audio", "video"):
            peers.alice.add_track(local_track(kind))
        events = recorded(peers.bob)
        await peers.bob.set_remote_description(with_msids(await peers.alice.create_offer(), "one", "one"))
        first, second = events
        assert first.streams == second.streams
        assert first.streams[0].get_tracks() == [first.track, second.track]


async def test_a_track_in_two_streams() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        events = recorded(peers.bob)
        await peers.bob.set_remote_description(with_msids(await peers.alice.create_offer(), "one two"))
        (event,) = events
        assert [stream.id for stream in event.streams] == ["one", "two"]


async def test_another_offer_moves_the_track_and_fires_again() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track(), MediaStream())
        offer = await peers.alice.create_offer()
        events = recorded(peers.bob)
        await peers.bob.set_remote_description(with_msids(offer, "one"))
        (stream,) = events[0].streams
        log = event_log(stream, "add_track", "remove_track")
        await peers.bob.set_remote_description(with_msids(offer, "one"))
        assert (len(events), log) == (1, [])
        await peers.bob.set_remote_description(with_msids(offer, "two"))
        assert log == ["remove_track"]
        assert [each.id for each in events[1].streams] == ["two"]
        assert events[1].track is events[0].track
