"""A receiving transceiver that a later offer makes a sending one, too (W3C webrtc section 5.4)."""

import pytest

from tests.strategies.peers import negotiate, two_peers

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_it_is_negotiated(kind: str) -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver(kind, direction="recvonly")
        await negotiate(peers.alice, peers.bob)
        assert transceiver.current_direction == "inactive"
        transceiver.direction = "sendrecv"
        await negotiate(peers.alice, peers.bob)
        assert transceiver.current_direction == "sendonly"
        assert peers.bob.get_transceivers()[0].current_direction == "recvonly"
