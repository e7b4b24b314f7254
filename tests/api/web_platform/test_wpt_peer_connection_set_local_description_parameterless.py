"""``set_local_description`` without an argument (W3C webrtc section 4.4.2)."""

import pytest
import trio

from tests.strategies.peers import description_of, two_peers
from trio_rtc import InvalidStateError

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_in_stable_it_offers() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        operation = peers.alice.set_local_description()
        assert transceiver.mid is None
        await operation
        assert peers.alice.signaling_state == "have-local-offer"
        assert peers.alice.pending_local_description is not None
        assert peers.alice.pending_local_description.type == "offer"
        assert f"a=mid:{transceiver.mid}\r\n" in peers.alice.pending_local_description.sdp


async def test_after_an_offer_it_answers() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        (transceiver,) = peers.bob.get_transceivers()
        await peers.bob.set_local_description()
        assert peers.bob.signaling_state == "stable"
        assert peers.bob.current_local_description is not None
        assert peers.bob.current_local_description.type == "answer"
        assert transceiver.current_direction == "recvonly"


async def test_it_offers_what_is_added_before_its_turn() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        async with trio.open_nursery() as nursery:
            nursery.start_soon(alice.create_offer)
            nursery.start_soon(alice.set_local_description)
            alice.add_transceiver("video")
        assert "m=video" in description_of(alice).sdp


async def test_the_connection_is_closed_before_and_during() -> None:
    async with two_peers() as peers:
        operation = peers.alice.set_local_description()
        peers.alice.close()
        with pytest.raises(InvalidStateError):
            await operation

        peers.bob.on_signaling_state_change = lambda _: peers.bob.close()
        with pytest.raises(trio.ClosedResourceError):
            await peers.bob.set_local_description()


async def test_calls_run_one_after_another() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        alice.add_transceiver("audio")
        await alice.set_local_description()
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(alice.set_local_description)
        assert alice.signaling_state == "have-local-offer"
        await bob.set_remote_description(description_of(alice))
        answer, operation = bob.create_answer(), bob.set_local_description()
        assert (await answer).type == "answer"
        await operation
        assert bob.signaling_state == "stable"
