"""When ``sctp`` exists, and its first state (W3C webrtc sections 4.4.1.5 and 6.1.1)."""

import pytest

from tests.strategies.media import ENCODED
from tests.strategies.peers import negotiate, two_peers
from trio_rtc import RTCDtlsTransport, RTCSctpTransport

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_not_without_data_channels() -> None:
    async with two_peers(settings=ENCODED) as peers:
        peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        assert peers.alice.sctp is peers.bob.sctp is None


async def test_connecting_after_an_answer_with_data_channels() -> None:
    async with two_peers() as peers:
        assert peers.alice.sctp is peers.bob.sctp is None
        peers.alice.create_data_channel("chat")
        await negotiate(peers.alice, peers.bob)
        for pc in (peers.alice, peers.bob):
            assert isinstance(pc.sctp, RTCSctpTransport)
            assert isinstance(pc.sctp.transport, RTCDtlsTransport)
            assert pc.sctp.state == "connecting"
            assert isinstance(pc.sctp.max_message_size, float | int)
