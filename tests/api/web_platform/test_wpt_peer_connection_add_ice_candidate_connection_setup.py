"""Candidates of one side, or of both, connect two peers (W3C webrtc section 4.4.2, RFC 8838)."""

import pytest
import trio

from tests.strategies.media import ENCODED, only
from tests.strategies.peers import description_of, two_peers
from trio_rtc import RTCIceCandidate

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("added", ["both", "to the offerer", "to the answerer"])
async def test_candidates_added_after_the_answer(added: str) -> None:
    async with two_peers(settings=ENCODED) as peers:
        alice, bob = peers.alice, peers.bob
        of_alice: list[RTCIceCandidate | None] = []
        of_bob: list[RTCIceCandidate | None] = []
        alice.on_ice_candidate = lambda event: of_alice.append(event.candidate)
        bob.on_ice_candidate = lambda event: of_bob.append(event.candidate)
        alice.add_transceiver("video")
        await alice.set_local_description()
        offer = description_of(alice)
        await bob.set_remote_description(offer)
        answer = await bob.create_answer()
        await alice.set_remote_description(answer)
        await bob.set_local_description(answer)
        await trio.sleep(1)
        dtls = only(alice.get_transceivers()).sender.transport
        assert dtls is not None
        states: list[str] = [dtls.state]
        dtls.on_state_change = lambda _: states.append(dtls.state)
        if added != "to the answerer":
            for candidate in of_bob:
                await alice.add_ice_candidate(candidate)
        if added != "to the offerer":
            for candidate in of_alice:
                await bob.add_ice_candidate(candidate)
        await trio.sleep(1)
        assert states == ["new", "connecting", "connected"]
