"""Keys in descriptions, SDES, are neither offered nor accepted (RFC 8826 section 4.3.1)."""

import pytest

from tests.api.web_platform.negotiation import answer_of, receiving_offer
from tests.strategies.peers import two_peers
from trio_rtc import InvalidAccessError

pytestmark = pytest.mark.usefixtures("autojump_clock")

CRYPTO = "a=crypto:0 AES_CM_128_HMAC_SHA1_80 inline:2nra27hTUb9ilyn2rEkBEQN9WOFts26F/jvofasw\r\n"


async def test_offers_and_answers_have_none() -> None:
    async with two_peers() as peers:
        offer = await receiving_offer(peers.alice, "audio")
        await peers.alice.set_local_description(offer)
        answer = await answer_of(peers.bob, offer)
        assert "a=crypto:" not in offer.sdp + answer.sdp


async def test_an_offer_with_nothing_else_is_refused() -> None:
    async with two_peers() as peers:
        offer = await receiving_offer(peers.alice, "audio")
        lines = [
            line for line in offer.sdp.splitlines(keepends=True) if not line.startswith("a=fingerprint:")
        ]
        with pytest.raises(InvalidAccessError):
            await peers.bob.set_remote_description({"type": "offer", "sdp": "".join(lines) + CRYPTO})
        assert peers.bob.signaling_state == "stable"


async def test_beside_a_fingerprint_it_is_ignored() -> None:
    async with two_peers() as peers:
        offer = await receiving_offer(peers.alice, "audio")
        await peers.bob.set_remote_description({"type": "offer", "sdp": offer.sdp + CRYPTO})
        assert "a=crypto:" not in (await peers.bob.create_answer()).sdp
