"""``ice_connection_state`` when the peer's transport goes away (W3C webrtc sections 4.3.3 and 5.6.4)."""

import pytest
import trio

from tests.strategies.peers import connect, two_peers
from trio_rtc import RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


def states_of(pc: RTCPeerConnection) -> list[str]:
    states: list[str] = []
    pc.on_ice_connection_state_change = lambda _: states.append(str(pc.ice_connection_state))
    return states


async def test_the_peer_has_gone_away() -> None:
    async with two_peers() as peers:
        peers.alice.add_transceiver("audio")
        await connect(peers.alice, peers.bob)
        await trio.sleep(2)
        states = states_of(peers.alice)
        peers.bob.close()
        await trio.sleep(60)
        assert states == ["disconnected", "failed"]


async def test_a_restart_of_a_disconnected_transport() -> None:
    async with two_peers() as peers:
        alice, bob = peers.alice, peers.bob
        alice.add_transceiver("audio")
        await connect(alice, bob)
        await trio.sleep(2)
        states = states_of(alice)
        peers.network.partition("bob")
        async with alice.subscribe("ice_connection_state_change") as changes:
            await changes.receive()
        peers.network.heal()
        alice.restart_ice()
        await connect(alice, bob)
        await trio.sleep(2)
        assert states[0] == "disconnected"
        assert "connected" in states
        assert alice.connection_state == "connected"
