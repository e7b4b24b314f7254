"""``stop`` (W3C webrtc section 5.4)."""

import pytest
import trio
import trio.testing

from tests.api.web_platform.negotiation import event_log, local_track, needs, section, settled_needs
from tests.strategies.peers import description_of, negotiate, two_peers
from trio_rtc import InvalidStateError

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_it_is_stopping_until_the_exchange() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        log = needs(peers.alice)
        transceiver.stop()
        assert (transceiver.direction, transceiver.current_direction) == ("stopped", "sendonly")
        assert transceiver.mid == "0"
        assert await settled_needs(log) == 1
        await negotiate(peers.alice, peers.bob)
        assert transceiver.current_direction == "stopped"
        assert transceiver.mid is None
        assert await settled_needs(log) == 0


async def test_a_second_call_does_nothing() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        log = needs(peers.alice)
        transceiver.stop()
        transceiver.stop()
        assert await settled_needs(log) == 1
        await negotiate(peers.alice, peers.bob)
        transceiver.stop()
        assert await settled_needs(log) == 0


async def test_a_closed_connection_refuses() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        peers.alice.close()
        with pytest.raises(InvalidStateError):
            transceiver.stop()


async def test_the_tracks_of_both_peers() -> None:
    async with two_peers() as peers:
        sent = local_track()
        peers.alice.add_track(sent)
        await negotiate(peers.alice, peers.bob)
        (mine,), (theirs,) = peers.alice.get_transceivers(), peers.bob.get_transceivers()
        logs = [event_log(each.receiver.track, "ended", "mute") for each in (mine, theirs)]
        mine.stop()
        await trio.testing.wait_all_tasks_blocked()
        assert mine.receiver.track.ready_state == "ended"
        assert theirs.receiver.track.ready_state == "live"
        await negotiate(peers.alice, peers.bob)
        assert theirs.receiver.track.ready_state == "ended"
        await trio.testing.wait_all_tasks_blocked()
        assert [log.count("ended") for log in logs] == [1, 1]
        # The track that was sent belongs to the application.
        assert sent.ready_state == "live"


async def test_the_sections_of_offer_and_answer_are_rejected() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        peers.alice.add_transceiver("video")
        await negotiate(peers.alice, peers.bob)
        peers.alice.get_transceivers()[0].stop()
        await negotiate(peers.alice, peers.bob)
        for pc in (peers.alice, peers.bob):
            assert section(description_of(pc), 0).startswith("m=audio 0 ")
            assert not section(description_of(pc), 1).startswith("m=video 0 ")
            assert [each.mid for each in pc.get_transceivers()] == ["1"]


async def test_both_peers_stop_at_once() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        (mine,), (theirs,) = peers.alice.get_transceivers(), peers.bob.get_transceivers()
        mine.stop()
        theirs.stop()
        await negotiate(peers.alice, peers.bob)
        assert mine.stopped
        assert theirs.stopped
        assert (peers.alice.get_transceivers(), peers.bob.get_transceivers()) == ([], [])


async def test_after_it_the_sender_refuses_and_its_parameters_have_no_codecs() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver(local_track())
        await negotiate(peers.alice, peers.bob)
        transceiver.stop()
        await negotiate(peers.alice, peers.bob)
        with pytest.raises(InvalidStateError):
            await transceiver.sender.replace_track(None)
        with pytest.raises(InvalidStateError):
            await transceiver.sender.set_parameters(transceiver.sender.get_parameters())
        peers.alice.remove_track(transceiver.sender)
        await trio.sleep(1)
        assert transceiver.direction == "stopped"
