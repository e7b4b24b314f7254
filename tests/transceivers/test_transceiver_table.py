"""The transceivers of a connection, and the effect of descriptions on them (W3C webrtc sections 4.4.1.5 and 5.1)."""

import re
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from tests.strategies.media import connect_track, media_peers, only, opus_frame
from tests.strategies.peers import Peers, description_of, negotiate
from trio_rtc import (
    Event,
    InvalidAccessError,
    MediaStream,
    MediaStreamTrack,
    RTCPeerConnection,
    RTCTrackEvent,
    open_media_track,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*is obsolete:DeprecationWarning")

Clock = trio.testing.MockClock


@pytest.fixture
async def pc() -> AsyncIterator[RTCPeerConnection]:
    """A connection without a network."""
    connection = RTCPeerConnection()
    yield connection
    connection.close()


def local_track(kind: str = "audio") -> MediaStreamTrack:
    return open_media_track(kind)[1]


def recorded_tracks(peer: RTCPeerConnection) -> list[RTCTrackEvent]:
    events: list[RTCTrackEvent] = []
    peer.add_event_listener("track", events.append)
    return events


async def test_a_track_is_sent_once(pc: RTCPeerConnection) -> None:
    track = local_track()
    sender = pc.add_track(track)
    with pytest.raises(InvalidAccessError):
        pc.add_track(track)
    other = RTCPeerConnection()
    with pytest.raises(InvalidAccessError):
        other.remove_track(sender)
    other.add_track(track)
    other.close()


async def test_add_track_reuses_a_free_sender(pc: RTCPeerConnection) -> None:
    inactive = pc.add_transceiver("audio", direction="inactive")
    receiving = pc.add_transceiver("video", direction="recvonly")
    assert pc.add_track(local_track("video")) is receiving.sender
    assert receiving.direction == "sendrecv"
    assert pc.add_track(local_track()) is inactive.sender
    assert inactive.direction == "sendonly"
    assert pc.add_track(local_track()) not in (inactive.sender, receiving.sender)


async def test_a_removed_track_leaves_a_sender_that_has_never_sent(pc: RTCPeerConnection) -> None:
    sender = pc.add_track(local_track())
    pc.remove_track(sender)
    assert sender.track is None
    assert only(pc.get_transceivers()).direction == "recvonly"
    pc.remove_track(sender)
    assert pc.add_track(local_track()) is sender
    assert only(pc.get_transceivers()).direction == "sendrecv"


async def test_a_sender_that_has_sent_is_not_reused(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        sender = peers.alice.add_track(local_track())
        await negotiate(peers.alice, peers.bob)
        peers.alice.remove_track(sender)
        assert peers.alice.add_track(local_track()) is not sender
        assert len(peers.alice.get_transceivers()) == 2


async def test_a_stopped_transceiver_is_not_reused(pc: RTCPeerConnection) -> None:
    transceiver = pc.add_transceiver("audio", direction="recvonly")
    transceiver.stop()
    assert pc.add_track(local_track()) is not transceiver.sender
    pc.remove_track(transceiver.sender)


async def test_an_offer_is_associated_with_the_transceiver_of_add_track(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        peers.alice.add_track(local_track())
        by_kind = peers.bob.add_transceiver(local_track())
        by_track = peers.bob.add_track(local_track())
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        assert by_kind.mid is None
        assert [each.mid for each in peers.bob.get_transceivers()] == [None, "0"]
        assert peers.bob.get_transceivers()[1].sender is by_track


async def test_a_track_is_announced_in_its_streams(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        track, one, two = local_track(), MediaStream(), MediaStream()
        peers.alice.add_track(track, one, two, one)
        events = recorded_tracks(peers.bob)
        streams: list[MediaStream] = []
        peers.bob.on_add_stream = lambda event: streams.append(event.stream)
        await negotiate(peers.alice, peers.bob)
        (event,) = events
        assert event.target is peers.bob
        assert event.transceiver is only(peers.bob.get_transceivers())
        assert event.receiver is event.transceiver.receiver
        assert event.track is event.receiver.track
        assert event.track.id == track.id
        assert [stream.id for stream in event.streams] == [one.id, two.id]
        assert all(stream.get_tracks() == [event.track] for stream in event.streams)
        assert streams == list(event.streams) == peers.bob.get_remote_streams()


async def offer_without_msid(peers: Peers, *, kept: str = "") -> None:
    """Set Alice's offer, without its ``msid`` lines, as the remote description of Bob."""
    await peers.alice.set_local_description()
    lines = description_of(peers.alice).sdp.splitlines(keepends=True)
    offer = "".join(line for line in lines if " msid:" not in line and not line.startswith("a=msid:"))
    await peers.bob.set_remote_description(
        {"type": "offer", "sdp": offer.replace("a=rtcp-rsize", f"{kept}a=rtcp-rsize")}
    )
    await peers.bob.set_local_description()
    await peers.alice.set_remote_description(description_of(peers.bob))


async def test_a_track_without_msid_gets_its_own_stream(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        for kind in ("audio", "video"):
            peers.alice.add_track(local_track(kind), MediaStream())
        events = recorded_tracks(peers.bob)
        await offer_without_msid(peers)
        streams = [stream for event in events for stream in event.streams]
        assert [stream.get_tracks() for stream in streams] == [[event.track] for event in events]
        assert len({stream.id for stream in streams}) == len(events) == 2
        assert peers.bob.get_remote_streams() == streams
        # The next offer has no streams either: nothing has changed.
        await offer_without_msid(peers)
        assert len(events) == 2
        assert peers.bob.get_remote_streams() == streams


async def test_a_track_with_msid_but_without_stream(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        peers.alice.add_track(local_track(), MediaStream())
        events = recorded_tracks(peers.bob)
        await offer_without_msid(peers, kept="a=msid:-\r\n")
        assert [event.streams for event in events] == [()]
        assert peers.bob.get_remote_streams() == []


async def test_the_order_of_events_of_a_description(autojump_clock: Clock) -> None:
    """W3C webrtc section 4.4.1.5: the state, mute, removetrack, addtrack, track, and then the method returns."""
    async with media_peers() as peers:
        order: list[str] = []
        stream, other = MediaStream(), MediaStream()
        source, track = open_media_track("audio")
        first = peers.alice.add_track(track, stream)
        receiver = (await connect_track(peers.alice, peers.bob)).receiver
        (remote,) = peers.bob.get_remote_streams()
        async with receiver.track.subscribe("unmute") as unmuted:
            await source.send(opus_frame(0))
            await unmuted.receive()

        def record(event: Event) -> None:
            order.append(event.type)

        peers.bob.add_event_listener("signaling_state_change", record)
        peers.bob.add_event_listener("track", record)
        receiver.track.on_mute = record
        remote.add_event_listener("remove_track", record)
        remote.add_event_listener("add_track", record)
        peers.alice.remove_track(first)
        peers.alice.add_track(local_track("video"), stream, other)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        order.append("returned")
        assert order == ["signaling_state_change", "mute", "remove_track", "add_track", "track", "returned"]


async def test_a_removed_track_is_muted_and_leaves_its_streams(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        sender = peers.alice.add_track(local_track(), MediaStream())
        event = await connect_track(peers.alice, peers.bob)
        (stream,) = event.streams
        removed: list[MediaStream] = []
        peers.bob.on_remove_stream = lambda event: removed.append(event.stream)
        peers.alice.remove_track(sender)
        await negotiate(peers.alice, peers.bob)
        assert stream.get_tracks() == []
        assert removed == [stream]
        assert peers.bob.get_remote_streams() == []
        assert event.track.muted
        assert event.track.ready_state == "live"
        assert event.transceiver.current_direction == "inactive"

        # The same transceiver sends again: another event with the same track and stream.
        events = recorded_tracks(peers.bob)
        only(peers.alice.get_transceivers()).direction = "sendrecv"
        await negotiate(peers.alice, peers.bob)
        assert [(each.track, each.streams) for each in events] == [(event.track, (stream,))]


async def test_one_track_event_each_time_the_peer_begins_to_send(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio", direction="recvonly")
        events = recorded_tracks(peers.bob)
        counts = []
        for direction in ("recvonly", "sendonly", "sendrecv", "inactive", "sendonly"):
            transceiver.direction = direction
            await negotiate(peers.alice, peers.bob)
            counts.append(len(events))
        assert counts == [0, 1, 1, 1, 2]


async def test_another_stream_fires_another_event(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        one, two = MediaStream(), MediaStream()
        sender = peers.alice.add_track(local_track(), one)
        events = recorded_tracks(peers.bob)
        await negotiate(peers.alice, peers.bob)
        sender.set_streams(one, two)
        await negotiate(peers.alice, peers.bob)
        sender.set_streams(two)
        await negotiate(peers.alice, peers.bob)
        assert [[stream.id for stream in event.streams] for event in events] == [[one.id], [one.id, two.id]]
        assert [stream.id for stream in peers.bob.get_remote_streams()] == [two.id]


async def test_an_answer_that_does_not_receive_removes_the_track(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        peers.alice.add_track(local_track(), MediaStream())
        events = recorded_tracks(peers.bob)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        (event,) = events
        event.transceiver.direction = "inactive"
        await peers.bob.set_local_description()
        assert event.streams[0].get_tracks() == []
        # Now the answer receives, so that the event is fired again.
        await peers.alice.set_remote_description(description_of(peers.bob))
        event.transceiver.direction = "recvonly"
        await negotiate(peers.bob, peers.alice)
        assert [each.track for each in events] == [event.track] * 2


async def test_a_stream_that_the_application_kept_is_reused(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        sender = peers.alice.add_track(local_track(), MediaStream())
        event = await connect_track(peers.alice, peers.bob)
        (kept,) = event.streams
        for streams in ((), (MediaStream(id=kept.id),)):
            sender.set_streams(*streams)
            await negotiate(peers.alice, peers.bob)
        assert peers.bob.get_remote_streams() == [kept]


async def test_tracks_with_the_same_id_are_distinct(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        # RFC 8830 section 2: the same track in the same stream twice would be an error.
        peers.alice.add_track(local_track(), MediaStream())
        peers.alice.add_track(local_track("video"), MediaStream())
        await peers.alice.set_local_description()
        sdp = description_of(peers.alice).sdp
        names = {sender.track.id for sender in peers.alice.get_senders() if sender.track is not None}
        for name in names:
            sdp = sdp.replace(name, "same")
        await peers.bob.set_remote_description({"type": "offer", "sdp": sdp})
        tracks = [track for stream in peers.bob.get_remote_streams() for track in stream.get_tracks()]
        assert [track.kind for track in tracks] == ["audio", "video"]
        assert {track.id for track in tracks} == {"same"}


async def test_a_track_of_two_senders_has_two_ids(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        track = local_track()
        for _ in range(2):
            peers.alice.add_transceiver(track)
        events = recorded_tracks(peers.bob)
        await negotiate(peers.alice, peers.bob)
        first, second = (event.track.id for event in events)
        assert first == track.id != second


async def test_the_id_of_the_first_track_is_signaled(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        track = local_track()
        free = peers.alice.add_transceiver("audio", direction="recvonly").sender
        assert peers.alice.add_track(track) is free
        await free.replace_track(local_track())
        events = recorded_tracks(peers.bob)
        await negotiate(peers.alice, peers.bob)
        assert [event.track.id for event in events] == [track.id]
        await negotiate(peers.alice, peers.bob)
        assert len(events) == 1


async def test_rollback_of_a_local_offer_removes_the_mid(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        await peers.alice.set_local_description()
        assert transceiver.mid == "0"
        assert transceiver.sender.transport is not None
        assert transceiver.receiver.get_parameters().codecs == ()
        await peers.alice.set_local_description({"type": "rollback"})
        assert transceiver.mid is None
        assert transceiver.sender.transport is None
        assert transceiver.receiver.transport is None
        assert transceiver.receiver.get_parameters().codecs == ()
        assert peers.alice.get_transceivers() == [transceiver]


async def test_rollback_of_a_remote_offer_removes_its_transceivers(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        peers.alice.add_track(local_track(), MediaStream())
        events = recorded_tracks(peers.bob)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        (event,) = events
        await peers.bob.set_remote_description({"type": "rollback"})
        assert peers.bob.get_transceivers() == []
        assert event.transceiver.current_direction == "stopped"
        assert event.streams[0].get_tracks() == []
        assert event.track.ready_state == "live"
        await trio.testing.wait_all_tasks_blocked()
        assert event.track.ready_state == "ended"


@pytest.mark.parametrize("ending", ["answer", "rollback"])
async def test_a_section_without_a_common_codec_has_a_transceiver_until_the_answer(
    ending: str, autojump_clock: Clock
) -> None:
    """The offer creates it, with a track event; the answer rejects the section (W3C webrtc section 4.4.1.5)."""
    async with media_peers() as peers:
        rejected = peers.alice.add_transceiver("audio")
        stream = MediaStream()
        rejected.sender.set_streams(stream)
        peers.alice.add_transceiver("video")
        await peers.alice.set_local_description()
        sdp = description_of(peers.alice).sdp
        audio, video = sdp.index("m=audio"), sdp.index("m=video")
        unknown = re.sub(r"(a=rtpmap:\d+ )[^/]+/", r"\1unknown/", sdp[audio:video])
        unknown = re.sub(r"SAVPF [\d ]+", "SAVPF 111", unknown)
        events = recorded_tracks(peers.bob)
        await peers.bob.set_remote_description({"type": "offer", "sdp": sdp[:audio] + unknown + sdp[video:]})
        assert [event.track.kind for event in events] == ["audio", "video"]
        assert [each.id for each in events[0].streams] == [stream.id]
        transceivers = peers.bob.get_transceivers()
        assert [event.transceiver for event in events] == transceivers
        assert [(each.mid, each.direction, each.current_direction) for each in transceivers] == [
            ("0", "recvonly", None),
            ("1", "recvonly", None),
        ]
        if ending == "rollback":
            await peers.bob.set_remote_description({"type": "rollback"})
            assert peers.bob.get_transceivers() == []
        else:
            await peers.bob.set_local_description()
            assert peers.bob.get_transceivers() == transceivers[1:]
            await peers.alice.set_remote_description(description_of(peers.bob))
            assert rejected.current_direction == "stopped"
        await trio.testing.wait_all_tasks_blocked()
        assert transceivers[0].current_direction == "stopped"
        assert transceivers[0].receiver.track.ready_state == "ended"


async def test_a_transceiver_used_by_add_track_survives_a_rollback(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        peers.alice.add_track(local_track())
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        sender = peers.bob.add_track(local_track())
        transceiver = only(peers.bob.get_transceivers())
        assert transceiver.sender is sender
        await peers.bob.set_remote_description({"type": "rollback"})
        assert peers.bob.get_transceivers() == [transceiver]
        assert (transceiver.mid, transceiver.direction) == (None, "sendrecv")
        # And it is associated with the section of the next offer.
        await peers.bob.set_remote_description(description_of(peers.alice))
        assert peers.bob.get_transceivers() == [transceiver]
        assert transceiver.mid == "0"


async def test_rollback_undoes_the_changes_of_an_offer(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        sender = peers.alice.add_track(local_track(), MediaStream())
        event = await connect_track(peers.alice, peers.bob)
        (stream,) = event.streams
        events = recorded_tracks(peers.bob)
        peers.alice.remove_track(sender)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        assert stream.get_tracks() == []
        await peers.bob.set_remote_description({"type": "rollback"})
        assert stream.get_tracks() == [event.track]
        assert [each.streams for each in events] == [(stream,)]
        assert event.transceiver.current_direction == "recvonly"


async def test_a_section_is_recycled_after_stopping(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        peers.alice.add_transceiver("audio")
        await connect_track(peers.alice, peers.bob)
        only(peers.alice.get_transceivers()).stop()
        await negotiate(peers.alice, peers.bob)
        new = peers.alice.add_transceiver("video")
        events = recorded_tracks(peers.bob)
        await negotiate(peers.alice, peers.bob)
        assert description_of(peers.alice).sdp.count("m=") == 1
        assert (new.mid, new.current_direction) == ("1", "sendonly")
        assert only(peers.bob.get_transceivers()) is events[0].transceiver


async def test_obsolete_streams(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        stream = MediaStream([local_track(), local_track("video")])
        peers.alice.add_stream(stream)
        peers.alice.add_stream(stream)
        assert peers.alice.get_local_streams() == [stream]
        assert peers.alice.get_stream_by_id(stream.id) is stream
        assert [sender.track for sender in peers.alice.get_senders()] == stream.get_tracks()
        await negotiate(peers.alice, peers.bob)
        (remote,) = peers.bob.get_remote_streams()
        assert peers.bob.get_stream_by_id(stream.id) is remote
        assert peers.bob.get_stream_by_id("nobody's") is None
        peers.alice.remove_stream(stream)
        assert peers.alice.get_local_streams() == []
        assert [sender.track for sender in peers.alice.get_senders()] == [None, None]


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ([], True, ["recvonly"]),
        ([], False, []),
        (["sendrecv"], True, ["sendrecv"]),
        (["recvonly"], True, ["recvonly"]),
        (["sendonly"], True, ["sendonly", "recvonly"]),
        (["sendrecv", "recvonly", "sendonly"], False, ["sendonly", "inactive", "sendonly"]),
    ],
)
async def test_obsolete_options_of_offers(
    before: list[str], wanted: bool, after: list[str], pc: RTCPeerConnection
) -> None:
    for direction in before:
        pc.add_transceiver("video", direction=direction)
    offer = await pc.create_offer(offer_to_receive_video=wanted)
    assert [each.direction for each in pc.get_transceivers()] == after
    assert offer.sdp.count("m=video") == len(after)
    await pc.create_offer(offer_to_receive_video=wanted)
    assert [each.direction for each in pc.get_transceivers()] == after
    assert "m=audio" in (await pc.create_offer(offer_to_receive_audio=True)).sdp
