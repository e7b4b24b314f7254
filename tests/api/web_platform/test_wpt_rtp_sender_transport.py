"""``transport`` of senders and receivers (W3C webrtc sections 5.2 and 5.3)."""

import pytest

from tests.api.web_platform.negotiation import ROLLBACK, local_track
from tests.strategies.peers import connect, two_peers
from trio_rtc import RTCDtlsTransport

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_it_exists_from_the_local_offer_on() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        sender, receiver = transceiver.sender, transceiver.receiver
        assert (sender.transport, receiver.transport) == (None, None)
        await peers.alice.create_offer()
        assert (sender.transport, receiver.transport) == (None, None)
        await peers.alice.set_local_description()
        assert isinstance(sender.transport, RTCDtlsTransport)
        assert sender.transport is receiver.transport
        assert sender.transport.state == "new"
        assert sender.transport.ice_transport.state == "new"


async def test_a_rollback_removes_it() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        await peers.alice.set_local_description()
        await peers.alice.set_local_description(ROLLBACK)
        assert transceiver.sender.transport is None
        assert transceiver.receiver.transport is None


async def test_bundled_sections_share_one() -> None:
    async with two_peers() as peers:
        for kind in ("audio", "video"):
            peers.alice.add_track(local_track(kind))
        channel = peers.alice.create_data_channel("chat")
        await connect(peers.alice, peers.bob)
        await channel.opened()
        for pc in (peers.alice, peers.bob):
            assert pc.sctp is not None
            for transceiver in pc.get_transceivers():
                assert transceiver.sender.transport is pc.sctp.transport
                assert transceiver.receiver.transport is pc.sctp.transport
            assert pc.sctp.transport.state == "connected"
