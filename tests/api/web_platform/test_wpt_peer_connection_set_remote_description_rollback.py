"""Rolling back a remote offer: tracks, streams and transceivers (W3C webrtc section 4.4.1.5)."""

import pytest

from tests.api.web_platform.negotiation import (
    ROLLBACK,
    event_log,
    local_track,
    receiving_offer,
    signaling_log,
)
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import InvalidStateError, MediaStream, RTCTrackEvent

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("rollback", [ROLLBACK, {"type": "rollback", "sdp": "not SDP"}], ids=str)
async def test_the_first_offer_leaves_nothing(rollback: dict[str, str]) -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        await alice.set_remote_description(await receiving_offer(peers.bob, "audio"))
        await alice.set_remote_description(rollback)
        assert alice.remote_description is alice.pending_remote_description is None
        assert alice.get_transceivers() == []
        assert states == ["have-remote-offer", "stable"]


async def test_there_is_nothing_to_roll_back_in_stable() -> None:
    async with two_peers() as peers:
        with pytest.raises(InvalidStateError):
            await peers.alice.set_remote_description(ROLLBACK)


async def test_the_local_offer_is_not_rolled_back_as_a_remote_one() -> None:
    async with two_peers() as peers:
        await peers.alice.set_local_description()
        with pytest.raises(InvalidStateError):
            await peers.alice.set_remote_description(ROLLBACK)
        assert peers.alice.signaling_state == "have-local-offer"


async def test_a_new_track_leaves_its_stream_with_an_event() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track(), MediaStream())
        events: list[RTCTrackEvent] = []
        peers.bob.on_track = events.append
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        (event,) = events
        (stream,) = event.streams
        log = event_log(stream, "remove_track", "add_track")
        await peers.bob.set_remote_description(ROLLBACK)
        assert log == ["remove_track"]
        assert stream.get_tracks() == []
        assert event.transceiver.mid is None
        assert (peers.bob.get_receivers(), peers.bob.get_senders()) == ([], [])


async def test_the_next_offer_makes_a_new_transceiver() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        offer = await peers.alice.create_offer()
        await peers.bob.set_remote_description(offer)
        (lost,) = peers.bob.get_transceivers()
        await peers.bob.set_remote_description(ROLLBACK)
        await peers.bob.set_remote_description(offer)
        (new,) = peers.bob.get_transceivers()
        assert new is not lost
        assert (new.mid, lost.mid) == ("0", None)


async def test_a_transceiver_that_was_there_before_is_dissociated() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        peers.bob.add_track(local_track())
        (kept,) = peers.bob.get_transceivers()
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        assert kept.mid == "0"
        await peers.bob.set_remote_description(ROLLBACK)
        assert peers.bob.get_transceivers() == [kept]
        assert kept.direction == "sendrecv"
        assert kept.mid is None
        assert kept.sender.transport is None


@pytest.mark.parametrize("how", ["remove_track", "inactive"])
async def test_a_track_that_the_offer_removed_returns(how: str) -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_track(local_track(), MediaStream())
        events: list[RTCTrackEvent] = []
        peers.bob.on_track = events.append
        await negotiate(peers.alice, peers.bob)
        (stream,) = events[0].streams
        log = event_log(stream, "remove_track", "add_track")
        if how == "remove_track":
            peers.alice.remove_track(sender)
        else:
            peers.alice.get_transceivers()[0].direction = "inactive"
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        assert (log, stream.get_tracks()) == (["remove_track"], [])
        await peers.bob.set_remote_description(ROLLBACK)
        assert stream.get_tracks() == [events[0].track]
        assert log == ["remove_track", "add_track"]
        assert [event.track for event in events] == [events[0].track] * 2


async def test_a_direction_set_meanwhile_stays() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        (transceiver,) = peers.bob.get_transceivers()
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        transceiver.direction = "inactive"
        await peers.bob.set_remote_description(ROLLBACK)
        assert (transceiver.direction, transceiver.current_direction) == ("inactive", "recvonly")


async def test_a_section_that_the_offer_stopped_lives_on() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        await negotiate(peers.alice, peers.bob)
        peers.alice.add_transceiver("video")
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        assert [each.mid for each in peers.bob.get_transceivers()] == ["0", "1"]
        await peers.bob.set_remote_description(ROLLBACK)
        assert [each.mid for each in peers.bob.get_transceivers()] == ["0"]
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert [each.mid for each in peers.bob.get_transceivers()] == ["0", "1"]
