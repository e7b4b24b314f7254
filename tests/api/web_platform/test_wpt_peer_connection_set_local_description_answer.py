"""``set_local_description`` with an answer (W3C webrtc section 4.4.1.5)."""

import pytest

from tests.api.web_platform.negotiation import answer_of, receiving_offer, signaling_log
from tests.strategies.peers import description_of, two_peers
from trio_rtc import InvalidModificationError, InvalidStateError, RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("with_sdp", [True, False])
async def test_the_last_created_answer_completes_the_exchange(with_sdp: bool) -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        offer = await receiving_offer(peers.bob, "video")
        await alice.set_remote_description(offer)
        answer = await alice.create_answer()
        await alice.set_local_description(answer if with_sdp else {"type": "answer"})
        assert alice.local_description == alice.current_local_description == answer
        assert alice.remote_description == alice.current_remote_description == offer
        assert alice.pending_local_description is alice.pending_remote_description is None
        assert states == ["have-remote-offer", "stable"]


async def test_the_last_created_answer_outlives_a_rollback() -> None:
    async with two_peers() as peers:
        offer = await receiving_offer(peers.bob, "video")
        await peers.alice.set_remote_description(offer)
        answer = await peers.alice.create_answer()
        await peers.alice.set_remote_description({"type": "rollback"})
        assert peers.alice.get_transceivers() == []
        await peers.alice.set_remote_description(offer)
        await peers.alice.set_local_description(answer)
        assert peers.alice.current_local_description == answer
        (transceiver,) = peers.alice.get_transceivers()
        assert (transceiver.mid, transceiver.current_direction) == ("0", "inactive")


async def test_the_last_created_answer_is_not_that_of_another_offer() -> None:
    async with two_peers() as peers:
        await peers.alice.set_remote_description(await receiving_offer(peers.bob, "video"))
        answer = await peers.alice.create_answer()
        await peers.alice.set_remote_description({"type": "rollback"})
        await peers.alice.set_remote_description(await receiving_offer(peers.bob, "audio"))
        with pytest.raises((InvalidModificationError, InvalidStateError)):
            await peers.alice.set_local_description(answer)


async def test_the_answer_of_another_connection_is_refused() -> None:
    async with two_peers() as peers, RTCPeerConnection() as other:
        offer = await receiving_offer(peers.bob, "video")
        await peers.alice.set_remote_description(offer)
        with pytest.raises(InvalidModificationError):
            await peers.alice.set_local_description(await answer_of(other, offer))
        assert peers.alice.signaling_state == "have-remote-offer"


async def test_there_is_nothing_to_answer_in_stable() -> None:
    async with two_peers() as peers:
        offer = await peers.bob.create_offer()
        with pytest.raises(InvalidStateError):
            await peers.alice.set_local_description({"type": "answer", "sdp": offer.sdp})


async def test_there_is_nothing_to_answer_after_our_own_offer() -> None:
    async with two_peers() as peers:
        await peers.alice.set_local_description()
        answer = await answer_of(peers.bob, description_of(peers.alice))
        with pytest.raises(InvalidStateError):
            await peers.alice.set_local_description(answer)
        assert peers.alice.signaling_state == "have-local-offer"


async def test_properties_change_together_and_not_within_the_call() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        peers.bob.add_transceiver("audio", direction="recvonly")
        await alice.set_remote_description(await peers.bob.create_offer())
        (transceiver,) = alice.get_transceivers()
        transceiver.direction = "sendrecv"
        answer = await alice.create_answer()
        seen: list[tuple[object, object, object]] = []

        def record(_: object) -> None:
            seen.append(
                (
                    alice.current_local_description,
                    alice.pending_local_description,
                    transceiver.current_direction,
                )
            )

        alice.on_signaling_state_change = record
        operation = alice.set_local_description(answer)
        assert alice.signaling_state == "have-remote-offer"
        assert (alice.current_remote_description, transceiver.current_direction) == (None, None)
        await operation
        assert seen == [(answer, None, "sendonly")]
