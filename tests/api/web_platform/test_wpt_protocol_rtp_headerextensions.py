"""Header extensions of bundled sections (RFC 8285, RFC 9143 section 9)."""

import pytest

from tests.api.web_platform.negotiation import answer_of, section
from tests.strategies.peers import two_peers
from trio_rtc import RTCSessionDescription

pytestmark = pytest.mark.usefixtures("autojump_clock")


def extensions(description: RTCSessionDescription, index: int) -> dict[str, str]:
    """Return the ids of a section's extensions by URI."""
    lines = [line for line in section(description, index).splitlines() if line.startswith("a=extmap:")]
    words = [line.removeprefix("a=extmap:").split() for line in lines]
    return {uri: number.split("/")[0] for number, uri in words}


async def test_an_extension_has_one_id_in_all_sections() -> None:
    async with two_peers() as peers:
        for kind in ("audio", "video"):
            peers.alice.add_transceiver(kind)
        offer = await peers.alice.create_offer()
        audio, video = (extensions(offer, index) for index in range(2))
        assert len(set(audio.values())) == len(audio)
        assert len(set(video.values())) == len(video)
        assert all(audio[uri] == video[uri] for uri in audio.keys() & video.keys())
        merged = {**audio, **video}
        assert len(set(merged.values())) == len(merged)


async def test_the_answer_keeps_the_offers_ids_and_adds_none() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("video")
        offer = await peers.alice.create_offer()
        answer = await answer_of(peers.bob, offer)
        assert extensions(answer, 0).items() <= extensions(offer, 0).items()
        assert "urn:ietf:params:rtp-hdrext:sdes:mid" in extensions(answer, 0)


async def test_the_line_that_allows_both_forms_is_answered() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("video")
        offer = await peers.alice.create_offer()
        assert "a=extmap-allow-mixed\r\n" in offer.sdp
        assert "a=extmap-allow-mixed\r\n" in (await answer_of(peers.bob, offer)).sdp
