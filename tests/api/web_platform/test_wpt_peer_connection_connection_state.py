"""``connection_state`` (W3C webrtc section 4.3.3)."""

import pytest
import trio

from tests.api.web_platform.peers import until
from tests.strategies.media import media_peers
from tests.strategies.peers import connect, negotiate, two_peers
from trio_rtc import RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


def record(pc: RTCPeerConnection) -> list[str]:
    """Return a list of the connection states, which grows with each event."""
    states: list[str] = []
    pc.on_connection_state_change = lambda _: states.append(pc.connection_state)
    return states


def test_new_and_closed() -> None:
    pc = RTCPeerConnection()
    assert pc.connection_state == "new"
    pc.close()
    assert pc.connection_state == "closed"


@pytest.mark.parametrize("data", [False, True], ids=["audio", "data"])
async def test_connected_by_way_of_connecting(data: bool) -> None:
    async with media_peers() as peers:
        alice = peers.alice
        states = record(alice)
        if data:
            alice.create_data_channel("chat")
        else:
            alice.add_transceiver("audio")
        await connect(alice, peers.bob)
        await trio.sleep(1)
        assert states == ["connecting", "connected"]


async def test_its_transports_are_connected_in_its_event() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        seen: list[tuple[str, str]] = []

        def look(_: object) -> None:
            if alice.connection_state == "connected":
                assert alice.sctp is not None
                dtls = alice.sctp.transport
                seen.append((dtls.state, dtls.ice_transport.state))

        alice.on_connection_state_change = look
        alice.create_data_channel("chat")
        await connect(alice, peers.bob)
        await trio.sleep(1)
        assert seen in ([("connected", "connected")], [("connected", "completed")])


async def test_new_without_remote_candidates() -> None:
    async with media_peers() as peers:
        peers.alice.add_transceiver("audio")
        await negotiate(peers.alice, peers.bob)
        for pc in (peers.alice, peers.bob):
            assert (pc.connection_state, pc.ice_connection_state) == ("new", "new")


async def test_close_fires_nothing() -> None:
    async with media_peers() as peers:
        bob = peers.bob
        peers.alice.add_transceiver("audio")
        await connect(peers.alice, bob)
        await until(bob, "connection_state_change", lambda: bob.connection_state == "connected")
        states = record(bob)
        bob.close()
        assert bob.connection_state == "closed"
        await trio.sleep(1)
        assert states == []
