"""``set_local_description`` with a provisional answer (W3C webrtc section 4.4.1.5, RFC 9429 section 4.1.10.1)."""

import pytest

from tests.api.web_platform.negotiation import ROLLBACK, receiving_offer, signaling_log
from tests.strategies.peers import description_of, two_peers
from trio_rtc import InvalidStateError

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_there_is_nothing_to_answer_in_stable() -> None:
    async with two_peers() as peers:
        offer = await peers.bob.create_offer()
        with pytest.raises(InvalidStateError):
            await peers.alice.set_local_description({"type": "pranswer", "sdp": offer.sdp})
        assert peers.alice.signaling_state == "stable"


async def test_it_is_pending_with_its_offer() -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        offer = await receiving_offer(peers.bob, "video")
        await alice.set_remote_description(offer)
        answer = await alice.create_answer()
        await alice.set_local_description({"type": "pranswer", "sdp": answer.sdp})
        assert alice.local_description is alice.pending_local_description
        assert (description_of(alice).type, description_of(alice).sdp) == ("pranswer", answer.sdp)
        assert alice.remote_description == alice.pending_remote_description == offer
        assert alice.current_local_description is alice.current_remote_description is None
        assert states == ["have-remote-offer", "have-local-pranswer"]


async def test_another_one_fires_no_event() -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        await alice.set_remote_description(await receiving_offer(peers.bob, "audio"))
        for _ in range(2):
            answer = await alice.create_answer()
            await alice.set_local_description({"type": "pranswer", "sdp": answer.sdp})
        assert states == ["have-remote-offer", "have-local-pranswer"]


async def test_the_answer_after_it_completes_the_exchange() -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        await alice.set_remote_description(await receiving_offer(peers.bob, "audio"))
        answer = await alice.create_answer()
        await alice.set_local_description({"type": "pranswer", "sdp": answer.sdp})
        with pytest.raises(InvalidStateError):
            await alice.set_local_description(ROLLBACK)
        await alice.set_local_description(answer)
        assert alice.current_local_description is alice.local_description
        assert description_of(alice).type == "answer"
        assert alice.pending_local_description is alice.pending_remote_description is None
        assert states == ["have-remote-offer", "have-local-pranswer", "stable"]
