"""``set_remote_description`` with an answer (W3C webrtc section 4.4.1.5)."""

import pytest

from tests.api.web_platform.negotiation import answer_of, event_log, receiving_offer, signaling_log
from tests.strategies.peers import description_of, two_peers
from trio_rtc import InvalidAccessError, InvalidStateError

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_it_completes_the_exchange() -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        offer = await receiving_offer(alice, "video")
        await alice.set_local_description(offer)
        answer = await answer_of(peers.bob, offer)
        await alice.set_remote_description(answer)
        assert alice.local_description is alice.current_local_description
        assert description_of(alice).type == "offer"
        assert alice.remote_description == alice.current_remote_description == answer
        assert alice.pending_local_description is alice.pending_remote_description is None
        assert states == ["have-local-offer", "stable"]


async def test_there_is_no_offer_in_stable() -> None:
    async with two_peers() as peers:
        offer = await peers.bob.create_offer()
        with pytest.raises(InvalidStateError):
            await peers.alice.set_remote_description({"type": "answer", "sdp": offer.sdp})


async def test_the_peer_offered_itself() -> None:
    async with two_peers() as peers:
        offer = await receiving_offer(peers.bob, "audio")
        answer = await answer_of(peers.alice, offer)
        offer = await peers.bob.create_offer()
        await peers.alice.set_remote_description(offer)
        with pytest.raises(InvalidStateError):
            await peers.alice.set_remote_description(answer)
        assert peers.alice.signaling_state == "have-remote-offer"


async def test_an_answer_with_other_sections_is_refused() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        answer = await answer_of(peers.bob, description_of(peers.alice))
        wrong = answer.sdp.replace("m=application", "m=audio").replace("UDP/DTLS/SCTP", "UDP/TLS/RTP/SAVPF")
        with pytest.raises((InvalidAccessError, InvalidStateError)) as caught:
            await peers.alice.set_remote_description({"type": "answer", "sdp": wrong})
        assert isinstance(caught.value, InvalidAccessError)
        assert peers.alice.signaling_state == "have-local-offer"
        await peers.alice.set_remote_description(answer)


async def test_properties_change_together_and_not_within_the_call() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        transceiver = alice.add_transceiver("audio", direction="recvonly")
        await alice.set_local_description()
        answer = await answer_of(peers.bob, description_of(alice))
        seen: list[tuple[object, object, object]] = []

        def record(_: object) -> None:
            seen.append(
                (
                    alice.current_remote_description,
                    alice.pending_remote_description,
                    transceiver.current_direction,
                )
            )

        log = event_log(alice, "signaling_state_change")
        alice.on_signaling_state_change = record
        operation = alice.set_remote_description(answer)
        assert alice.signaling_state == "have-local-offer"
        assert alice.current_remote_description is None
        assert transceiver.current_direction is None
        await operation
        assert log == ["signaling_state_change"]
        assert seen == [(answer, None, "inactive")]
