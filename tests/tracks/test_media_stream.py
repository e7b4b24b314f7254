"""MediaStream (W3C mediacapture-main section 4.2)."""

import pytest
import trio

from tests.strategies.media import media_peers
from tests.strategies.peers import negotiate
from trio_rtc import Event, MediaStream, MediaStreamTrack, MediaStreamTrackEvent, open_media_track

pytestmark = pytest.mark.filterwarnings("ignore:.*is obsolete:DeprecationWarning")

Clock = trio.testing.MockClock


def tracks() -> list[MediaStreamTrack]:
    return [open_media_track(kind)[1] for kind in ("audio", "video", "audio")]


def test_the_three_constructors() -> None:
    assert MediaStream().get_tracks() == []
    some = tracks()
    stream = MediaStream([*some, some[0]])
    assert stream.get_tracks() == some
    other = MediaStream(stream)
    assert other.get_tracks() == some
    assert other.id != stream.id
    other.remove_track(some[0])
    assert stream.get_tracks() == some
    assert MediaStream(id="named").id == "named"


def test_tracks_by_kind_and_by_name() -> None:
    some = tracks()
    stream = MediaStream(some)
    assert stream.get_audio_tracks() == [some[0], some[2]]
    assert stream.get_video_tracks() == [some[1]]
    assert all(stream.get_track_by_id(track.id) is track for track in some)
    assert stream.get_track_by_id("nobody's") is None


def test_changes_by_the_application_fire_no_events() -> None:
    events: list[Event | MediaStreamTrackEvent] = []
    stream = MediaStream()
    stream.on_add_track = stream.on_remove_track = events.append
    track = tracks()[0]
    stream.add_track(track)
    stream.add_track(track)
    assert stream.get_tracks() == [track]
    stream.remove_track(track)
    stream.remove_track(track)
    assert stream.get_tracks() == []
    assert events == []


def test_a_stream_is_active_as_long_as_a_track_is_live() -> None:
    some = tracks()
    stream = MediaStream(some)
    assert not MediaStream().active
    for track in some:
        assert stream.active
        track.stop()
    assert not stream.active
    stream.add_track(tracks()[0])
    assert stream.active


def test_a_clone_has_clones() -> None:
    stream = MediaStream(tracks())
    clone = stream.clone()
    assert clone.id != stream.id
    assert [track.kind for track in clone.get_tracks()] == ["audio", "video", "audio"]
    assert not {track.id for track in clone.get_tracks()} & {track.id for track in stream.get_tracks()}
    for track in stream.get_tracks():
        track.stop()
    assert clone.active


async def test_changes_by_the_peer_fire_events(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        stream = MediaStream()
        audio, video, _ = tracks()
        peers.alice.add_track(audio, stream)
        await negotiate(peers.alice, peers.bob)
        (remote,) = peers.bob.get_remote_streams()
        assert remote.id == stream.id
        recorded: list[tuple[str, str]] = []

        def record(event: MediaStreamTrackEvent) -> None:
            assert event.target is remote
            recorded.append((event.type, event.track.id))

        remote.on_add_track = record
        remote.on_remove_track = record
        sender = peers.alice.add_track(video, stream)
        await negotiate(peers.alice, peers.bob)
        peers.alice.remove_track(sender)
        await negotiate(peers.alice, peers.bob)
        assert recorded == [("add_track", video.id), ("remove_track", video.id)]
        assert [track.id for track in remote.get_tracks()] == [audio.id]
