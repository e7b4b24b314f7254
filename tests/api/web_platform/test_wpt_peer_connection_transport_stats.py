"""Statistics of the transport after ``set_local_description`` (W3C webrtc-stats, RTCTransportStats)."""

import pytest

from tests.strategies.peers import description_of, two_peers
from trio_rtc.stats import RTCTransportStats

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_of_a_local_offer() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        transport = (await peers.alice.get_stats())["transport"]
        assert isinstance(transport, RTCTransportStats)
        assert (transport.dtls_state, transport.dtls_role) == ("new", "unknown")
        assert (transport.ice_state, transport.ice_role) == ("new", "controlling")
        assert f"a=ice-ufrag:{transport.ice_local_username_fragment}\r\n" in description_of(peers.alice).sdp
        assert transport.selected_candidate_pair_changes == 0
