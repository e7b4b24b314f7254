"""Sections of media types that WebRTC does not have are rejected (RFC 9429 section 5.3.1)."""

import pytest

from tests.api.web_platform.negotiation import receiving_offer, section
from tests.strategies.peers import two_peers

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("kind", ["bogus", "text", "image", "message"])
async def test_they_have_no_transceiver(kind: str) -> None:
    async with two_peers() as peers:
        offer = await receiving_offer(peers.alice, "audio")
        unknown = f"m={kind} 9 UDP/TLS/RTP/SAVPF 99\r\nc=IN IP4 0.0.0.0\r\na=mid:unknown\r\na=rtcp-mux\r\n"
        await peers.bob.set_remote_description({"type": "offer", "sdp": offer.sdp + unknown})
        assert [each.mid for each in peers.bob.get_transceivers()] == ["0"]
        answer = await peers.bob.create_answer()
        assert section(answer, 1).startswith(f"m={kind} 0 ")
        assert not section(answer, 0).startswith("m=audio 0 ")
