"""``set_local_description`` over several exchanges (W3C webrtc sections 4.4.1.5 and 4.4.2)."""

import pytest
import trio

from tests.api.web_platform.negotiation import answer_of, receiving_offer, running, signaling_log
from tests.strategies.peers import negotiate, two_peers
from trio_rtc import InvalidStateError

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_the_second_offer_is_pending_beside_the_current_one() -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        first = await receiving_offer(alice, "audio")
        await alice.set_local_description(first)
        await alice.set_remote_description(await answer_of(peers.bob, first))
        alice.create_data_channel("chat")
        second = await receiving_offer(alice, "video")
        await alice.set_local_description(second)
        assert alice.local_description is alice.pending_local_description
        assert alice.pending_local_description == second != first
        current = alice.current_local_description
        assert current is not None
        assert current.sdp.startswith(first.sdp[:40])
        assert states == ["have-local-offer", "stable", "have-local-offer"]


async def test_an_answerer_may_offer_next() -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        peers.bob.create_data_channel("chat")
        answer = await answer_of(alice, await peers.bob.create_offer())
        offer = await receiving_offer(alice, "video")
        await alice.set_local_description(offer)
        assert alice.pending_local_description == offer
        assert alice.current_local_description is not None
        assert alice.current_local_description.type == answer.type
        assert states == ["have-remote-offer", "stable", "have-local-offer"]


async def test_an_offerer_may_answer_next() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        await negotiate(peers.bob, peers.alice)
        assert peers.alice.signaling_state == peers.bob.signaling_state == "stable"
        assert peers.alice.current_local_description is not None
        assert peers.alice.current_local_description.type == "answer"


async def test_the_event_is_fired_before_the_method_returns() -> None:
    async with two_peers() as peers:
        offer = await peers.alice.create_offer()
        seen: list[list[str]] = []
        async with running(lambda: peers.alice.set_local_description(offer)) as done:
            peers.alice.on_signaling_state_change = lambda _: seen.append(list(done))
        assert seen == [[]]


async def test_closing_ends_the_operation_without_effect() -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        ended: list[str] = []

        async def apply() -> None:
            try:
                await alice.set_local_description()
            except trio.ClosedResourceError:
                ended.append("closed")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(apply)
            alice.on_signaling_state_change = lambda _: alice.close()
        assert ended == ["closed"]
        assert states == ["have-local-offer"]
        with pytest.raises(InvalidStateError):
            await alice.set_local_description()
