"""Relayed candidates and the ICE transport policy, with a fake TURN client whose sockets are on the relay itself."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.transport_stacks import exchange_candidates, make_side
from trio_rtc import (
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceCandidateStats,
    RTCIceServer,
    RTCPeerConnection,
    RTCPeerConnectionIceErrorEvent,
)
from trio_rtc._connection import assembly
from trio_rtc.enums import RTCIceCandidateType, RTCIceTransportPolicy
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.dtls import DtlsRole
from trio_rtc.protocols.ice import (
    SERVER_NOT_REACHABLE,
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
from trio_rtc.testing import Link, SimulatedHost, SimulatedNetwork, SimulatedSocket
from trio_rtc.transports.base import Inbox
from trio_rtc.transports.ice import IceTransport
from trio_rtc.transports.network import BindSocket, InterfaceAddress
from trio_rtc.transports.port_allocator import PortAllocator
from trio_rtc.transports.settings import Settings
from trio_rtc.transports.stack import TransportStack
from trio_rtc.transports.turn import AllocationError

pytestmark = pytest.mark.usefixtures("autojump_clock")

TURN = IceServer.parse("turn:turn.example?transport=udp", "alice", "secret")
STUN = IceServer.parse("stun:turn.example")
RELAY = RTCIceTransportPolicy.RELAY
ALL = RTCIceTransportPolicy.ALL
RELAY_HOST = "198.51.100.9"
MAPPED = Address("203.0.113.7", 4000)


class FakeRelayedSocket:
    """A socket of the relay's own host."""

    mapped_address = MAPPED

    def __init__(self, relay_socket: SimulatedSocket) -> None:
        self.relay_socket = relay_socket

    async def confirm(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.relay_socket, name)


@attrs.define
class FakeTurnClient:
    """Allocates a socket of the relay's own host, which a real client would reach through Send and Data indications.

    Attributes:
        relay: Host of the relay.
        servers: Servers, and the local addresses from which they were reached.
        error: Raised by ``allocate`` if set.
        errors: The same for single addresses.
        refusals: Codes and reasons of the error responses of servers that refuse allocations.
        answered: Set once servers respond.
    """

    relay: SimulatedHost
    servers: list[tuple[IceServer, Address, Address]] = attrs.Factory(list)
    error: OSError | None = None
    errors: dict[Address, OSError] = attrs.Factory(dict)
    refusals: dict[IceServer, tuple[int, str]] = attrs.Factory(dict)
    answered: trio.Event | None = None

    async def allocate(
        self, server: IceServer, address: Address, interface: InterfaceAddress, bind: BindSocket
    ) -> FakeRelayedSocket:
        bound = await bind()
        bound.close()
        self.servers.append((server, address, bound.local_address))
        error = self.error or self.errors.get(address)
        if error is not None:
            raise error
        if server in self.refusals:
            raise AllocationError(*self.refusals[server], bound.local_address)
        if self.answered is not None:
            await self.answered.wait()
        return FakeRelayedSocket(await self.relay.bind_udp(InterfaceAddress("eth0", RELAY_HOST)))


class Side:
    """An ICE transport with its port allocator and TURN client."""

    def __init__(self, host: SimulatedHost, relay: SimulatedHost, role: IceRole) -> None:
        self.host = host
        self.client = FakeTurnClient(relay)
        self.events: list[IceEvent] = []
        self.peer: Agent | None = None
        self.received = Inbox[list[bytes]]()
        self.agent = Agent(IceOptions(), rng=random.Random(host.name), role=role)
        self.ice = IceTransport(self.agent, Inbox[list[Datagram]](), self.received, self._handle)
        self.allocator = PortAllocator(self.ice, host, Settings(port_range=(5000, 5009)), self.client)

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
        network.add_stun_server("two.example", ["198.51.100.2", "198.51.100.3"])
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
            sides.append((make_side(host, role, relay_allocator=FakeTurnClient(relay)), host))
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
        # The host candidate has the first port of the range.
        assert alice.client.servers == [(TURN, Address("198.51.100.1", 3478), Address("10.0.0.1", 5001))]
        host, relayed = alice.gathered
        assert (host.candidate.type, host.url) == ("host", None)
        assert (relayed.candidate.type, relayed.url) == ("relay", TURN.url)
        assert (host.relay_protocol, relayed.relay_protocol) == (None, "udp")
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


async def test_an_error_response_is_reported_with_its_code_and_local_address() -> None:
    async with two_sides() as (alice, _, nursery):
        alice.host.add_address("eth0", "10.0.0.5")
        alice.client.refusals[TURN] = (486, "Allocation Quota Reached")
        await alice.allocator.run(nursery, [TURN])
        assert sorted((error.address, error.port) for error in alice.errors) == [
            ("10.0.0.1", 5001),
            ("10.0.0.5", 5001),
        ]
        assert {(error.url, error.error_code, error.error_text) for error in alice.errors} == {
            (TURN.url, 486, "Allocation Quota Reached")
        }
        assert GatheringCompleted() in alice.events


async def test_relayed_candidates_and_errors_of_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = IceServer.parse("turn:198.51.100.7?transport=tcp", "bob", "secret")
    configuration = RTCConfiguration(
        [RTCIceServer(server.url, server.username, server.credential) for server in (TURN, refused)]
    )
    async with SimulatedNetwork() as network:
        client = FakeTurnClient(network.add_host("relay", [RELAY_HOST]), refusals={refused: (486, "Quota")})
        network.add_stun_server("turn.example", ["198.51.100.1"])
        host = network.add_host("alice", ["10.0.0.1"])
        monkeypatch.setattr(assembly, "TransportStack", partial(TransportStack, relay_allocator=client))
        async with RTCPeerConnection(configuration, settings=Settings(network=host)) as pc:
            errors: list[RTCPeerConnectionIceErrorEvent] = []
            candidates: list[RTCIceCandidate | None] = []
            pc.on_ice_candidate_error = errors.append
            pc.on_ice_candidate = lambda event: candidates.append(event.candidate)
            pc.create_data_channel("")
            await pc.set_local_description()
            await pc.gathering_complete()
            report = await pc.get_stats()
        (error,) = errors
        assert (error.url, error.error_code, error.error_text) == (refused.url, 486, "Quota")
        assert (error.address, error.port) in [each[2] for each in client.servers]
        expected = {("host", None, None), ("relay", "udp", TURN.url)}
        assert {
            (each.type, each.relay_protocol, each.url) for each in candidates if each and each.type
        } == expected
        stats = [each for each in report.values() if isinstance(each, RTCIceCandidateStats)]
        assert {(each.candidate_type, each.relay_protocol, each.url) for each in stats} == expected


async def test_a_name_with_several_addresses_is_tried_in_their_order() -> None:
    async with two_sides() as (alice, _, nursery):
        unreachable, reachable = Address("198.51.100.2", 3478), Address("198.51.100.3", 3478)
        alice.client.errors[unreachable] = OSError("no response")
        await alice.allocator.run(nursery, [IceServer.parse("turn:two.example", "alice", "secret")])
        assert [address for _, address, _ in alice.client.servers] == [unreachable, reachable]
        assert alice.types == ["host", "relay"]
        assert alice.errors == []


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "255.255.255.255"])
async def test_a_server_at_a_refused_address_is_not_contacted(address: str) -> None:
    async with two_sides() as (alice, _, nursery):
        server = IceServer.parse(f"turn:{address}", "alice", "secret")
        await alice.allocator.run(nursery, [server])
        assert alice.client.servers == []
        (error,) = alice.errors
        assert error.error_code == SERVER_NOT_REACHABLE
        assert f"{address}:3478 is refused" in error.error_text


async def test_an_allocation_that_ends_is_removed_and_replaced_in_the_next_generation() -> None:
    async with two_sides() as (alice, bob, nursery):
        for side in (alice, bob):
            side.agent.set_transport_policy(RELAY)
            nursery.start_soon(side.allocator.run, nursery, [TURN])
        await trio.sleep(5)
        pair = alice.agent.selected_pair
        assert pair is not None
        ended = next(
            each for each in alice.client.relay.open_sockets if each.local_address == pair.local_base
        )
        ended.close()
        await trio.sleep(0.1)
        assert alice.agent.selected_pair is None
        assert alice.agent.local_candidates == ()
        assert alice.agent.state == "disconnected"
        alice.events.clear()
        alice.agent.expect_sources()
        alice.agent.restart(trio.current_time())
        bob.agent.restart(trio.current_time())
        for side, peer in ((alice, bob), (bob, alice)):
            side.agent.set_remote_parameters(peer.agent.local_parameters, trio.current_time())
        await alice.allocator.run(nursery, [TURN])
        assert len(alice.client.servers) == 2
        (gathered,) = alice.gathered
        assert (gathered.candidate.address, gathered.candidate.port) != ended.local_address
        await trio.sleep(5)
        pair = alice.agent.selected_pair
        assert pair is not None
        assert pair.local_base == gathered.candidate.transport_address
        assert alice.agent.state == bob.agent.state == "completed"


async def test_changed_credentials_give_another_allocation() -> None:
    async with two_sides() as (alice, _, nursery):
        await alice.allocator.run(nursery, [TURN])
        await alice.allocator.run(nursery, [attrs.evolve(TURN, credential="changed")])
        assert [server.credential for server, _, _ in alice.client.servers] == ["secret", "changed"]


async def test_an_allocation_after_closing_is_closed() -> None:
    async with two_sides() as (alice, _, nursery):
        alice.client.answered = trio.Event()
        nursery.start_soon(alice.allocator.run, nursery, [TURN])
        await trio.testing.wait_all_tasks_blocked()
        alice.allocator.close_sockets()
        alice.client.answered.set()
        await trio.testing.wait_all_tasks_blocked()
        assert alice.client.relay.open_sockets == ()
        assert "relay" not in alice.types


async def test_a_second_allocation_at_the_same_time_is_closed() -> None:
    async with two_sides() as (alice, _, nursery):
        alice.client.answered = trio.Event()
        for _ in range(2):
            nursery.start_soon(alice.allocator.run, nursery, [TURN])
        await trio.testing.wait_all_tasks_blocked()
        alice.client.answered.set()
        await trio.testing.wait_all_tasks_blocked()
        assert len(alice.client.servers) == 2
        assert len(alice.client.relay.open_sockets) == 1
        assert alice.types.count("relay") == 1


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
