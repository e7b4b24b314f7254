"""Relayed candidates and the ICE transport policy, with a fake TURN client whose sockets are on the relay itself."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.transport_stacks import exchange_candidates, make_side
from trio_rtc.enums import RTCIceCandidateType, RTCIceTransportPolicy
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.dtls import DtlsRole
from trio_rtc.protocols.ice import (
    Agent,
    Candidate,
    CandidateErrorOccurred,
    GatheringCompleted,
    IceEvent,
    IceOptions,
    IceRole,
    IceServer,
    LocalCandidateGathered,
)
from trio_rtc.testing import Link, SimulatedHost, SimulatedNetwork
from trio_rtc.transports.base import Inbox
from trio_rtc.transports.ice import IceTransport
from trio_rtc.transports.network import InterfaceAddress
from trio_rtc.transports.port_allocator import PortAllocator, RelayedSocket
from trio_rtc.transports.settings import Settings

pytestmark = pytest.mark.usefixtures("autojump_clock")

TURN = IceServer.parse("turn:turn.example?transport=udp", "alice", "secret")
STUN = IceServer.parse("stun:turn.example")
RELAY = RTCIceTransportPolicy.RELAY
ALL = RTCIceTransportPolicy.ALL
RELAY_HOST = "198.51.100.9"
MAPPED = Address("203.0.113.7", 4000)


@attrs.define
class FakeRelayClient:
    """Allocates a socket of the relay's own host, which a real client would reach through Send and Data indications.

    Attributes:
        relay: Host of the relay.
        servers: Servers and interfaces of the allocations.
        error: Raised by ``allocate`` if set.
    """

    relay: SimulatedHost
    servers: list[tuple[IceServer, Address, str]] = attrs.Factory(list)
    error: OSError | None = None

    async def allocate(
        self, server: IceServer, address: Address, interface: InterfaceAddress
    ) -> RelayedSocket:
        self.servers.append((server, address, interface.host))
        if self.error is not None:
            raise self.error
        return RelayedSocket(await self.relay.bind_udp(InterfaceAddress("eth0", RELAY_HOST)), MAPPED)


class Side:
    """An ICE transport with its port allocator and relay client."""

    def __init__(self, host: SimulatedHost, relay: SimulatedHost, role: IceRole) -> None:
        self.host = host
        self.client = FakeRelayClient(relay)
        self.events: list[IceEvent] = []
        self.peer: Agent | None = None
        self.received = Inbox[list[bytes]]()
        self.agent = Agent(IceOptions(), rng=random.Random(host.name), role=role)
        self.ice = IceTransport(self.agent, Inbox[list[Datagram]](), self.received, self._handle)
        self.allocator = PortAllocator(self.ice, host, Settings(), self.client)

    def _handle(self, event: IceEvent) -> None:
        self.events.append(event)
        if self.peer is None:
            return
        if isinstance(event, LocalCandidateGathered):
            candidate = Candidate.parse(event.candidate.to_sdp())
            self.peer.add_remote_candidate(candidate, trio.current_time())
        elif isinstance(event, GatheringCompleted):
            self.peer.remote_candidates_complete(trio.current_time())

    @property
    def gathered(self) -> list[LocalCandidateGathered]:
        return [event for event in self.events if isinstance(event, LocalCandidateGathered)]

    @property
    def types(self) -> list[str]:
        return [event.candidate.type.value for event in self.gathered]

    @property
    def errors(self) -> list[CandidateErrorOccurred]:
        return [event for event in self.events if isinstance(event, CandidateErrorOccurred)]


@asynccontextmanager
async def two_sides() -> AsyncIterator[tuple[Side, Side, trio.Nursery]]:
    """Run two transports that do not gather yet, and know each other's credentials."""
    async with (
        SimulatedNetwork(link=Link(delay=0.01), granularity=0) as network,
        trio.open_nursery() as nursery,
    ):
        relay = network.add_host("relay", [RELAY_HOST])
        network.add_stun_server("turn.example", ["198.51.100.1"])
        alice = Side(network.add_host("alice", ["10.0.0.1"]), relay, IceRole.CONTROLLING)
        bob = Side(network.add_host("bob", ["10.0.0.2"]), relay, IceRole.CONTROLLED)
        for side, peer in ((alice, bob), (bob, alice)):
            side.peer = peer.agent
            side.agent.set_remote_parameters(peer.agent.local_parameters, 0.0)
            await nursery.start(side.ice.run)
        yield alice, bob, nursery
        for side in (alice, bob):
            side.allocator.close_sockets()
            assert side.host.open_sockets == ()
        assert relay.open_sockets == ()
        nursery.cancel_scope.cancel()


async def test_two_agents_with_relay_policy_connect_over_relayed_sockets() -> None:
    async with two_sides() as (alice, bob, nursery):
        for side in (alice, bob):
            side.agent.set_transport_policy(RELAY)
            nursery.start_soon(side.allocator.run, nursery, [TURN, STUN])
        await trio.sleep(5)
        for side in (alice, bob):
            assert side.agent.state == "completed"
            assert side.types == ["relay"]
            assert side.host.open_sockets == ()
            assert side.errors == []
            pair = side.agent.selected_pair
            assert pair is not None
            assert (pair.local.type, pair.remote.type) == ("relay", "relay")
            assert pair.local_base.host == pair.remote_address.host == RELAY_HOST
        assert alice.ice.send_nowait([b"\x16hello"], trio.current_time())
        await trio.sleep(1)
        assert bob.received.receive_nowait() == [b"\x16hello"]


async def test_two_stacks_with_relay_policy_open_a_data_channel_transport() -> None:
    """The whole stack runs over relayed sockets: ICE, DTLS and SCTP."""
    async with (
        SimulatedNetwork(link=Link(delay=0.01), granularity=0) as network,
        trio.open_nursery() as nursery,
    ):
        relay = network.add_host("relay", [RELAY_HOST])
        network.add_stun_server("turn.example", ["198.51.100.1"])
        sides = []
        for name, role in (("10.0.0.1", DtlsRole.CLIENT), ("10.0.0.2", DtlsRole.SERVER)):
            host = network.add_host(name, [name])
            sides.append((make_side(host, role, relay_client=FakeRelayClient(relay)), host))
        (client, _), (server, _) = sides
        client.stack.agent.set_role(IceRole.CONTROLLING, trio.current_time())
        server.stack.agent.set_role(IceRole.CONTROLLED, trio.current_time())
        for side, _ in sides:
            await side.stack.start(nursery)
        exchange_candidates(client, server)
        for side, _ in sides:
            side.stack.gather([TURN], RELAY)
            side.start_upper_layers()
        await trio.sleep(5)
        for side, host in sides:
            assert side.delegate.has("sctp AssociationEstablished")
            assert host.open_sockets == ()
        await client.stack.end()
        await server.stack.end()
        assert relay.open_sockets == ()
        nursery.cancel_scope.cancel()


async def test_a_relayed_candidate_names_its_server_and_the_mapped_address() -> None:
    async with two_sides() as (alice, _, nursery):
        await alice.allocator.run(nursery, [TURN])
        assert alice.client.servers == [(TURN, Address("198.51.100.1", 3478), "10.0.0.1")]
        host, relayed = alice.gathered
        assert (host.candidate.type, host.url) == ("host", None)
        assert (relayed.candidate.type, relayed.url) == ("relay", TURN.url)
        assert relayed.candidate.address == RELAY_HOST
        assert (relayed.candidate.related_address, relayed.candidate.related_port) == MAPPED
        assert relayed.candidate.priority < host.candidate.priority
        assert relayed.candidate.foundation != host.candidate.foundation


async def test_relay_policy_hides_the_mapped_address() -> None:
    """RFC 8839 section 5.1."""
    async with two_sides() as (alice, _, nursery):
        alice.agent.set_transport_policy(RELAY)
        await alice.allocator.run(nursery, [TURN])
        (relayed,) = alice.gathered
        assert (relayed.candidate.related_address, relayed.candidate.related_port) == ("0.0.0.0", 9)


async def test_direct_paths_are_preferred_to_relayed_ones() -> None:
    async with two_sides() as (alice, bob, nursery):
        for side in (alice, bob):
            nursery.start_soon(side.allocator.run, nursery, [TURN])
        await trio.sleep(5)
        for side in (alice, bob):
            assert sorted(side.types) == ["host", "relay"]
            pair = side.agent.selected_pair
            assert pair is not None
            assert (pair.local.type, pair.remote.type) == ("host", "host")


async def test_one_side_with_relay_policy_is_enough_for_a_relayed_path() -> None:
    async with two_sides() as (alice, bob, nursery):
        alice.agent.set_transport_policy(RELAY)
        for side in (alice, bob):
            nursery.start_soon(side.allocator.run, nursery, [TURN])
        await trio.sleep(5)
        pair = alice.agent.selected_pair
        assert pair is not None
        assert pair.local.type == "relay"


async def test_a_changed_policy_applies_from_the_next_generation_on() -> None:
    async with two_sides() as (alice, _, nursery):
        await alice.allocator.run(nursery, [TURN])
        alice.agent.set_transport_policy(RELAY)
        assert alice.agent.gathers(RTCIceCandidateType.HOST)
        alice.events.clear()
        alice.agent.restart(trio.current_time())
        await alice.ice.flush()
        assert alice.types == ["relay"]
        assert not alice.agent.gathers(RTCIceCandidateType.HOST)
        alice.agent.set_transport_policy(ALL)
        alice.events.clear()
        alice.agent.restart(trio.current_time())
        await alice.ice.flush()
        assert alice.types == ["host", "relay"]


async def test_a_host_socket_carries_the_selected_pair_until_the_relayed_one_is_nominated() -> None:
    """The peer's checks of the old pair are answered, although the policy excludes host candidates by now."""
    async with two_sides() as (alice, bob, nursery):
        for side in (alice, bob):
            nursery.start_soon(side.allocator.run, nursery, [])
        await trio.sleep(5)
        alice.agent.set_transport_policy(RELAY)
        alice.agent.restart(trio.current_time())
        await alice.ice.flush()
        await trio.sleep(20)
        assert alice.agent.selected_pair is not None
        assert bob.agent.state == "completed"
        assert alice.agent.dropped["unknown-address"] == 0


@pytest.mark.parametrize("policy", [ALL, RELAY])
async def test_a_failed_allocation_is_an_error_event(policy: RTCIceTransportPolicy) -> None:
    async with two_sides() as (alice, _, nursery):
        alice.client.error = OSError("401 Unauthorized")
        alice.agent.set_transport_policy(policy)
        await alice.allocator.run(nursery, [TURN])
        (error,) = alice.errors
        assert (error.url, error.error_code) == (TURN.url, 701)
        assert "401 Unauthorized" in error.error_text
        assert GatheringCompleted() in alice.events


async def test_a_relayed_socket_of_a_lost_address_is_closed() -> None:
    async with two_sides() as (alice, _, nursery):
        await alice.allocator.run(nursery, [TURN])
        await alice.allocator.run(nursery, [TURN])
        assert len(alice.client.servers) == 1
        (relayed,) = alice.client.relay.open_sockets
        alice.host.add_address("eth0", "10.0.0.5")
        alice.host.remove_address("10.0.0.1")
        alice.allocator.close_lost_addresses()
        assert relayed not in alice.client.relay.open_sockets
        assert len(alice.agent.local_candidates) == 0
        await alice.allocator.run(nursery, [TURN])
        assert sorted(candidate.type for candidate in alice.agent.local_candidates) == ["host", "relay"]
