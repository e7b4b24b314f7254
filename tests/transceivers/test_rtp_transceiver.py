"""RTCRtpTransceiver (W3C webrtc section 5.4)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from tests.strategies.media import connect_track, media_peers, only
from tests.strategies.peers import Peers, description_of, negotiate
from trio_rtc import (
    Event,
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


def audio_codecs(name: str) -> list[RTCRtpCodec]:
    capabilities = RTCRtpSender.get_capabilities("audio")
    assert capabilities is not None
    return [each for each in capabilities.codecs if each.name == name]


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
        assert stopped.mid == "0"
        assert one.get_transceivers() == [stopped]

        await one.set_local_description()
        await other.set_remote_description(description_of(one))
        # The peer's set keeps it until its answer is set.
        assert lost.current_direction == "stopped"
        assert lost.mid is None
        # The track ends in a task of its own (W3C mediacapture-main section 4.3.1).
        assert lost.receiver.track.ready_state == "live"
        await trio.testing.wait_all_tasks_blocked()
        assert lost.receiver.track.ready_state == "ended"
        assert (other.get_transceivers(), other.get_senders()) == ([lost], [])
        await other.set_local_description()
        await one.set_remote_description(description_of(other))
        assert (one.get_transceivers(), other.get_transceivers()) == ([], [])
        assert stopped.current_direction == "stopped"
        assert stopped.mid is None
        with pytest.raises(InvalidStateError):
            await stopped.sender.replace_track(local_track())
        one.remove_track(stopped.sender)


async def test_a_rejecting_answer_stops_the_transceiver(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        mine = peers.alice.add_transceiver("audio")
        mine.set_codec_preferences(audio_codecs("PCMU"))
        peers.alice.add_transceiver("video")
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        peers.bob.get_transceivers()[0].set_codec_preferences(audio_codecs("opus"))
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert mine.current_direction == "stopped"
        assert [each.mid for each in peers.alice.get_transceivers()] == ["1"]
        assert [each.mid for each in peers.bob.get_transceivers()] == ["1"]


@pytest.mark.parametrize("when", ["before the offer", "before the answer"])
async def test_a_transceiver_stopped_by_the_answerer_is_answered_inactive(
    when: str, autojump_clock: Clock
) -> None:
    """Only an offer removes the section, and negotiation_needed asks for it (W3C webrtc section 5.4)."""
    async with media_peers() as peers:
        peers.alice.add_track(local_track(), MediaStream())
        await connect_track(peers.alice, peers.bob)
        stopped, theirs = only(peers.bob.get_transceivers()), only(peers.alice.get_transceivers())
        await peers.alice.set_local_description()
        if when == "before the offer":
            stopped.stop()
        await peers.bob.set_remote_description(description_of(peers.alice))
        if when == "before the answer":
            stopped.stop()
        async with counted_needs(peers.bob) as needs:
            await peers.bob.set_local_description()
        answer = description_of(peers.bob).sdp
        assert "a=inactive" in answer
        assert "m=audio 0 " not in answer
        assert needs == ["negotiation_needed"]
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert (stopped.direction, stopped.current_direction) == ("stopped", "inactive")
        assert (theirs.direction, theirs.current_direction) == ("sendrecv", "inactive")
        assert stopped.mid == theirs.mid == "0"
        await negotiate(peers.bob, peers.alice)
        assert stopped.current_direction == theirs.current_direction == "stopped"
        assert peers.alice.get_transceivers() == peers.bob.get_transceivers() == []


async def test_stop_ends_the_received_track_in_a_queued_task(autojump_clock: Clock) -> None:
    async with media_peers() as peers:
        track = peers.alice.add_transceiver("audio")
        track.stop()
        assert track.receiver.track.ready_state == "live"
        await trio.testing.wait_all_tasks_blocked()
        assert track.receiver.track.ready_state == "ended"


async def test_a_track_whose_end_is_queued_ends_although_the_connection_is_closed(
    autojump_clock: Clock,
) -> None:
    async with media_peers() as peers:
        rejected = peers.alice.add_transceiver("audio")
        rejected.set_codec_preferences(audio_codecs("PCMU"))
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        only(peers.bob.get_transceivers()).set_codec_preferences(audio_codecs("opus"))
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert peers.alice.get_transceivers() == []
        peers.alice.close()
        assert rejected.receiver.track.ready_state == "live"
        await trio.testing.wait_all_tasks_blocked()
        assert rejected.receiver.track.ready_state == "ended"


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
