"""The statistics of a connected ICE transport have a succeeded pair (W3C webrtc 4.3.4, webrtc-stats)."""

import pytest

from tests.api.web_platform.peers import until
from tests.strategies.media import media_peers
from tests.strategies.peers import connect
from trio_rtc import RTCIceCandidatePairStats

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_a_succeeded_pair() -> None:
    async with media_peers() as peers:
        alice = peers.alice
        alice.add_transceiver("audio")
        await connect(alice, peers.bob)
        await until(
            alice,
            "ice_connection_state_change",
            lambda: alice.ice_connection_state in ("connected", "completed"),
        )
        report = await alice.get_stats()
        pairs = [each for each in report.values() if isinstance(each, RTCIceCandidatePairStats)]
        assert "succeeded" in [pair.state for pair in pairs]
