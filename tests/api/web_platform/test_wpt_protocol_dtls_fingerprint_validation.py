"""``a=fingerprint`` and the certificate of the peer (RFC 8122, RFC 8827 section 6.5)."""

import re

import pytest
import trio

from tests.strategies.peers import description_of, trickle, two_peers

pytestmark = pytest.mark.usefixtures("autojump_clock")

SIZES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}


@pytest.mark.parametrize("algorithm", SIZES)
async def test_the_connection_fails_with_a_wrong_one(algorithm: str) -> None:
    """The description itself is valid. One with SHA-1 only is refused, since SHA-1 is too weak."""
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        alice.create_data_channel("chat")
        trickle(alice, bob)
        await alice.set_local_description()
        await bob.set_remote_description(description_of(alice))
        answer = await bob.create_answer()
        wrong = ":".join(["00"] * SIZES[algorithm])
        forged = re.sub("a=fingerprint:.*\r", f"a=fingerprint:{algorithm} {wrong}\r", answer.sdp)
        await alice.set_remote_description({"type": "answer", "sdp": forged})
        await bob.set_local_description(answer)
        assert alice.signaling_state == bob.signaling_state == "stable"
        await trio.sleep(60)
        assert alice.connection_state == bob.connection_state == "failed"
