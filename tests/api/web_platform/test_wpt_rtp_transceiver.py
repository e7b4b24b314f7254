"""Transceivers through offers, answers, stops, rollbacks and rejections (W3C webrtc section 5.4)."""

import pytest
import trio.testing

from tests.api.web_platform.negotiation import ROLLBACK, event_log, local_track, section
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import InvalidStateError, MediaStream, RTCTrackEvent

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_the_members_are_always_the_same_objects() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        sender, receiver, track = transceiver.sender, transceiver.receiver, transceiver.receiver.track
        await negotiate(peers.alice, peers.bob)
        transceiver.direction = "inactive"
        await negotiate(peers.alice, peers.bob)
        assert transceiver.sender is sender
        assert transceiver.receiver is receiver
        assert receiver.track is track
        with pytest.raises(AttributeError):
            transceiver.mid = "1"  # type: ignore[misc]


async def test_sections_are_added_behind_existing_ones() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        peers.alice.add_track(local_track("video"))
        await negotiate(peers.alice, peers.bob)
        peers.bob.add_transceiver("audio")
        await negotiate(peers.bob, peers.alice)
        for pc in (peers.alice, peers.bob):
            assert [each.receiver.track.kind for each in pc.get_transceivers()] == ["audio", "video", "audio"]
            assert [each.mid for each in pc.get_transceivers()] == ["0", "1", "2"]


async def test_mids_of_both_sides_do_not_collide() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        peers.bob.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        await negotiate(peers.bob, peers.alice)
        mids = [each.mid for each in peers.bob.get_transceivers()]
        assert sorted(mids, key=str) == ["0", "1"]


async def test_an_event_that_is_missed_is_not_repeated() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track(), MediaStream())
        events: list[RTCTrackEvent] = []
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        peers.bob.on_track = events.append
        await peers.bob.set_remote_description(description_of(peers.alice))
        assert events == []


async def test_a_transceiver_that_is_stopped_before_its_offer() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        transceiver.stop()
        await negotiate(peers.alice, peers.bob)
        assert "m=audio" not in description_of(peers.alice).sdp
        assert (transceiver.mid, transceiver.stopped) == (None, True)
        assert peers.alice.get_transceivers() == []


async def test_stopping_after_the_offer_rejects_in_the_next_one() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        peers.alice.get_transceivers()[0].stop()
        await peers.alice.set_local_description()
        assert section(peers.alice.local_description, 0).startswith("m=audio 0 ")
        (theirs,) = peers.bob.get_transceivers()
        log = event_log(theirs.receiver.track, "ended")
        await peers.bob.set_remote_description(description_of(peers.alice))
        assert theirs.stopped
        await trio.testing.wait_all_tasks_blocked()
        assert log == ["ended"]
        with pytest.raises(InvalidStateError):
            theirs.direction = "sendrecv"
        await peers.bob.set_local_description()
        assert section(peers.bob.local_description, 0).startswith("m=audio 0 ")


async def test_a_recycled_section_has_another_mid() -> None:
    async with two_peers() as peers:
        stopped = peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        stopped.stop()
        await negotiate(peers.alice, peers.bob)
        new = peers.bob.add_transceiver("video")
        await negotiate(peers.bob, peers.alice)
        assert section(peers.alice.remote_description, 0).startswith("m=video ")
        assert peers.alice.remote_description is not None
        assert peers.alice.remote_description.sdp.count("\r\nm=") == 1
        assert new.mid not in (None, "0")


async def test_a_section_is_recycled_for_another_kind_by_the_other_side() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        peers.alice.add_transceiver("video")
        await negotiate(peers.alice, peers.bob)
        peers.bob.get_transceivers()[0].stop()
        await negotiate(peers.bob, peers.alice)
        assert [each.mid for each in peers.alice.get_transceivers()] == ["1"]
        peers.alice.add_transceiver("video")
        await negotiate(peers.alice, peers.bob)
        kinds = [section(peers.bob.local_description, index).split()[0] for index in range(2)]
        assert kinds == ["m=video", "m=video"]
        assert len(peers.bob.get_transceivers()) == 2


@pytest.mark.parametrize("direction", ["sendrecv", "inactive"])
async def test_a_rollback_keeps_a_transceiver_that_add_track_has_used(direction: str) -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio", direction=direction)
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        sender = peers.bob.add_track(local_track())
        peers.bob.remove_track(sender)
        await peers.bob.set_remote_description(ROLLBACK)
        # A track was added, although it was removed again (RFC 9429 section 4.1.10.2).
        (kept,) = peers.bob.get_transceivers()
        assert kept.sender is sender
        assert kept.mid is None


async def test_a_rollback_removes_one_whose_track_was_set_by_replace_track() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        (transceiver,) = peers.bob.get_transceivers()
        await transceiver.sender.replace_track(local_track())
        await peers.bob.set_remote_description(ROLLBACK)
        assert peers.bob.get_transceivers() == []
        assert transceiver.stopped


async def test_a_removed_track_is_offered_without_sending() -> None:
    async with two_peers() as peers:
        sender = peers.alice.add_track(local_track())
        await negotiate(peers.alice, peers.bob)
        peers.alice.remove_track(sender)
        await peers.alice.set_local_description()
        assert "a=recvonly\r\n" in section(peers.alice.local_description, 0)
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        (mine,) = peers.alice.get_transceivers()
        assert (mine.direction, mine.current_direction) == ("recvonly", "inactive")


async def test_closing_stops_all() -> None:
    async with two_peers() as peers:
        made = [peers.alice.add_transceiver("audio"), peers.alice.add_transceiver("video")]
        await negotiate(peers.alice, peers.bob)
        peers.alice.close()
        assert all(each.stopped for each in made)
        with pytest.raises(InvalidStateError):
            made[0].stop()
        with pytest.raises(InvalidStateError):
            made[0].direction = "sendrecv"


@pytest.mark.parametrize(
    ("way", "pairs"),
    [
        ("add_track", True),
        ("add_transceiver then add_track", True),
        ("add_track then replace_track(None)", True),
        ("add_transceiver(kind)", False),
        ("add_transceiver(track)", False),
        ("add_transceiver then replace_track", False),
    ],
)
async def test_which_transceivers_are_associated_with_an_offer(way: str, pairs: bool) -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        track = local_track()
        if way.startswith("add_track"):
            sender = peers.bob.add_track(track)
            if "replace" in way:
                await sender.replace_track(None)
        else:
            made = peers.bob.add_transceiver(track if way.endswith("(track)") else "audio")
            if way.endswith("add_track"):
                assert peers.bob.add_track(track) is made.sender
            elif way.endswith("replace_track"):
                await made.sender.replace_track(track)
        (own,) = peers.bob.get_transceivers()
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        assert (own.mid is not None) is pairs
        assert len(peers.bob.get_transceivers()) == (1 if pairs else 2)


async def test_a_track_that_is_removed_and_added_again_has_a_new_sender() -> None:
    async with two_peers() as peers:
        track = local_track()
        first = peers.alice.add_track(track)
        await negotiate(peers.alice, peers.bob)
        peers.alice.remove_track(first)
        second = peers.alice.add_track(track)
        assert second is not first
        await negotiate(peers.alice, peers.bob)
        assert [each.current_direction for each in peers.alice.get_transceivers()] == ["inactive", "sendonly"]


@pytest.mark.parametrize("stopped_after", ["offer", "answer"])
async def test_the_answerer_stops_and_offers_again(stopped_after: str) -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        (theirs,) = peers.bob.get_transceivers()
        if stopped_after == "offer":
            theirs.stop()
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        if stopped_after == "answer":
            theirs.stop()
        (mine,) = peers.alice.get_transceivers()
        assert not mine.stopped
        await negotiate(peers.bob, peers.alice)
        assert mine.stopped
        assert theirs.stopped
        assert (peers.alice.get_transceivers(), peers.bob.get_transceivers()) == ([], [])


async def test_an_offer_of_another_kind_after_a_rollback() -> None:
    async with two_peers() as peers:
        own = peers.bob.add_track(local_track())
        peers.alice.add_track(local_track("video"))
        await peers.bob.set_local_description()
        (mine,) = peers.bob.get_transceivers()
        assert mine.mid == "0"
        await peers.bob.set_local_description(ROLLBACK)
        await peers.bob.set_remote_description(await peers.alice.create_offer())
        kinds = {each.receiver.track.kind: each.mid for each in peers.bob.get_transceivers()}
        assert kinds == {"audio": None, "video": "0"}
        assert mine.sender is own


async def test_glare_associates_the_rolled_back_transceiver() -> None:
    async with two_peers() as peers:
        for pc in (peers.alice, peers.bob):
            pc.add_track(local_track())
            await pc.set_local_description()
        (mine,) = peers.bob.get_transceivers()
        await peers.bob.set_remote_description(description_of(peers.alice))
        assert peers.bob.get_transceivers() == [mine]
        assert mine.mid == "0"
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert mine.current_direction == "sendrecv"


async def test_a_stream_may_have_a_braced_id() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track(), MediaStream(id="{stream-id}"))
        events: list[RTCTrackEvent] = []
        peers.bob.on_track = events.append
        await negotiate(peers.alice, peers.bob)
        assert [stream.id for stream in events[0].streams] == ["{stream-id}"]
