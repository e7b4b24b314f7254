"""RTCRtpTransceiver, and the effect of descriptions on transceivers (W3C webrtc sections 4.4.1.5, 4.7.3, 5.1, 5.4)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from tests.strategies.media import connect_track, media_peers, only, opus_frame
from tests.strategies.peers import Peers, description_of, negotiate
from trio_rtc import (
    Event,
    InvalidAccessError,
    InvalidModificationError,
    InvalidStateError,
    MediaStream,
    MediaStreamTrack,
    OperationError,
    OpusParameters,
    RTCPeerConnection,
    RTCRtpCodec,
    RTCRtpEncodingParameters,
    RTCRtpSender,
    RTCTrackEvent,
    Settings,
    open_media_track,
)

Clock = trio.testing.MockClock


@pytest.fixture
async def pc() -> AsyncIterator[RTCPeerConnection]:
    """A connection without a network."""
    connection = RTCPeerConnection()
    yield connection
    connection.close()


def local_track(kind: str = "audio") -> MediaStreamTrack:
    return open_media_track(kind)[1]


@asynccontextmanager
async def counted_needs(peer: RTCPeerConnection) -> AsyncIterator[list[str]]:
    """Count the negotiationneeded events until shortly after the block."""
    needs: list[str] = []

    def record(event: Event) -> None:
        needs.append(event.type)

    peer.add_event_listener("negotiation_needed", record)
    yield needs
    await trio.sleep(0.1)
    peer.remove_event_listener("negotiation_needed", record)


def recorded_tracks(peer: RTCPeerConnection) -> list[RTCTrackEvent]:
    events: list[RTCTrackEvent] = []
    peer.add_event_listener("track", events.append)
    return events


# -- add_transceiver ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_a_new_transceiver(kind: str, pc: RTCPeerConnection) -> None:
    transceiver = pc.add_transceiver(kind)
    assert (transceiver.mid, transceiver.direction, transceiver.current_direction) == (None, "sendrecv", None)
    assert not transceiver.stopped
    assert transceiver.sender.track is None
    track = transceiver.receiver.track
    assert (track.kind, track.muted, track.ready_state, track.enabled) == (kind, True, "live", True)
    assert pc.get_transceivers() == [transceiver]
    assert pc.get_senders() == [transceiver.sender]
    assert pc.get_receivers() == [transceiver.receiver]


async def test_a_new_transceiver_for_a_track(pc: RTCPeerConnection) -> None:
    track = local_track("video")
    transceiver = pc.add_transceiver(track, direction="sendonly")
    assert transceiver.sender.track is track
    assert transceiver.receiver.track.kind == "video"
    assert transceiver.receiver.track.id != track.id
    # addTransceiver never reuses a transceiver, and does not check whether the track is already sent.
    assert pc.add_transceiver(track) is not transceiver


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("data", {}, TypeError),
        ("audio", {"direction": "both"}, TypeError),
        ("audio", {"direction": "stopped"}, TypeError),
        (
            "video",
            {"send_encodings": [RTCRtpEncodingParameters("a"), RTCRtpEncodingParameters("a")]},
            TypeError,
        ),
        ("video", {"send_encodings": [RTCRtpEncodingParameters("a"), RTCRtpEncodingParameters()]}, TypeError),
        ("video", {"send_encodings": [RTCRtpEncodingParameters("a-b")]}, TypeError),
        ("video", {"send_encodings": [RTCRtpEncodingParameters("")]}, TypeError),
        ("video", {"send_encodings": [RTCRtpEncodingParameters("a" * 256)]}, TypeError),
        ("video", {"send_encodings": [RTCRtpEncodingParameters(scale_resolution_down_by=0.5)]}, ValueError),
        ("video", {"send_encodings": [RTCRtpEncodingParameters(max_framerate=-1)]}, ValueError),
        (
            "video",
            {"send_encodings": [RTCRtpEncodingParameters(codec=RTCRtpCodec("video/none", 90000))]},
            OperationError,
        ),
    ],
)
async def test_invalid_arguments(
    kind: str, options: dict[str, object], error: type[Exception], pc: RTCPeerConnection
) -> None:
    with pytest.raises(error):
        pc.add_transceiver(kind, **options)  # type: ignore[arg-type]
    assert pc.get_transceivers() == []


async def test_encodings_have_defaults(pc: RTCPeerConnection) -> None:
    layers = [RTCRtpEncodingParameters(rid) for rid in "qhfx"]
    video = pc.add_transceiver("video", send_encodings=layers).sender.get_parameters().encodings
    assert [(each.rid, each.scale_resolution_down_by) for each in video] == [("q", 4), ("h", 2), ("f", 1)]

    layers = [RTCRtpEncodingParameters("a"), RTCRtpEncodingParameters("b", scale_resolution_down_by=3)]
    video = pc.add_transceiver("video", send_encodings=layers).sender.get_parameters().encodings
    assert [each.scale_resolution_down_by for each in video] == [1, 3]

    layers = [RTCRtpEncodingParameters("only", max_bitrate=50_000)]
    (one,) = pc.add_transceiver("video", send_encodings=layers).sender.get_parameters().encodings
    assert one == RTCRtpEncodingParameters(None, max_bitrate=50_000, scale_resolution_down_by=1.0)

    layers = [RTCRtpEncodingParameters(scale_resolution_down_by=0.1, max_framerate=-3)]
    (one,) = pc.add_transceiver("audio", send_encodings=layers).sender.get_parameters().encodings
    assert one == RTCRtpEncodingParameters()


async def test_a_closed_connection_rejects(pc: RTCPeerConnection) -> None:
    transceiver = pc.add_transceiver("audio")
    pc.close()
    for refused in (
        lambda: pc.add_transceiver("audio"),
        lambda: pc.add_track(local_track()),
        lambda: pc.remove_track(transceiver.sender),
        transceiver.sender.set_streams,
        transceiver.stop,
    ):
        with pytest.raises(InvalidStateError):
            refused()
    with pytest.raises(InvalidStateError):
        transceiver.direction = "recvonly"
    with pytest.raises(InvalidStateError):
        await transceiver.sender.replace_track(None)
    with pytest.raises(InvalidStateError):
        await transceiver.sender.set_parameters(transceiver.sender.get_parameters())


async def test_close_stops_and_keeps_transceivers(pc: RTCPeerConnection) -> None:
    transceiver = pc.add_transceiver("audio")
    ended: list[Event] = []
    transceiver.receiver.track.on_ended = ended.append
    pc.close()
    assert pc.get_transceivers() == [transceiver]
    assert (pc.get_senders(), pc.get_receivers()) == ([], [])
    assert (transceiver.direction, transceiver.current_direction) == ("stopped", "stopped")
    # W3C webrtc section 4.4.1.10: the connection fires no more events; its tracks end in a task.
    assert (transceiver.receiver.track.ready_state, ended) == ("live", [])
    await trio.testing.wait_all_tasks_blocked()
    assert transceiver.receiver.track.ready_state == "ended"
    assert [event.target for event in ended] == [transceiver.receiver.track]


# -- direction ---------------------------------------------------------------------------------------------------


async def test_the_direction_is_a_preference(pc: RTCPeerConnection) -> None:
    transceiver = pc.add_transceiver("audio")
    for direction in ("recvonly", "sendonly", "inactive", "sendrecv"):
        transceiver.direction = direction
        assert transceiver.direction == direction
        assert transceiver.current_direction is None
    with pytest.raises(TypeError):
        transceiver.direction = "stopped"
    with pytest.raises(TypeError):
        transceiver.direction = "upwards"
    transceiver.stop()
    with pytest.raises(InvalidStateError):
        transceiver.direction = "sendrecv"


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendrecv", "recvonly", "sendonly"),
        ("sendrecv", "sendonly", "recvonly"),
        ("sendonly", "sendrecv", "sendonly"),
        ("recvonly", "sendrecv", "recvonly"),
        ("sendonly", "sendonly", "inactive"),
        ("inactive", "sendrecv", "inactive"),
    ],
)
async def test_directions_are_negotiated(ours: str, theirs: str, agreed: str, autojump_clock: Clock) -> None:
    opposite = {"sendonly": "recvonly", "recvonly": "sendonly"}
    async with media_peers() as peers:
        mine = peers.alice.add_transceiver("video", direction=ours)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        yours = only(peers.bob.get_transceivers())
        assert (yours.mid, yours.direction, yours.current_direction) == (mine.mid, "recvonly", None)
        yours.direction = theirs
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert mine.current_direction == agreed
        assert yours.current_direction == opposite.get(agreed, agreed)
        assert (mine.direction, yours.direction) == (ours, theirs)


# -- add_track, remove_track -------------------------------------------------------------------------------------


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


# -- remote tracks -----------------------------------------------------------------------------------------------


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
        stream = MediaStream()
        peers.alice.add_track(local_track(), stream)
        peers.alice.add_track(local_track("video"), stream)
        await peers.alice.set_local_description()
        sdp = description_of(peers.alice).sdp
        names = {sender.track.id for sender in peers.alice.get_senders() if sender.track is not None}
        for name in names:
            sdp = sdp.replace(name, "same")
        await peers.bob.set_remote_description({"type": "offer", "sdp": sdp})
        (remote,) = peers.bob.get_remote_streams()
        assert [track.kind for track in remote.get_tracks()] == ["audio", "video"]
        assert {track.id for track in remote.get_tracks()} == {"same"}


# -- rollback ----------------------------------------------------------------------------------------------------


async def test_rollback_of_a_local_offer_removes_the_mid(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        await peers.alice.set_local_description()
        assert transceiver.mid == "0"
        assert transceiver.sender.transport is not None
        assert transceiver.receiver.get_parameters().codecs
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
        assert event.track.ready_state == "ended"
        assert event.streams[0].get_tracks() == []


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


# -- stop ----------------------------------------------------------------------------------------------------------


async def test_a_transceiver_that_was_never_negotiated_stops_at_once(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        stopped = peers.alice.add_transceiver("audio")
        stopped.stop()
        stopped.stop()
        assert (stopped.direction, stopped.current_direction) == ("stopped", None)
        await trio.testing.wait_all_tasks_blocked()
        assert stopped.receiver.track.ready_state == "ended"
        kept = peers.alice.add_transceiver("video")
        await negotiate(peers.alice, peers.bob)
        assert peers.alice.get_transceivers() == [kept]
        assert kept.mid == "0"
        assert stopped.current_direction == "stopped"


@pytest.mark.parametrize("who", ["offerer", "answerer"])
async def test_stopping_is_negotiated(who: str, autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        peers.alice.add_track(local_track(), MediaStream())
        await connect_track(peers.alice, peers.bob)
        one, other = (peers.alice, peers.bob) if who == "offerer" else (peers.bob, peers.alice)
        stopped, lost = only(one.get_transceivers()), only(other.get_transceivers())
        async with counted_needs(one) as needs:
            stopped.stop()
        assert needs == ["negotiation_needed"]
        assert stopped.direction == "stopped"
        assert stopped.current_direction == ("sendonly" if who == "offerer" else "recvonly")
        assert one.get_transceivers() == [stopped]

        await one.set_local_description()
        await other.set_remote_description(description_of(one))
        # The peer's set keeps it until its answer is set.
        assert lost.current_direction == "stopped"
        assert lost.receiver.track.ready_state == "ended"
        assert (other.get_transceivers(), other.get_senders()) == ([lost], [])
        await other.set_local_description()
        await one.set_remote_description(description_of(other))
        assert (one.get_transceivers(), other.get_transceivers()) == ([], [])
        assert stopped.current_direction == "stopped"
        with pytest.raises(InvalidStateError):
            await stopped.sender.replace_track(local_track())
        one.remove_track(stopped.sender)


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


async def test_a_rejecting_answer_stops_the_transceiver(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        mine = peers.alice.add_transceiver("audio")
        peers.alice.add_transceiver("video")
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        peers.bob.get_transceivers()[0].stop()
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert mine.current_direction == "stopped"
        assert [each.mid for each in peers.alice.get_transceivers()] == ["1"]
        assert [each.mid for each in peers.bob.get_transceivers()] == ["1"]


# -- negotiation needed ----------------------------------------------------------------------------------------------


async def test_changes_that_need_negotiation(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        stream = MediaStream()
        async with counted_needs(peers.alice) as needs:
            sender = peers.alice.add_track(local_track(), stream)
        assert len(needs) == 1
        await negotiate(peers.alice, peers.bob)
        transceiver = only(peers.alice.get_transceivers())

        async with counted_needs(peers.alice) as needs:
            transceiver.direction = "sendrecv"
            sender.set_streams(stream)
            transceiver.set_codec_preferences([])
            await sender.replace_track(None)
            await sender.replace_track(local_track())
            await sender.set_parameters(sender.get_parameters())
        assert needs == []

        async with counted_needs(peers.alice) as needs:
            sender.set_streams(MediaStream())
        assert len(needs) == 1
        async with counted_needs(peers.alice) as needs:
            sender.set_streams(stream)
        assert needs == []
        async with counted_needs(peers.alice) as needs:
            peers.alice.remove_track(sender)
        assert len(needs) == 1

        # The answerer has what it requested and needs nothing; further changes do.
        answering = only(peers.bob.get_transceivers())
        async with counted_needs(peers.bob) as needs:
            answering.direction = "inactive"
            answering.direction = "recvonly"
        assert needs == []
        async with counted_needs(peers.bob) as needs:
            peers.bob.add_track(local_track())
        assert len(needs) == 1


# -- codec preferences -----------------------------------------------------------------------------------------------


async def test_codec_preferences(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        transceiver = peers.alice.add_transceiver("video")
        capabilities = RTCRtpSender.get_capabilities("video")
        assert capabilities is not None
        wanted = [codec for codec in capabilities.codecs if codec.name in ("VP9", "VP8")][::-1]
        transceiver.set_codec_preferences([*wanted, wanted[0]])
        await connect_track(peers.alice, peers.bob)
        assert [codec.name for codec in transceiver.sender.get_parameters().codecs] == ["VP9", "VP8"]
        transceiver.set_codec_preferences([])
        await negotiate(peers.alice, peers.bob)
        assert len(transceiver.sender.get_parameters().codecs) > 2


@pytest.mark.parametrize(
    "codecs",
    [
        [RTCRtpCodec("video/VP8", 90000)],
        [RTCRtpCodec("audio/none", 8000)],
        [RTCRtpCodec("audio/opus", 8000, 2)],
        [RTCRtpCodec("audio/opus", 48000, 2, "minptime=3")],
        [RTCRtpCodec("audio/telephone-event", 8000, None, "0-15")],
    ],
)
async def test_codecs_that_cannot_be_preferred(codecs: list[RTCRtpCodec], pc: RTCPeerConnection) -> None:
    transceiver = pc.add_transceiver("audio")
    with pytest.raises(InvalidModificationError):
        transceiver.set_codec_preferences(codecs)


async def test_codec_names_are_case_insensitive(pc: RTCPeerConnection) -> None:
    pc.add_transceiver("audio").set_codec_preferences([RTCRtpCodec("AUDIO/pcmu", 8000, 1)])


# -- simulcast ---------------------------------------------------------------------------------------------------------


def simulcast_offer(sdp: str, rids: str) -> str:
    """Return an offer of one video section that requests layers."""
    lines = "".join(f"a=rid:{rid} recv\r\n" for rid in rids.split(";"))
    return f"{sdp}{lines}a=simulcast:recv {rids}\r\n"


async def test_a_peer_requests_layers(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        peers.alice.add_transceiver("video", direction="recvonly")
        sender = peers.bob.add_track(local_track("video"))
        await peers.alice.set_local_description()
        offer = simulcast_offer(description_of(peers.alice).sdp, "lo;mid;hi;xl")
        await peers.bob.set_remote_description({"type": "offer", "sdp": offer})
        layers = sender.get_parameters().encodings
        assert [(each.rid, each.scale_resolution_down_by) for each in layers] == [
            ("lo", 4.0),
            ("mid", 2.0),
            ("hi", 1.0),
        ]
        await peers.bob.set_remote_description({"type": "rollback"})
        assert [each.rid for each in sender.get_parameters().encodings] == [None]
        await peers.bob.set_remote_description({"type": "offer", "sdp": offer})
        await peers.bob.set_local_description()
        assert "a=simulcast:send lo;mid;hi" in description_of(peers.bob).sdp
        assert [each.rid for each in sender.get_parameters().encodings] == ["lo", "mid", "hi"]


async def test_layers_missing_in_the_answer_are_removed(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        layers = [RTCRtpEncodingParameters(rid) for rid in "abc"]
        transceiver = peers.alice.add_transceiver(local_track("video"), send_encodings=layers)
        before = transceiver.sender.get_parameters()
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        answer = description_of(peers.bob).sdp.replace("a=rid:a recv\r\n", "")
        answer = answer.replace("a=simulcast:recv a;b;c", "a=simulcast:recv b;c")
        await peers.alice.set_remote_description({"type": "answer", "sdp": answer})
        assert [each.rid for each in transceiver.sender.get_parameters().encodings] == ["b", "c"]
        with pytest.raises(InvalidModificationError):
            await transceiver.sender.set_parameters(before)


async def test_a_peer_without_simulcast_gets_one_layer(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        layers = [RTCRtpEncodingParameters(rid) for rid in "abc"]
        transceiver = peers.alice.add_transceiver(local_track("video"), send_encodings=layers)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        lines = description_of(peers.bob).sdp.splitlines(keepends=True)
        answer = "".join(line for line in lines if not line.startswith(("a=rid:", "a=simulcast:")))
        await peers.alice.set_remote_description({"type": "answer", "sdp": answer})
        (one,) = transceiver.sender.get_parameters().encodings
        assert one.rid is None


# -- header extensions -------------------------------------------------------------------------------------------------

AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"


async def test_header_extensions_can_be_left_out(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        extensions = transceiver.get_header_extensions_to_negotiate()
        assert {each.direction for each in extensions} == {"sendrecv"}
        assert {each.direction for each in transceiver.get_negotiated_header_extensions()} == {"stopped"}
        chosen = [each if each.uri != AUDIO_LEVEL else type(each)(each.uri, "stopped") for each in extensions]  # type: ignore[arg-type]
        transceiver.set_header_extensions_to_negotiate(chosen)
        await negotiate(peers.alice, peers.bob)
        assert AUDIO_LEVEL not in description_of(peers.alice).sdp
        negotiated = {each.uri: each.direction for each in transceiver.get_negotiated_header_extensions()}
        assert negotiated[AUDIO_LEVEL] == "stopped"
        assert negotiated[MID] == "sendrecv"


async def test_header_extensions_that_cannot_be_chosen(pc: RTCPeerConnection) -> None:
    transceiver = pc.add_transceiver("video")
    extensions = transceiver.get_header_extensions_to_negotiate()
    capability = type(extensions[0])
    for wrong in (
        extensions[1:],
        extensions[::-1],
        [*extensions, capability("urn:new")],
        [capability(each.uri, "stopped" if each.uri == MID else each.direction) for each in extensions],  # type: ignore[arg-type]
    ):
        with pytest.raises(InvalidModificationError):
            transceiver.set_header_extensions_to_negotiate(wrong)
    with pytest.raises(TypeError):
        transceiver.set_header_extensions_to_negotiate(
            [capability(each.uri, "sideways") for each in extensions]  # type: ignore[arg-type]
        )
    assert transceiver.get_header_extensions_to_negotiate() == extensions


# -- obsolete ----------------------------------------------------------------------------------------------------------


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


async def test_a_handler_may_close_the_connection(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        peers.alice.add_track(local_track())
        peers.alice.add_track(local_track("video"))
        events: list[RTCTrackEvent] = []

        def close(event: RTCTrackEvent) -> None:
            events.append(event)
            peers.bob.close()

        peers.bob.on_track = close
        await peers.alice.set_local_description()
        with pytest.raises(trio.ClosedResourceError):
            await peers.bob.set_remote_description(description_of(peers.alice))
        assert len(events) == 1


async def test_asynchronous_handlers_run_concurrently(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        peers.alice.add_track(local_track())
        answered = trio.Event()

        async def answer(event: RTCTrackEvent) -> None:
            await trio.sleep(1)
            peers.bob.add_track(local_track())
            answered.set()

        peers.bob.on_track = answer
        await negotiate(peers.alice, peers.bob)
        assert not answered.is_set()
        await answered.wait()
        await negotiate(peers.bob, peers.alice)
        assert only(peers.alice.get_transceivers()).current_direction == "sendrecv"


def states(peers: Peers) -> list[list[str | None]]:
    return [[each.current_direction for each in peer.get_transceivers()] for peer in (peers.alice, peers.bob)]


async def test_perfect_negotiation_of_two_offers_at_once(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        peers.alice.add_track(local_track())
        peers.bob.add_track(local_track())
        await peers.alice.set_local_description()
        await peers.bob.set_local_description()
        # Bob is polite: his offer is rolled back, and his transceiver is associated with Alice's section.
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert states(peers) == [["sendrecv"], ["sendrecv"]]


# -- parameters of Opus --------------------------------------------------------------------------------------------


async def test_parameters_of_opus_are_those_of_the_settings_until_others_are_set() -> None:
    wanted, others = OpusParameters(stereo=True), OpusParameters(use_dtx=True)
    pc = RTCPeerConnection(settings=Settings(opus=wanted))
    transceiver = pc.add_transceiver("audio")
    assert transceiver.opus_parameters == wanted
    assert "stereo=1" in (await pc.create_offer()).sdp
    transceiver.set_opus_parameters(others)
    assert transceiver.opus_parameters == others
    assert "usedtx=1" in (await pc.create_offer()).sdp
    transceiver.set_opus_parameters(None)
    assert transceiver.opus_parameters == wanted
    pc.close()


async def test_opus_parameters_that_are_rejected(pc: RTCPeerConnection) -> None:
    with pytest.raises(InvalidModificationError, match="video"):
        pc.add_transceiver("video").set_opus_parameters(OpusParameters())
    with pytest.raises(TypeError, match="OpusParameters"):
        pc.add_transceiver("audio").set_opus_parameters({"stereo": True})  # type: ignore[arg-type]
    with pytest.raises(InvalidModificationError, match="set_opus_parameters"):
        pc.add_transceiver("audio").set_codec_preferences([RTCRtpCodec("audio/opus", 48000, 2, "stereo=1")])
    with pytest.raises(TypeError, match="opus"):
        Settings(opus="stereo")  # type: ignore[arg-type]
