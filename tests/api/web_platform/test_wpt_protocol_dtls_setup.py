"""``a=setup`` of an offer, of its answer, and the DTLS role (RFC 8842 section 5, RFC 9429 section 5.3.1)."""

import re

import pytest

from tests.strategies.peers import description_of, two_peers
from trio_rtc.stats import RTCTransportStats

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize(
    ("offered", "answered", "role"),
    [("actpass", "active", "client"), ("active", "passive", "server"), ("passive", "active", "client")],
)
async def test_the_answer_to_each_value(offered: str, answered: str, role: str) -> None:
    async with two_peers() as peers:
        for kind in ("audio", "video"):
            peers.alice.add_transceiver(kind)
        offer = (await peers.alice.create_offer()).sdp.replace("a=setup:actpass", f"a=setup:{offered}")
        await peers.bob.set_remote_description({"type": "offer", "sdp": offer})
        await peers.bob.set_local_description()
        assert set(re.findall("a=setup:(.*)\r", description_of(peers.bob).sdp)) == {answered}
        transport = (await peers.bob.get_stats())["transport"]
        assert isinstance(transport, RTCTransportStats)
        assert transport.dtls_role == role


async def test_the_role_is_unknown_before_the_answer() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        transport = (await peers.alice.get_stats())["transport"]
        assert isinstance(transport, RTCTransportStats)
        assert transport.dtls_role == "unknown"
