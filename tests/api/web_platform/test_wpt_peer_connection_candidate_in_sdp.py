"""Candidates in ``local_description`` (W3C webrtc section 4.4.1.7)."""

import pytest

from tests.strategies.peers import description_of, two_peers

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_a_candidate_is_in_the_description_when_its_event_fires() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        seen: list[str] = []
        alice.on_ice_candidate = lambda _: seen.append(description_of(alice).sdp)
        alice.add_transceiver("audio")
        await alice.set_local_description(await alice.create_offer())
        assert "a=candidate:" not in description_of(alice).sdp
        await alice.gathering_complete()
        assert "a=candidate:" in seen[0]
