"""``ice_connection_state`` (W3C webrtc section 4.3.4)."""

import pytest
import trio

from tests.api.web_platform.peers import until
from tests.strategies.media import ENCODED, media_peers, only
from tests.strategies.peers import connect, negotiate, trickle, two_peers
from trio_rtc import RTCConfiguration, RTCIceCandidate, RTCPeerConnection

pytestmark = pytest.mark.usefixtures("autojump_clock")


def record(pc: RTCPeerConnection) -> list[str]:
    """Return a list of the ICE connection states, which grows with each event."""
    states: list[str] = []
    pc.on_ice_connection_state_change = lambda _: states.append(pc.ice_connection_state)
    return states


def test_new_and_closed() -> None:
    pc = RTCPeerConnection()
    assert pc.ice_connection_state == "new"
    pc.close()
    assert pc.ice_connection_state == "closed"


@pytest.mark.parametrize(
    "kinds", [["audio"], ["audio", "video"], []], ids=["audio", "audio and video", "data"]
)
async def test_checking_then_connected(kinds: list[str]) -> None:
    async with media_peers() as peers:
        alice = peers.alice
        for kind in kinds:
            alice.add_transceiver(kind)
        if not kinds:
            alice.create_data_channel("chat")
        states = record(alice)
        await connect(alice, peers.bob)
        await trio.sleep(1)
        assert states == ["checking", "connected", "completed"]


async def test_it_is_the_state_of_its_only_transport_in_each_event() -> None:
    async with two_peers() as peers:
        alice = peers.alice
        seen: list[tuple[str, str]] = []

        def look(_: object) -> None:
            assert alice.sctp is not None
            seen.append((alice.ice_connection_state, alice.sctp.transport.ice_transport.state))

        alice.on_ice_connection_state_change = look
        alice.create_data_channel("chat")
        await connect(alice, peers.bob)
        await trio.sleep(1)
        assert seen == [(state, state) for state in ("checking", "connected", "completed")]


async def test_receiving_only() -> None:
    async with media_peers() as peers:
        alice = peers.alice
        alice.add_transceiver("audio", direction="recvonly")
        peers.bob.add_transceiver("audio")
        await connect(alice, peers.bob)
        assert only(alice.get_transceivers()).direction == "recvonly"
        await until(
            alice,
            "ice_connection_state_change",
            lambda: alice.ice_connection_state in ("connected", "completed"),
        )


@pytest.mark.parametrize("policy", ["balanced", "max-bundle", "max-compat"])
async def test_with_the_transport_that_all_share(policy: str) -> None:
    configuration = RTCConfiguration(bundle_policy=policy)
    async with two_peers(configuration=configuration, settings=ENCODED) as peers:
        alice = peers.alice
        audio = alice.add_transceiver("audio")
        alice.add_transceiver("video")
        alice.create_data_channel("chat")
        await connect(alice, peers.bob)
        assert audio.receiver.transport is not None
        assert audio.receiver.transport is audio.sender.transport
        ice = audio.receiver.transport.ice_transport
        await until(ice, "state_change", lambda: ice.state == "connected")
        assert alice.ice_connection_state == "connected"


async def test_of_an_answerer_whose_candidates_come_late() -> None:
    async with media_peers() as peers:
        alice, bob = peers.alice, peers.bob
        held: list[RTCIceCandidate | None] = []
        alice.on_ice_candidate = lambda event: bob.add_ice_candidate(event.candidate)
        bob.on_ice_candidate = lambda event: held.append(event.candidate)
        states, peers_states = record(alice), record(bob)
        for kind in ("audio", "video"):
            alice.add_transceiver(kind)
        await negotiate(alice, bob)
        for candidate in held:
            await alice.add_ice_candidate(candidate)
        await trio.sleep(1)
        assert states[:2] == ["checking", "connected"]
        assert peers_states[:2] == ["checking", "connected"]


async def test_checking_by_the_peers_requests() -> None:
    async with media_peers() as peers:
        alice, bob = peers.alice, peers.bob
        alice.on_ice_candidate = lambda event: bob.add_ice_candidate(event.candidate)
        states = record(alice)
        alice.add_transceiver("audio")
        await negotiate(alice, bob)
        await trio.sleep(1)
        assert states[:2] == ["checking", "connected"]


async def test_close_fires_nothing() -> None:
    async with media_peers() as peers:
        bob = peers.bob
        peers.alice.add_transceiver("audio")
        await connect(peers.alice, bob)
        await trio.sleep(1)
        states = record(bob)
        bob.close()
        assert bob.ice_connection_state == "closed"
        await trio.sleep(1)
        assert states == []


@pytest.mark.parametrize("data", [False, True], ids=["audio", "data"])
async def test_disconnected_and_restarted(data: bool) -> None:
    async with media_peers() as peers:
        alice, bob = peers.alice, peers.bob
        if data:
            alice.create_data_channel("chat")
        else:
            alice.add_transceiver("audio")
        trickle(alice, bob)
        await negotiate(alice, bob)
        await trio.sleep(1)
        states = record(alice)
        peers.network.partition("alice", "bob")
        await trio.sleep(15)
        assert states == ["disconnected"]
        peers.network.heal("alice", "bob")
        alice.on_ice_candidate = bob.on_ice_candidate = None
        alice.restart_ice()
        trickle(alice, bob)
        await negotiate(alice, bob)
        await trio.sleep(5)
        assert "connected" in states[1:]
        assert alice.ice_connection_state in ("connected", "completed")
