"""Payload types of our own offers and answers (RFC 5761 section 4, RFC 8866 section 5.14)."""

import pytest

from tests.api.web_platform.negotiation import answer_of, section
from tests.strategies.peers import two_peers
from trio_rtc import InvalidAccessError, RTCSessionDescription

pytestmark = pytest.mark.usefixtures("autojump_clock")


def payload_types(description: RTCSessionDescription, index: int) -> list[int]:
    return [int(word) for word in section(description, index).split("\r\n")[0].split()[3:]]


async def test_none_is_taken_for_rtcp_and_each_is_one_codec() -> None:
    async with two_peers() as peers:
        for kind in ("audio", "video"):
            peers.alice.add_transceiver(kind)
        offer = await peers.alice.create_offer()
        await peers.alice.set_local_description(offer)
        answer = await answer_of(peers.bob, offer)
        for description in (offer, answer):
            used = [number for index in range(2) for number in payload_types(description, index)]
            assert len(used) == len(set(used))
            assert all(0 <= number < 64 or 96 <= number < 128 for number in used)


async def test_the_answer_keeps_the_offers_numbers() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        offer = await peers.alice.create_offer()
        renumbered = RTCSessionDescription("offer", offer.sdp.replace("111", "125"))
        answer = await answer_of(peers.bob, renumbered)
        assert "a=rtpmap:125 opus/48000/2\r\n" in answer.sdp
        assert "a=rtpmap:111 " not in answer.sdp


async def test_one_of_rtcps_numbers_is_refused() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        offer = await peers.alice.create_offer()
        with pytest.raises(InvalidAccessError):
            await peers.bob.set_remote_description({"type": "offer", "sdp": offer.sdp.replace("111", "72")})
