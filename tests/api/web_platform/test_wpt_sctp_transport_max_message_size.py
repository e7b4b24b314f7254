"""``max_message_size`` follows the peer's descriptions (W3C webrtc section 6.1.1.2, RFC 8841 section 6)."""

import math
import re

import pytest

from tests.strategies.peers import description_of, two_peers
from trio_rtc import RTCPeerConnection, RTCSessionDescription

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def offer_with(offerer: RTCPeerConnection, answerer: RTCPeerConnection, size: int | None) -> None:
    """Negotiate, with another maximum message size in the offer than the offerer's."""
    await offerer.set_local_description()
    offer = description_of(offerer).sdp
    line = "" if size is None else f"a=max-message-size:{size}\r\n"
    changed, count = re.subn("a=max-message-size:[0-9]+\r\n", line, offer)
    assert count == 1
    await answerer.set_remote_description(RTCSessionDescription("offer", changed))
    await answerer.set_local_description()
    await offerer.set_remote_description(description_of(answerer))


async def test_both_sides_have_the_same_by_default() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await peers.alice.set_local_description()
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_local_description()
        await peers.alice.set_remote_description(description_of(peers.bob))
        assert peers.alice.sctp is not None
        assert peers.bob.sctp is not None
        assert peers.alice.sctp.max_message_size == peers.bob.sctp.max_message_size == 262144


@pytest.mark.parametrize(
    ("offered", "expected"), [(None, 65536), (1, 1), (2, 2), (1 << 30, 1 << 30), (0, math.inf)]
)
async def test_the_offered_size(offered: int | None, expected: float) -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        await offer_with(peers.alice, peers.bob, offered)
        assert peers.bob.sctp is not None
        assert peers.bob.sctp.max_message_size == expected


async def test_later_offers_change_it() -> None:
    async with two_peers() as peers:
        peers.alice.create_data_channel("chat")
        sizes = []
        for offered in (1, 2, 0, 1, None):
            await offer_with(peers.alice, peers.bob, offered)
            assert peers.bob.sctp is not None
            sizes.append(peers.bob.sctp.max_message_size)
        assert sizes == [1, 2, math.inf, 1, 65536]
