"""MIDs of transceivers as descriptions are set and rolled back (W3C webrtc section 4.4.1.5)."""

import pytest

from tests.api.web_platform.negotiation import ROLLBACK
from tests.strategies.peers import negotiate, two_peers

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_setting_a_local_offer_and_not_creating_it() -> None:
    async with two_peers() as peers:
        transceiver = peers.alice.add_transceiver("audio")
        offer = await peers.alice.create_offer()
        assert transceiver.mid is None
        await peers.alice.set_local_description(offer)
        assert f"a=mid:{transceiver.mid}\r\n" in offer.sdp


async def test_a_remote_offer_makes_transceivers_with_its_mids() -> None:
    async with two_peers() as peers:
        mine = peers.alice.add_transceiver("audio")
        offer = await peers.alice.create_offer()
        await peers.alice.set_local_description(offer)
        await peers.bob.set_remote_description(offer)
        (theirs,) = peers.bob.get_transceivers()
        assert theirs.mid == mine.mid is not None
        await peers.bob.set_remote_description(ROLLBACK)
        assert theirs.mid is None
        assert peers.bob.get_transceivers() == []


async def test_rolling_back_a_local_offer_keeps_earlier_mids() -> None:
    async with two_peers() as peers:
        first = peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        second = peers.alice.add_transceiver("video")
        await peers.alice.set_local_description()
        mids = first.mid, second.mid
        assert None not in mids
        await peers.alice.set_local_description(ROLLBACK)
        assert (first.mid, second.mid) == (mids[0], None)
        await peers.alice.set_local_description()
        assert first.mid == mids[0]
        assert second.mid not in (None, mids[0])
