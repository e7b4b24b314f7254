"""``set_remote_description`` with a provisional answer (W3C webrtc section 4.4.1.5)."""

import pytest

from tests.api.web_platform.negotiation import answer_of, local_track, receiving_offer, signaling_log
from tests.strategies.peers import description_of, two_peers
from trio_rtc import InvalidStateError, RTCSessionDescription

pytestmark = pytest.mark.usefixtures("autojump_clock")


def provisional(answer: RTCSessionDescription) -> RTCSessionDescription:
    return RTCSessionDescription("pranswer", answer.sdp)


@pytest.mark.parametrize("offered", [False, True])
async def test_there_is_no_offer_of_ours(offered: bool) -> None:
    async with two_peers() as peers:
        offer = await receiving_offer(peers.bob, "audio")
        if offered:
            await peers.alice.set_remote_description(offer)
        state = peers.alice.signaling_state
        with pytest.raises(InvalidStateError):
            await peers.alice.set_remote_description(provisional(offer))
        assert peers.alice.signaling_state == state


async def test_it_is_pending_with_the_offer() -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        offer = await receiving_offer(alice, "video")
        await alice.set_local_description(offer)
        answer = provisional(await answer_of(peers.bob, offer))
        for _ in range(2):
            await alice.set_remote_description(answer)
            assert alice.local_description is alice.pending_local_description
            assert description_of(alice).type == "offer"
            assert alice.remote_description == alice.pending_remote_description == answer
            assert alice.current_local_description is alice.current_remote_description is None
        assert states == ["have-local-offer", "have-remote-pranswer"]


async def test_the_answer_after_it_completes_the_exchange() -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        transceiver = alice.add_transceiver(local_track())
        await alice.set_local_description()
        answer = await answer_of(peers.bob, description_of(alice))
        await alice.set_remote_description(provisional(answer))
        assert transceiver.current_direction == "sendonly"
        with pytest.raises(InvalidStateError):
            await alice.set_remote_description({"type": "rollback"})
        await alice.set_remote_description(answer)
        assert transceiver.current_direction == "sendonly"
        assert alice.pending_remote_description is alice.pending_local_description is None
        assert states == ["have-local-offer", "have-remote-pranswer", "stable"]


async def test_no_offer_may_follow_it() -> None:
    async with two_peers() as peers:
        await peers.alice.set_local_description(await receiving_offer(peers.alice, "audio"))
        answer = await answer_of(peers.bob, description_of(peers.alice))
        await peers.alice.set_remote_description(provisional(answer))
        with pytest.raises(InvalidStateError):
            await peers.alice.create_offer()
        with pytest.raises(InvalidStateError):
            await peers.alice.set_remote_description(await peers.bob.create_offer())
        assert peers.alice.signaling_state == "have-remote-pranswer"
