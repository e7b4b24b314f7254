"""Connections through TURN servers on the simulated network (RFC 8656)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from tests.strategies.peers import channel_pair, connect, settings_for
from tests.strategies.scenarios import messages_pass, state_reached
from trio_rtc import (
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCPeerConnectionIceErrorEvent,
)
from trio_rtc.protocols._contract import Address
from trio_rtc.testing import NatKind, SimulatedNetwork, TurnServer, TurnServerOptions

pytestmark = pytest.mark.usefixtures("autojump_clock")

TURN = RTCIceServer(urls="turn:turn.example", username="alice", credential="secret")


@attrs.define
class Relayed:
    """Two peers, and the TURN server between them."""

    network: SimulatedNetwork
    server: TurnServer
    alice: RTCPeerConnection
    bob: RTCPeerConnection


def add_server(network: SimulatedNetwork, options: TurnServerOptions | None = None) -> TurnServer:
    addresses = ["198.51.100.1", "2001:db8::1"]
    return network.add_turn_server("turn.example", addresses, {"alice": "secret"}, options=options)


@asynccontextmanager
async def relayed_peers(
    *,
    policy: str = "relay",
    kind: NatKind | None = None,
    options: TurnServerOptions | None = None,
    ipv6: bool = False,
) -> AsyncIterator[Relayed]:
    """Connect two peers, both behind a NAT of a kind, and check that nothing is left on the server at the end."""
    network = SimulatedNetwork()
    server = add_server(network, options)
    configuration = RTCConfiguration(ice_servers=[TURN], ice_transport_policy=policy)
    settings = []
    for index, name in enumerate(("alice", "bob")):
        nat = (
            None
            if kind is None
            else network.add_nat(f"nat {name}", kind=kind, public=f"203.0.113.{index + 1}")
        )
        address = f"2001:db8::{index + 11}" if ipv6 else f"192.0.2.{index + 11}"
        host = network.add_host(name, [address if nat is None else f"192.168.{index}.2"], behind=nat)
        settings.append(settings_for(host, index))
    async with network:
        async with (
            RTCPeerConnection(configuration, settings=settings[0]) as alice,
            RTCPeerConnection(configuration, settings=settings[1]) as bob,
        ):
            yield Relayed(network, server, alice, bob)
        assert server.allocations == ()
        assert network.open_sockets == []


def types(pc: RTCPeerConnection) -> tuple[str | None, str | None]:
    assert pc.sctp is not None
    pair = pc.sctp.transport.ice_transport.get_selected_candidate_pair()
    assert pair is not None
    return pair.local.type, pair.remote.type


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("password_algorithms", [False, True])
async def test_two_peers_connect_by_relayed_addresses_alone(password_algorithms: bool, ipv6: bool) -> None:
    options = TurnServerOptions(password_algorithms=password_algorithms)
    async with relayed_peers(options=options, ipv6=ipv6) as peers:
        ours, theirs = await channel_pair(peers.alice, peers.bob)
        await messages_pass(ours, theirs)
        assert types(peers.alice) == types(peers.bob) == ("relay", "relay")
        assert len(peers.server.allocations) == 2


async def test_two_symmetric_nats_connect_over_one_relay() -> None:
    async with relayed_peers(policy="all", kind=NatKind.SYMMETRIC) as peers:
        ours, theirs = await channel_pair(peers.alice, peers.bob)
        await messages_pass(ours, theirs)
        assert "relay" in types(peers.alice)


async def test_a_relayed_connection_lasts_for_hours_with_short_lifetimes() -> None:
    """Allocation, nonce, permissions and channels are refreshed."""
    options = TurnServerOptions(lifetime=120, nonce_lifetime=100)
    async with relayed_peers(options=options) as peers:
        ours, theirs = await channel_pair(peers.alice, peers.bob)
        for _ in range(12):
            await trio.sleep(600)
            await messages_pass(ours, theirs)
        assert peers.alice.connection_state == peers.bob.connection_state == "connected"


async def test_a_large_transfer_uses_channels() -> None:
    async with relayed_peers() as peers:
        ours, theirs = await channel_pair(peers.alice, peers.bob)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.send, bytes(200_000))
            assert await theirs.receive() == bytes(200_000)
        sizes = [entry.packet.data[:1] for entry in peers.network.trace if entry.packet.sender == "alice"]
        channel_data = sum(b"\x40" <= first <= b"\x4f" for first in sizes)
        assert channel_data > 0.9 * len(sizes)


async def test_a_server_that_restarts_is_replaced_by_an_ice_restart() -> None:
    async with relayed_peers() as peers:
        ours, theirs = await channel_pair(peers.alice, peers.bob)
        peers.server.forget_allocations()
        await state_reached(peers.alice, "disconnected")
        peers.alice.restart_ice()
        await connect(peers.alice, peers.bob)
        await messages_pass(ours, theirs)
        assert types(peers.alice) == ("relay", "relay")


async def test_closing_while_the_server_does_not_respond_leaves_nothing_running() -> None:
    """The allocation ends on the server by its lifetime; here, closing takes at most the timeout of the release."""
    network = SimulatedNetwork()
    add_server(network)
    host = network.add_host("alice", ["192.0.2.11"])
    async with network:
        async with RTCPeerConnection(RTCConfiguration([TURN]), settings=settings_for(host, 0)) as pc:
            pc.create_data_channel("")
            await pc.set_local_description()
            await pc.gathering_complete()
            network.partition("turn.example")
            before = trio.current_time()
        assert trio.current_time() - before < 2.5
        assert network.open_sockets == []


@pytest.mark.parametrize("after", [0.0, 0.015, 0.03, 0.05, 0.2])
async def test_an_allocation_is_released_whenever_the_connection_is_cancelled(after: float) -> None:
    network = SimulatedNetwork()
    server = add_server(network)
    host = network.add_host("alice", ["192.0.2.11"])
    async with network:
        with trio.move_on_after(after):
            async with RTCPeerConnection(RTCConfiguration([TURN]), settings=settings_for(host, 0)) as pc:
                pc.create_data_channel("")
                await pc.set_local_description()
                await trio.sleep_forever()
        assert server.allocations == ()
        assert network.open_sockets == []


async def errors_of(
    network: SimulatedNetwork, server: RTCIceServer, *, seconds: float = 15
) -> list[RTCPeerConnectionIceErrorEvent]:
    host = network.add_host("alice", ["192.0.2.11"])
    errors: list[RTCPeerConnectionIceErrorEvent] = []
    configuration = RTCConfiguration([server], ice_transport_policy="relay")
    async with network, RTCPeerConnection(configuration, settings=settings_for(host, 0)) as pc:
        pc.on_ice_candidate_error = errors.append
        pc.create_data_channel("")
        await pc.set_local_description()
        with trio.fail_after(seconds):
            await pc.gathering_complete()
    return errors


async def test_wrong_credentials_are_reported_with_the_code_and_text_of_the_server() -> None:
    network = SimulatedNetwork()
    add_server(network)
    wrong = attrs.evolve(TURN, credential="wrong")
    (error,) = await errors_of(network, wrong)
    assert (error.error_code, error.error_text) == (401, "Unauthorized")
    assert error.url == "turn:turn.example"
    assert error.address == "192.0.2.11"


async def test_an_unreachable_server_is_reported_after_ten_seconds() -> None:
    network = SimulatedNetwork()
    network.add_host("turn.example", ["198.51.100.1"])
    network.add_name("turn.example", "198.51.100.1")
    (error,) = await errors_of(network, TURN)
    assert error.error_code == 701
    assert "no response from the server" in error.error_text


async def test_a_redirection_is_followed_and_a_circle_ends() -> None:
    network = SimulatedNetwork()
    add_server(network, TurnServerOptions(alternate_server=Address("198.51.100.2", 3478)))
    second = network.add_turn_server("second.example", ["198.51.100.2"], {"alice": "secret"})
    assert await errors_of(network, TURN) == []
    assert second.allocations == ()
    network = SimulatedNetwork()
    add_server(network, TurnServerOptions(alternate_server=Address("198.51.100.2", 3478)))
    options = TurnServerOptions(alternate_server=Address("198.51.100.1", 3478))
    network.add_turn_server("second.example", ["198.51.100.2"], {"alice": "secret"}, options=options)
    (error,) = await errors_of(network, TURN)
    assert "redirected in a circle" in error.error_text
