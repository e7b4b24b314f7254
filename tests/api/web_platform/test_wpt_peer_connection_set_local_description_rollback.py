"""Rolling back a local offer (W3C webrtc section 4.4.1.5, RFC 9429 section 4.1.10.2)."""

import pytest

from tests.api.web_platform.negotiation import (
    ROLLBACK,
    answer_of,
    local_track,
    needs,
    receiving_offer,
    settled_needs,
    signaling_log,
)
from tests.strategies.peers import negotiate, two_peers
from trio_rtc import InvalidStateError

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("rollback", [ROLLBACK, {"type": "rollback", "sdp": "not SDP"}], ids=str)
async def test_the_first_offer_leaves_nothing(rollback: dict[str, str]) -> None:
    async with two_peers() as peers:
        alice, states = peers.alice, signaling_log(peers.alice)
        await alice.set_local_description()
        await alice.set_local_description(rollback)
        assert alice.local_description is alice.pending_local_description is None
        assert alice.current_local_description is None
        assert states == ["have-local-offer", "stable"]


async def test_a_later_offer_leaves_the_current_one() -> None:
    async with two_peers() as peers:
        kept = peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        added = peers.alice.add_transceiver("video")
        await peers.alice.set_local_description()
        assert (kept.mid, added.mid) == ("0", "1")
        await peers.alice.set_local_description(ROLLBACK)
        assert (kept.mid, added.mid) == ("0", None)
        assert kept.current_direction == "sendonly"
        assert peers.alice.local_description is peers.alice.current_local_description is not None


@pytest.mark.parametrize("answered", [False, True])
async def test_there_is_nothing_to_roll_back_in_stable(answered: bool) -> None:
    async with two_peers() as peers:
        if answered:
            await answer_of(peers.alice, await receiving_offer(peers.bob, "audio"))
        with pytest.raises(InvalidStateError):
            await peers.alice.set_local_description(ROLLBACK)
        assert peers.alice.signaling_state == "stable"


async def test_the_remote_offer_is_not_rolled_back_as_a_local_one() -> None:
    async with two_peers() as peers:
        await peers.alice.set_remote_description(await receiving_offer(peers.bob, "audio"))
        with pytest.raises(InvalidStateError):
            await peers.alice.set_local_description(ROLLBACK)
        assert peers.alice.signaling_state == "have-remote-offer"


async def test_negotiation_is_needed_again() -> None:
    async with two_peers() as peers:
        log = needs(peers.alice)
        peers.alice.add_track(local_track())
        assert await settled_needs(log) == 1
        await peers.alice.set_local_description()
        assert await settled_needs(log) == 0
        await peers.alice.set_local_description(ROLLBACK)
        assert await settled_needs(log) == 1
