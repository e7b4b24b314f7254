"""``set_remote_description`` with an offer, also in glare (W3C webrtc section 4.4.1.5)."""

import pytest
import trio

from tests.api.web_platform.negotiation import ROLLBACK, receiving_offer, running, sections, signaling_log
from tests.strategies.peers import negotiate, two_peers
from trio_rtc import InvalidStateError

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("times", [1, 2])
async def test_it_is_pending(times: int) -> None:
    async with two_peers() as peers:
        bob, states = peers.bob, signaling_log(peers.bob)
        peers.alice.create_data_channel("chat")
        offer = await peers.alice.create_offer()
        for _ in range(times):
            await bob.set_remote_description(offer)
        assert bob.remote_description == bob.pending_remote_description == offer
        assert bob.current_remote_description is None
        assert states == ["have-remote-offer"]


async def test_another_offer_replaces_it() -> None:
    async with two_peers() as peers:
        bob, states = peers.bob, signaling_log(peers.bob)
        peers.alice.create_data_channel("chat")
        first = await peers.alice.create_offer()
        await peers.alice.set_local_description(first)
        second = await receiving_offer(peers.alice, "audio")
        await bob.set_remote_description(first)
        await bob.set_remote_description(second)
        assert bob.pending_remote_description == second
        assert sections(second) == 2
        assert states == ["have-remote-offer"]


async def test_transceivers_appear_when_it_is_applied_and_only_once() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("video")
        offer = await peers.alice.create_offer()
        operation = peers.bob.set_remote_description(offer)
        assert peers.bob.get_transceivers() == []
        await operation
        (transceiver,) = peers.bob.get_transceivers()
        await peers.bob.set_remote_description(offer)
        (again,) = peers.bob.get_transceivers()
        assert again is transceiver
        await peers.alice.set_local_description(offer)
        await peers.bob.set_local_description()
        assert peers.bob.local_description is not None
        await peers.alice.set_remote_description(peers.bob.local_description)


async def test_properties_change_together_and_not_within_the_call() -> None:
    async with two_peers() as peers:
        bob = peers.bob
        peers.alice.add_transceiver("audio", direction="recvonly")
        offer = await peers.alice.create_offer()
        seen: list[tuple[object, ...]] = []

        def record(_: object) -> None:
            seen.append((bob.signaling_state, bob.pending_remote_description, bob.current_remote_description))

        bob.on_signaling_state_change = record
        operation = bob.set_remote_description(offer)
        assert bob.signaling_state == "stable"
        assert bob.pending_remote_description is None
        await operation
        assert seen == [("have-remote-offer", offer, None)]
        assert bob.pending_remote_description is bob.remote_description


async def test_glare_rolls_ours_back_with_an_event_of_its_own() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        for pc in (alice, peers.bob):
            pc.add_transceiver("audio", direction="recvonly")
        await alice.set_local_description()
        theirs = await peers.bob.create_offer()
        seen: list[tuple[object, ...]] = []

        def record(_: object) -> None:
            seen.append(
                (alice.signaling_state, alice.pending_local_description, alice.pending_remote_description)
            )

        alice.on_signaling_state_change = record
        operation = alice.set_remote_description(theirs)
        assert (alice.signaling_state, alice.pending_remote_description) == ("have-local-offer", None)
        await operation
        assert seen == [("stable", None, None), ("have-remote-offer", None, theirs)]


async def test_a_candidate_that_arrives_in_glare_belongs_to_the_offer() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        await alice.set_local_description()
        offer = await receiving_offer(peers.bob, "audio")
        added: list[str] = []

        async def add() -> None:
            await alice.add_ice_candidate(None)
            added.append(str(alice.signaling_state))

        async with trio.open_nursery() as nursery:

            def on_change(_: object) -> None:
                if alice.signaling_state == "stable":
                    nursery.start_soon(add)

            alice.on_signaling_state_change = on_change
            await alice.set_remote_description(offer)
        assert added == ["have-remote-offer"]


async def test_a_candidate_after_an_explicit_rollback_has_no_offer() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        await alice.set_local_description()
        offer = await receiving_offer(peers.bob, "audio")
        async with running(lambda: alice.set_local_description(ROLLBACK)):
            pass
        with pytest.raises(InvalidStateError):
            await alice.add_ice_candidate(None)
        await alice.set_remote_description(offer)
        assert alice.signaling_state == "have-remote-offer"


async def test_an_offer_with_candidates_needs_no_trickling() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("video")
        await negotiate(peers.alice, peers.bob)
        await peers.alice.gathering_complete()
        async with peers.bob.subscribe("ice_connection_state_change") as changes:
            await negotiate(peers.alice, peers.bob)
            while peers.bob.ice_connection_state not in ("connected", "completed"):
                await changes.receive()
