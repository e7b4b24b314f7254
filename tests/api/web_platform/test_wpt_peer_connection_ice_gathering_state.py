"""``ice_gathering_state`` (W3C webrtc sections 4.3.2 and 5.6)."""

import pytest
import trio

from tests.strategies.media import media_peers
from tests.strategies.peers import connect, description_of
from trio_rtc import RTCPeerConnection, RTCSessionDescription

pytestmark = pytest.mark.usefixtures("autojump_clock")


def record(pc: RTCPeerConnection) -> list[str]:
    """Return a list of the gathering states, which grows with each event."""
    states: list[str] = []
    pc.on_ice_gathering_state_change = lambda _: states.append(pc.ice_gathering_state)
    return states


async def test_gathering_then_complete() -> None:
    async with media_peers() as peers:
        alice = peers.alice
        assert alice.ice_gathering_state == "new"
        states = record(alice)
        alice.add_transceiver("audio", direction="recvonly")
        await alice.set_local_description()
        await trio.sleep(1)
        assert states == ["gathering", "complete"]
        assert "a=end-of-candidates\r\n" in description_of(alice).sdp


async def test_no_change_without_new_transports() -> None:
    async with media_peers() as peers:
        alice, bob = peers.alice, peers.bob
        alice.add_transceiver("audio", direction="recvonly")
        await connect(alice, bob)
        await trio.sleep(1)
        logs = record(alice), record(bob)
        await alice.set_local_description()
        await bob.set_local_description()
        await trio.sleep(1)
        assert logs == ([], [])


async def test_no_change_without_sections() -> None:
    async with media_peers() as peers:
        states = record(peers.alice)
        await peers.alice.set_local_description()
        await trio.sleep(1)
        assert states == []


async def test_no_change_by_remote_descriptions() -> None:
    async with media_peers() as peers:
        states = record(peers.bob)
        peers.alice.add_transceiver("audio", direction="recvonly")
        offer = await peers.alice.create_offer()
        await peers.bob.set_remote_description(offer)
        await peers.bob.set_remote_description(offer)
        await peers.bob.set_remote_description(RTCSessionDescription("rollback"))
        await peers.bob.set_remote_description(offer)
        await trio.sleep(1)
        assert states == []


@pytest.mark.parametrize("kinds", [["audio"], ["audio", "video"]], ids=str)
async def test_a_restart_gathers_again(kinds: list[str]) -> None:
    async with media_peers() as peers:
        alice, bob = peers.alice, peers.bob
        for kind in kinds:
            alice.add_transceiver(kind)
        await connect(alice, bob)
        await trio.sleep(1)
        states = record(alice)
        alice.on_ice_candidate = None
        await alice.set_local_description(await alice.create_offer(ice_restart=True))
        await trio.sleep(1)
        assert states == ["gathering", "complete"]
