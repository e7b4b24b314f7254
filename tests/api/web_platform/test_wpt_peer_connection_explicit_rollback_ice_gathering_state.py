"""The gathering state when offers are rolled back (W3C webrtc section 5.6.3, RFC 9429 section 4.1.10.2)."""

import pytest
import trio

from tests.api.web_platform.negotiation import ROLLBACK, event_log
from tests.strategies.peers import connect, description_of, two_peers

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_without_transports_it_is_new_again() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        alice.add_transceiver("audio")
        states: list[str] = []
        alice.on_ice_gathering_state_change = lambda _: states.append(str(alice.ice_gathering_state))
        await alice.set_local_description()
        await alice.gathering_complete()
        await alice.set_local_description(ROLLBACK)
        await trio.sleep(1)
        assert states == ["gathering", "complete", "new"]
        await alice.set_local_description()
        await alice.gathering_complete()
        assert states[3:] == ["gathering", "complete"]


async def test_a_rolled_back_remote_offer_has_gathered_nothing() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        await peers.alice.set_local_description()
        log = event_log(peers.bob, "ice_gathering_state_change", "ice_connection_state_change")
        await peers.bob.set_remote_description(description_of(peers.alice))
        await peers.bob.set_remote_description(ROLLBACK)
        await trio.sleep(1)
        assert log == []
        assert peers.bob.ice_gathering_state == "new"


async def test_the_state_is_complete_after_a_rollback_of_a_later_offer() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        await connect(peers.alice, peers.bob)
        await peers.alice.gathering_complete()
        log = event_log(peers.alice, "ice_gathering_state_change")
        peers.alice.add_transceiver("video")
        await peers.alice.set_local_description()
        await peers.alice.set_local_description(ROLLBACK)
        await trio.sleep(1)
        assert peers.alice.ice_gathering_state == "complete"
        assert log == []
