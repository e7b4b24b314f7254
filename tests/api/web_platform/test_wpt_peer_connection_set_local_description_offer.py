"""``set_local_description`` with an offer (W3C webrtc section 4.4.2, RFC 9429 section 5.5)."""

import pytest

from tests.api.web_platform.negotiation import receiving_offer, sections, signaling_log
from tests.strategies.peers import two_peers
from trio_rtc import InvalidModificationError

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("with_sdp", [True, False])
async def test_the_last_created_offer_becomes_pending(with_sdp: bool) -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        offer = await receiving_offer(alice, "audio")
        await alice.set_local_description(offer if with_sdp else {"type": "offer"})
        assert alice.signaling_state == "have-local-offer"
        assert alice.local_description == alice.pending_local_description == offer
        assert alice.current_local_description is None
        assert states == ["have-local-offer"]


async def test_the_offer_of_another_connection_is_refused() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        with pytest.raises(InvalidModificationError):
            await peers.bob.set_local_description(await peers.alice.create_offer())
        assert peers.bob.signaling_state == "stable"


async def test_an_offer_that_is_not_the_last_one_is_refused() -> None:
    async with two_peers() as peers:
        first = await receiving_offer(peers.alice, "audio")
        second = await receiving_offer(peers.alice, "video")
        assert (sections(first), sections(second)) == (1, 2)
        with pytest.raises(InvalidModificationError):
            await peers.alice.set_local_description(first)
        await peers.alice.set_local_description(second)


async def test_an_offer_replaces_the_pending_one_without_an_event() -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        await alice.set_local_description(await receiving_offer(alice, "audio"))
        second = await receiving_offer(alice, "video")
        await alice.set_local_description(second)
        assert alice.pending_local_description == second
        assert sections(alice.local_description) == 2
        assert states == ["have-local-offer"]


async def test_properties_change_together_and_not_within_the_call() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        transceiver = alice.add_transceiver("audio")
        offer = await alice.create_offer()
        assert transceiver.mid is None
        seen: list[tuple[object, object, object]] = []

        def record(_: object) -> None:
            seen.append((alice.pending_local_description, alice.current_local_description, transceiver.mid))

        alice.on_signaling_state_change = record
        operation = alice.set_local_description(offer)
        assert alice.pending_local_description is None
        await operation
        assert seen == [(offer, None, "0")]
