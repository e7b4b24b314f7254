"""``set_local_description`` with a provisional answer without SDP (W3C webrtc section 4.4.2)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.strategies.peers import description_of, two_peers
from trio_rtc import InvalidStateError, RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


@asynccontextmanager
async def in_have_remote_offer() -> AsyncIterator[tuple[RTCPeerConnection, RTCPeerConnection]]:
    """Yield a peer that has offered audio, and the one that must answer."""
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        yield peers.alice, peers.bob


async def test_the_last_created_answer_is_used() -> None:
    async with in_have_remote_offer() as (_, bob):
        answer = await bob.create_answer()
        await bob.set_local_description({"type": "pranswer", "sdp": ""})
        assert bob.signaling_state == "have-local-pranswer"
        assert bob.pending_local_description is not None
        assert (bob.pending_local_description.type, bob.pending_local_description.sdp) == (
            "pranswer",
            answer.sdp,
        )


async def test_otherwise_one_is_created() -> None:
    async with in_have_remote_offer() as (_, bob):
        await bob.set_local_description({"type": "pranswer"})
        assert bob.signaling_state == "have-local-pranswer"
        assert description_of(bob).type == "pranswer"
        assert "m=audio" in description_of(bob).sdp


async def test_several_and_the_answer() -> None:
    async with in_have_remote_offer() as (_, bob):
        for _ in range(2):
            await bob.set_local_description({"type": "pranswer", "sdp": ""})
            assert bob.signaling_state == "have-local-pranswer"
        await bob.set_local_description({"type": "answer", "sdp": ""})
        assert bob.signaling_state == "stable"
        assert bob.current_local_description is not None
        assert bob.current_local_description.type == "answer"
        assert bob.pending_local_description is None


async def test_without_a_type_it_is_the_answer() -> None:
    async with in_have_remote_offer() as (_, bob):
        await bob.set_local_description({"type": "pranswer"})
        await bob.set_local_description()
        assert bob.signaling_state == "stable"
        assert description_of(bob).type == "answer"


async def test_in_have_remote_pranswer_it_would_be_an_offer() -> None:
    async with in_have_remote_offer() as (alice, bob):
        answer = await bob.create_answer()
        await alice.set_remote_description({"type": "pranswer", "sdp": answer.sdp})
        with pytest.raises(InvalidStateError):
            await alice.set_local_description()
        assert alice.signaling_state == "have-remote-pranswer"
