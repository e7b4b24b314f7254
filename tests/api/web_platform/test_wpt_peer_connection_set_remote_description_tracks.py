"""Tracks and streams that a remote description adds and removes (W3C webrtc section 5.1.1)."""

import pytest

from tests.api.web_platform.negotiation import event_log, local_track
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import MediaStream, RTCPeerConnection, RTCTrackEvent

pytestmark = [
    pytest.mark.usefixtures("autojump_clock"),
    pytest.mark.filterwarnings("ignore:.*is obsolete:DeprecationWarning"),
]


def track_events(pc: RTCPeerConnection) -> list[RTCTrackEvent]:
    events: list[RTCTrackEvent] = []
    pc.add_event_listener("track", events.append)
    return events


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_a_track_in_its_streams(count: int) -> None:
    async with two_peers() as peers:
        track, streams = local_track(), [MediaStream() for _ in range(count)]
        peers.alice.add_track(track, *streams)
        events = track_events(peers.bob)
        await negotiate(peers.alice, peers.bob)
        (event,) = events
        assert event.track.id == track.id
        assert [stream.id for stream in event.streams] == [stream.id for stream in streams]
        assert all(stream.get_tracks() == [event.track] for stream in event.streams)
        assert peers.bob.get_receivers() == [event.receiver]


async def test_a_stream_is_complete_at_the_first_event() -> None:
    async with two_peers() as peers:
        stream = MediaStream()
        tracks = [local_track(), local_track("video")]
        for track in tracks:
            peers.alice.add_track(track, stream)
        seen: list[tuple[str, list[str]]] = []

        def record(event: RTCTrackEvent) -> None:
            (remote,) = event.streams
            seen.append((event.track.id, [track.id for track in remote.get_tracks()]))

        peers.bob.on_track = record
        await negotiate(peers.alice, peers.bob)
        both = [track.id for track in tracks]
        assert seen == [(name, both) for name in both]


async def test_the_event_has_the_transceivers_objects() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        events = track_events(peers.bob)
        await negotiate(peers.alice, peers.bob)
        (event,) = events
        (transceiver,) = peers.bob.get_transceivers()
        assert event.transceiver is transceiver
        assert event.receiver is transceiver.receiver
        assert event.track is transceiver.receiver.track


async def test_a_removed_track_leaves_its_stream_and_keeps_its_receiver() -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_track(local_track(), MediaStream())
        events = track_events(peers.bob)
        await negotiate(peers.alice, peers.bob)
        (event,) = events
        (stream,) = event.streams
        log = event_log(stream, "remove_track")
        peers.alice.remove_track(sender)
        await negotiate(peers.alice, peers.bob)
        assert log == ["remove_track"]
        assert stream.get_tracks() == []
        assert peers.bob.get_receivers() == [event.receiver]
        assert event.track.ready_state == "live"
        assert event.track.muted


async def test_a_track_moves_to_another_stream() -> None:
    async with two_peers() as peers:
        one, two = MediaStream(), MediaStream()
        sender = peers.alice.add_track(local_track(), one)
        events = track_events(peers.bob)
        await negotiate(peers.alice, peers.bob)
        sender.set_streams(two)
        await negotiate(peers.alice, peers.bob)
        assert [[stream.id for stream in event.streams] for event in events] == [[one.id], [two.id]]
        assert events[0].track is events[1].track
        assert events[0].streams[0].get_tracks() == []
        assert events[1].streams[0].get_tracks() == [events[0].track]


async def test_a_replaced_track_changes_nothing_at_the_peer() -> None:
    async with two_peers() as peers:
        stream = MediaStream()
        sender = peers.alice.add_track(local_track(), stream)
        events = track_events(peers.bob)
        await negotiate(peers.alice, peers.bob)
        await sender.replace_track(local_track())
        await negotiate(peers.alice, peers.bob)
        assert len(events) == 1
        assert [each.id for each in peers.bob.get_remote_streams()] == [stream.id]


async def test_a_stream_without_tracks_is_reused_while_another_track_is_in_it() -> None:
    async with two_peers() as peers:
        stream = MediaStream()
        senders = [peers.alice.add_track(local_track(kind), stream) for kind in ("audio", "video")]
        events = track_events(peers.bob)
        await negotiate(peers.alice, peers.bob)
        (remote,) = events[0].streams
        peers.alice.remove_track(senders[0])
        await negotiate(peers.alice, peers.bob)
        assert remote.get_tracks() == [events[1].track]
        peers.alice.get_transceivers()[0].direction = "sendrecv"
        await negotiate(peers.alice, peers.bob)
        assert events[2].streams == (remote,)
        assert remote.get_tracks() == [events[1].track, events[0].track]


async def test_a_track_in_a_rejected_section_is_not_announced() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        peers.alice.add_track(local_track("video"))
        peers.alice.get_transceivers()[0].stop()
        events = track_events(peers.bob)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        assert [event.track.kind for event in events] == ["video"]
