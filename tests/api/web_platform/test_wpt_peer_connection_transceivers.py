"""Transceivers of both peers through an exchange (W3C webrtc sections 4.4.1.5 and 5.4)."""

import pytest

from tests.api.web_platform.negotiation import ROLLBACK, local_track, section
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import MediaStream, RTCTrackEvent

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("with_stream", [False, True])
async def test_add_track_and_its_offer(with_stream: bool) -> None:
    async with two_peers() as peers:
        track, stream = local_track(), MediaStream()
        sender = peers.alice.add_track(track, *([stream] if with_stream else []))
        (transceiver,) = peers.alice.get_transceivers()
        assert (transceiver.direction, transceiver.current_direction) == ("sendrecv", None)
        await peers.alice.set_local_description()
        assert transceiver.sender is sender
        assert transceiver.mid is not None
        offered = section(description_of(peers.alice), 0)
        assert f"a=mid:{transceiver.mid}\r\n" in offered
        assert (f"a=msid:{stream.id}" in offered) is with_stream
        assert transceiver.current_direction is None


async def test_the_answerers_transceiver_has_the_same_mid() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        (mine,), (theirs,) = peers.alice.get_transceivers(), peers.bob.get_transceivers()
        assert theirs.mid == mine.mid
        assert (theirs.direction, theirs.current_direction) == ("recvonly", None)
        await peers.bob.set_local_description()
        assert (theirs.direction, theirs.current_direction) == ("recvonly", "recvonly")
        assert not mine.current_direction
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert (mine.direction, mine.current_direction) == ("sendrecv", "sendonly")


async def test_it_is_in_the_list_when_its_event_is_fired() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        seen: list[bool] = []

        def record(event: RTCTrackEvent) -> None:
            (transceiver,) = peers.bob.get_transceivers()
            seen.append(event.transceiver is transceiver)
            assert (transceiver.direction, transceiver.current_direction) == ("recvonly", None)
            assert transceiver.mid is not None

        peers.bob.on_track = record
        await negotiate(peers.alice, peers.bob)
        assert seen == [True]


async def test_media_in_both_directions_in_one_section() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        events: list[RTCTrackEvent] = []
        peers.alice.on_track = events.append
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        peers.bob.add_track(local_track())
        (theirs,) = peers.bob.get_transceivers()
        assert theirs.direction == "sendrecv"
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        (mine,) = peers.alice.get_transceivers()
        assert mine.current_direction == theirs.current_direction == "sendrecv"
        assert [event.transceiver for event in events] == [mine]


async def test_a_transceiver_of_add_transceiver_is_not_associated_with_an_offer() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        own = peers.bob.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        assert own.mid is None
        assert len(peers.bob.get_transceivers()) == 2


async def test_the_order_of_sections_decides_which_is_associated() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track("video"))
        peers.alice.add_track(local_track())
        senders = [peers.bob.add_track(local_track()), peers.bob.add_track(local_track("video"))]
        await negotiate(peers.alice, peers.bob)
        assert [each.sender for each in peers.bob.get_transceivers()] == senders
        assert [each.mid for each in peers.bob.get_transceivers()] == ["1", "0"]


async def test_directions_in_the_answer_follow_those_of_the_offer() -> None:
    async with two_peers() as peers:
        directions = ["sendrecv", "sendonly", "recvonly", "inactive"]
        for direction in directions:
            peers.alice.add_transceiver("audio", direction=direction)
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        for transceiver in peers.bob.get_transceivers():
            assert transceiver.direction == "recvonly"
            transceiver.direction = "sendrecv"
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert [each.current_direction for each in peers.alice.get_transceivers()] == directions
        assert [each.current_direction for each in peers.bob.get_transceivers()] == [
            "sendrecv",
            "recvonly",
            "sendonly",
            "inactive",
        ]


@pytest.mark.parametrize("side", ["offerer", "answerer"])
async def test_a_direction_of_a_later_exchange(side: str) -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        await negotiate(peers.alice, peers.bob)
        (mine,), (theirs,) = peers.alice.get_transceivers(), peers.bob.get_transceivers()
        if side == "offerer":
            mine.direction = "inactive"
        else:
            theirs.direction = "inactive"
        assert mine.current_direction == "sendonly"
        await negotiate(peers.alice, peers.bob)
        assert mine.current_direction == theirs.current_direction == "inactive"
        mine.direction = theirs.direction = "sendrecv"
        await negotiate(peers.bob, peers.alice)
        assert mine.current_direction == theirs.current_direction == "sendrecv"


async def test_a_second_round_needs_no_new_transceiver() -> None:
    async with two_peers() as peers:
        peers.alice.add_track(local_track())
        await negotiate(peers.alice, peers.bob)
        before = peers.alice.get_transceivers(), peers.bob.get_transceivers()
        peers.bob.add_track(local_track())
        await negotiate(peers.bob, peers.alice)
        assert (peers.alice.get_transceivers(), peers.bob.get_transceivers()) == before
        assert [each.current_direction for each in before[1]] == ["sendrecv"]


async def test_rolling_back_removes_and_dissociates() -> None:
    async with two_peers() as peers:
        own = peers.bob.add_track(local_track())
        peers.alice.add_track(local_track())
        peers.alice.add_track(local_track("video"))
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        assert len(peers.bob.get_transceivers()) == 2
        await peers.bob.set_remote_description(ROLLBACK)
        (kept,) = peers.bob.get_transceivers()
        assert kept.sender is own
        assert kept.mid is None
