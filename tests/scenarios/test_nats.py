"""Every combination of NAT types, with a STUN server and without a relay."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from tests.strategies.peers import channel_pair, connect, settings_for
from tests.strategies.scenarios import messages_pass, state_reached
from trio_rtc import RTCConfiguration, RTCIceServer, RTCPeerConnection
from trio_rtc.testing import Nat, NatKind, SimulatedNetwork

pytestmark = pytest.mark.usefixtures("autojump_clock")

NO_NAT = None
PLACES = [NO_NAT, *NatKind]
NEEDS_A_RELAY = {
    frozenset({NatKind.SYMMETRIC}),
    frozenset({NatKind.SYMMETRIC, NatKind.PORT_RESTRICTED}),
}
"""Combinations in which both NATs filter by port and one mapped port is unpredictable (RFC 5128 section 3)."""


@attrs.define
class PeersBehindNats:
    """Two peers, the NATs that they are behind, and the network."""

    network: SimulatedNetwork
    alice: RTCPeerConnection
    bob: RTCPeerConnection
    nats: list[Nat]


@asynccontextmanager
async def peers_behind(
    *kinds: NatKind | None, same_nat: bool = False, hairpin: bool = False, mapping_lifetime: float = 120
) -> AsyncIterator[PeersBehindNats]:
    network = SimulatedNetwork()
    network.add_stun_server("stun.example", ["198.51.100.1"])
    configuration = RTCConfiguration(ice_servers=[RTCIceServer(urls="stun:stun.example")])
    nats: list[Nat] = []
    settings = []
    for index, (name, kind) in enumerate(zip(("alice", "bob"), kinds, strict=True)):
        if kind is not None and not (same_nat and nats):
            nats.append(
                network.add_nat(
                    f"nat of {name}",
                    kind=kind,
                    public=f"203.0.113.{index + 1}",
                    hairpin=hairpin,
                    mapping_lifetime=mapping_lifetime,
                )
            )
        address = f"198.51.100.{index + 11}" if kind is None else f"192.168.{index}.2"
        host = network.add_host(name, [address], behind=nats[-1] if kind is not None else None)
        settings.append(settings_for(host, index))
    async with (
        network,
        RTCPeerConnection(configuration, settings=settings[0]) as alice,
        RTCPeerConnection(configuration, settings=settings[1]) as bob,
    ):
        yield PeersBehindNats(network, alice, bob, nats)


@pytest.mark.parametrize("bobs", PLACES)
@pytest.mark.parametrize("alices", PLACES)
async def test_nat_traversal(alices: NatKind | None, bobs: NatKind | None) -> None:
    async with peers_behind(alices, bobs) as peers:
        if frozenset({alices, bobs}) in NEEDS_A_RELAY:
            peers.alice.create_data_channel("chat")
            await connect(peers.alice, peers.bob)
            with trio.fail_after(20):
                await state_reached(peers.alice, "failed")
                await state_reached(peers.bob, "failed")
            return
        with trio.fail_after(2):
            mine, theirs = await channel_pair(peers.alice, peers.bob)
            await messages_pass(mine, theirs)
        if alices is not None or bobs is not None:
            assert "host" not in kinds_of_pair(peers.alice) or alices is None or bobs is None


def kinds_of_pair(pc: RTCPeerConnection) -> tuple[str | None, str | None]:
    """Return the candidate types of the selected pair."""
    assert pc.sctp is not None
    pair = pc.sctp.transport.ice_transport.get_selected_candidate_pair()
    assert pair is not None
    return pair.local.type, pair.remote.type


@pytest.mark.parametrize("kind", list(NatKind))
async def test_peers_behind_the_same_nat_connect_locally(kind: NatKind) -> None:
    async with peers_behind(kind, kind, same_nat=True) as peers:
        with trio.fail_after(2):
            mine, theirs = await channel_pair(peers.alice, peers.bob)
            await messages_pass(mine, theirs)
        assert kinds_of_pair(peers.alice) == ("host", "host")


@pytest.mark.parametrize("kind", [NatKind.FULL_CONE, NatKind.PORT_RESTRICTED])
async def test_an_idle_connection_keeps_its_nat_mapping(kind: NatKind) -> None:
    async with peers_behind(kind, kind, mapping_lifetime=30) as peers:
        mine, theirs = await channel_pair(peers.alice, peers.bob)
        await trio.sleep(600)
        assert peers.alice.connection_state == peers.bob.connection_state == "connected"
        with trio.fail_after(1):
            await messages_pass(mine, theirs)


@pytest.mark.parametrize("kinds", [(NatKind.PORT_RESTRICTED, NatKind.FULL_CONE), (NatKind.SYMMETRIC, None)])
async def test_a_rebooted_router(kinds: tuple[NatKind, NatKind | None]) -> None:
    """Its mappings are lost; an ICE restart creates new ones without interrupting the channel."""
    async with peers_behind(*kinds) as peers:
        mine, theirs = await channel_pair(peers.alice, peers.bob)
        peers.nats[0].forget_mappings()
        await mine.send("said meanwhile")
        await trio.sleep(6)
        peers.alice.restart_ice()
        with trio.fail_after(6):
            await connect(peers.alice, peers.bob)
            assert await theirs.receive() == "said meanwhile"
            await messages_pass(mine, theirs)
        assert peers.alice.connection_state == peers.bob.connection_state == "connected"


async def test_a_server_behind_a_one_to_one_nat_announces_its_public_address() -> None:
    """Without a STUN server, a peer behind a symmetric NAT reaches the public address that the server announces."""
    network = SimulatedNetwork()
    cloud = network.add_nat("cloud", kind="symmetric", public="203.0.113.1", one_to_one="10.0.0.2")
    home = network.add_nat("home", kind="symmetric", public="203.0.113.2")
    server_host = network.add_host("server", ["10.0.0.2"], behind=cloud)
    client_host = network.add_host("client", ["192.168.1.2"], behind=home)
    settings = attrs.evolve(settings_for(server_host, 0), announced_addresses=lambda address: ["203.0.113.1"])
    async with (
        network,
        RTCPeerConnection(settings=settings) as server,
        RTCPeerConnection(settings=settings_for(client_host, 1)) as client,
    ):
        ours, theirs = await channel_pair(server, client)
        await messages_pass(ours, theirs)
        assert server.local_description is not None
        assert "10.0.0.2" not in server.local_description.sdp
        assert server.sctp is not None
        pair = server.sctp.transport.ice_transport.get_selected_candidate_pair()
        assert pair is not None
        assert (pair.local.type, pair.local.address) == ("host", "203.0.113.1")
