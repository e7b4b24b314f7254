"""Offers of a simulcast sender (RFC 8853, W3C webrtc section 5.1)."""

import pytest

from tests.api.web_platform.negotiation import section
from tests.strategies.peers import two_peers
from trio_rtc import RTCRtpEncodingParameters

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_each_layer_has_a_rid(count: int) -> None:
    async with two_peers() as peers:
        rids = ["foo", "bar", "baz"][:count]
        peers.alice.add_transceiver("video", send_encodings=[RTCRtpEncodingParameters(rid) for rid in rids])
        await peers.alice.set_local_description()
        offered = section(peers.alice.local_description, 0)
        assert [f"a=rid:{rid} send" in offered for rid in rids] == [count > 1] * count
        assert (f"a=simulcast:send {';'.join(rids)}\r\n" in offered) is (count > 1)


async def test_an_inactive_layer_is_listed_like_the_others() -> None:
    async with two_peers() as peers:
        layers = [RTCRtpEncodingParameters("a"), RTCRtpEncodingParameters("b", active=False)]
        peers.alice.add_transceiver("video", send_encodings=layers)
        await peers.alice.set_local_description()
        assert "a=simulcast:send a;b\r\n" in section(peers.alice.local_description, 0)


async def test_a_transceiver_without_encodings_has_none() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("video")
        await peers.alice.set_local_description()
        assert "a=rid:" not in section(peers.alice.local_description, 0)
