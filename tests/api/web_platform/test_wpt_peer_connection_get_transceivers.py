"""``get_transceivers``, ``get_senders`` and ``get_receivers`` (W3C webrtc section 5.1)."""

import pytest

from tests.api.web_platform.negotiation import local_track
from tests.strategies.peers import negotiate, two_peers

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_a_new_connection_has_none() -> None:
    async with two_peers() as peers:
        assert peers.alice.get_transceivers() == []
        assert peers.alice.get_senders() == []
        assert peers.alice.get_receivers() == []


async def test_the_lists_are_copies_of_the_same_objects_in_the_order_of_creation() -> None:
    async with two_peers() as peers:
        made = [peers.alice.add_transceiver("video"), peers.alice.add_transceiver("audio")]
        made.append(peers.alice.add_transceiver(local_track("video"), direction="sendonly"))
        peers.alice.get_transceivers().clear()
        transceivers = peers.alice.get_transceivers()
        assert transceivers == made
        assert peers.alice.get_senders() == [each.sender for each in transceivers]
        assert peers.alice.get_receivers() == [each.receiver for each in transceivers]
        await negotiate(peers.alice, peers.bob)
        assert peers.alice.get_transceivers() == transceivers


async def test_senders_and_receivers_of_stopped_transceivers_are_left_out() -> None:
    async with two_peers() as peers:
        stopped, kept = peers.alice.add_transceiver("audio"), peers.alice.add_transceiver("video")
        await negotiate(peers.alice, peers.bob)
        stopped.stop()
        assert peers.alice.get_transceivers() == [stopped, kept]
        await negotiate(peers.alice, peers.bob)
        assert peers.alice.get_transceivers() == [kept]
        assert peers.alice.get_senders() == [kept.sender]
        assert peers.alice.get_receivers() == [kept.receiver]
