"""Local addresses, their preferences and ports, and ICE servers."""

import random

import pytest
import trio
import trio.testing

from tests.strategies.wires import ScriptedNetwork, ScriptedSocket
from trio_rtc.protocols._contract import Address, Datagram
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
from trio_rtc.protocols.stun import Message, success_response
from trio_rtc.protocols.turn import TurnOptions
from trio_rtc.transports.base import Inbox
from trio_rtc.transports.ice import IceTransport
from trio_rtc.transports.network import InterfaceAddress
from trio_rtc.transports.port_allocator import PortAllocator, with_preferences
from trio_rtc.transports.settings import Settings
from trio_rtc.transports.turn import TurnClient

pytestmark = pytest.mark.usefixtures("autojump_clock")


def on_eth0(*hosts: str) -> list[InterfaceAddress]:
    return [InterfaceAddress("eth0", host) for host in hosts]


# -- which addresses ---------------------------------------------------------------------------------------------


def test_preferences_are_unique_and_ipv6_comes_first() -> None:
    preferences = with_preferences(on_eth0("10.0.0.1", "fd00::1", "10.0.0.2", "fd00::2"))
    assert [interface.host for interface, _ in preferences] == ["fd00::1", "fd00::2", "10.0.0.1", "10.0.0.2"]
    assert [preference for _, preference in preferences] == [65535, 65534, 65533, 65532]


def test_addresses_without_a_free_preference_are_excluded() -> None:
    """RFC 8445 section 5.1.2.1: local preferences are from 0 to 65535."""
    preferences = with_preferences(on_eth0("10.0.0.1") * 3, taken=range(2, 65536))
    assert [preference for _, preference in preferences] == [1, 0]


# -- gathering ---------------------------------------------------------------------------------------------------


class Gathering:
    """A port allocator on a scripted network, and the events of its agent."""

    def __init__(self, network: ScriptedNetwork, **settings: object) -> None:
        self.network = network
        self.events: list[IceEvent] = []
        self.agent = Agent(IceOptions(), rng=random.Random(1), role=IceRole.CONTROLLING)
        self.ice = IceTransport(self.agent, Inbox[list[Datagram]](), Inbox[list[bytes]](), self.events.append)
        self._allocator = PortAllocator(
            self.ice,
            network,
            Settings(**settings),  # type: ignore[arg-type]
            TurnClient(TurnOptions(), network=network, rng=random.Random(2)),
        )

    async def start(self, nursery: trio.Nursery, *urls: str) -> None:
        await nursery.start(self.ice.run)
        nursery.start_soon(self._allocator.run, nursery, [IceServer.parse(url) for url in urls])
        await trio.testing.wait_all_tasks_blocked()

    def close(self) -> None:
        self._allocator.close_sockets()

    def close_lost_addresses(self) -> None:
        self._allocator.close_lost_addresses()

    async def run(self, *urls: str, seconds: float = 20) -> None:
        """Gather for this time, then end."""
        async with trio.open_nursery() as nursery:
            await self.start(nursery, *urls)
            await trio.sleep(seconds)
            nursery.cancel_scope.cancel()
        assert all(opened.closed for opened in self.network.sockets)

    @property
    def candidates(self) -> list[Candidate]:
        return [event.candidate for event in self.events if isinstance(event, LocalCandidateGathered)]

    @property
    def hosts(self) -> list[tuple[str, int]]:
        return [(candidate.address, candidate.port) for candidate in self.candidates]

    @property
    def errors(self) -> list[CandidateErrorOccurred]:
        return [event for event in self.events if isinstance(event, CandidateErrorOccurred)]

    @property
    def complete(self) -> bool:
        return GatheringCompleted() in self.events


async def test_every_address_gets_a_socket_and_a_candidate_in_the_order_of_preference() -> None:
    gathering = Gathering(ScriptedNetwork("10.0.0.1", "fd00::1", "fe80::1", "127.0.0.1"))
    await gathering.run()
    assert [host for host, _ in gathering.hosts] == ["fd00::1", "10.0.0.1"]
    assert gathering.hosts == [opened.local_address for opened in gathering.network.sockets]
    priorities = [candidate.priority for candidate in gathering.candidates]
    assert priorities == sorted(priorities, reverse=True)
    assert gathering.complete


async def test_a_socket_being_opened_at_close_is_closed_immediately() -> None:
    gathering = Gathering(ScriptedNetwork("10.0.0.1", "10.0.0.2"))
    gathering.network.bind_gate.shut()
    async with trio.open_nursery() as nursery:
        await gathering.start(nursery)
        gathering.close()
        gathering.network.bind_gate.open()
        await trio.testing.wait_all_tasks_blocked()
        assert [opened.closed for opened in gathering.network.sockets] == [True]
        assert gathering.hosts == []
        nursery.cancel_scope.cancel()


async def test_a_host_without_addresses_completes_gathering() -> None:
    gathering = Gathering(ScriptedNetwork())
    await gathering.run()
    assert gathering.candidates == []
    assert gathering.complete


async def test_the_interface_filter_overrides_the_defaults() -> None:
    gathering = Gathering(
        ScriptedNetwork("10.0.0.1", "127.0.0.1", "fe80::1"),
        interface_filter=lambda address: address.host in ("127.0.0.1", "fe80::1"),
    )
    await gathering.run()
    assert {host for host, _ in gathering.hosts} == {"127.0.0.1", "fe80::1"}


async def test_announced_addresses_of_another_family_are_ignored_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gathering = Gathering(
        ScriptedNetwork("10.0.0.1", "fd00::1"),
        announced_addresses=lambda address: ["203.0.113.7", "a name"],
    )
    await gathering.run()
    assert {host for host, _ in gathering.hosts} == {"fd00::1", "203.0.113.7"}
    assert "announced_addresses returned ['203.0.113.7', 'a name'] for fd00::1" in caplog.text


async def test_the_first_free_ports_of_the_range_are_bound() -> None:
    network = ScriptedNetwork("10.0.0.1", "10.0.0.2")
    network.taken_ports = {4000, 4001}
    gathering = Gathering(network, port_range=(4000, 4003))
    await gathering.run()
    assert gathering.hosts == [("10.0.0.1", 4002), ("10.0.0.2", 4002)]


async def test_with_an_exhausted_port_range_the_other_addresses_are_used(
    caplog: pytest.LogCaptureFixture,
) -> None:
    network = ScriptedNetwork("10.0.0.1", "10.0.0.1", "10.0.0.2")
    network.addresses[1] = InterfaceAddress("eth1", "10.0.0.1")
    gathering = Gathering(network, port_range=(4000, 4000))
    await gathering.run()
    assert gathering.hosts == [("10.0.0.1", 4000), ("10.0.0.2", 4000)]
    assert gathering.complete
    assert (
        "cannot bind a UDP socket on 10.0.0.1 with a port from 4000 to 4000 (port_range): the port is taken"
        in caplog.text
    )


class CountingNetwork(ScriptedNetwork):
    """Binds nothing, and records the requested ports."""

    def __init__(self, *addresses: str) -> None:
        super().__init__(*addresses)
        self.ports: list[int] = []

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> ScriptedSocket:
        self.ports.append(port)
        await trio.lowlevel.checkpoint()
        raise OSError("nothing can be bound")


@pytest.mark.parametrize(
    ("port_range", "ports"), [(None, [0]), ((7, 7), [7]), ((7, 9), [7, 8, 9]), ((65535, 65535), [65535])]
)
async def test_ports_that_are_tried(port_range: tuple[int, int] | None, ports: list[int]) -> None:
    network = CountingNetwork("10.0.0.1")
    gathering = Gathering(network, port_range=port_range)
    await gathering.run()
    assert network.ports == ports
    assert gathering.complete
    assert gathering.hosts == []


async def test_closed_sockets_are_removed() -> None:
    gathering = Gathering(ScriptedNetwork("10.0.0.1", "10.0.0.2"))
    async with trio.open_nursery() as nursery:
        await gathering.start(nursery)
        assert len(gathering._allocator._host_sockets) == 2
        gathering.close()
        assert gathering._allocator._host_sockets == {}
        assert [opened.closed for opened in gathering.network.sockets] == [True, True]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("lost", [True, False])
async def test_counters_of_a_closed_socket_are_kept(lost: bool) -> None:
    """Of a socket of a lost address, or of one closed at the end."""
    gathering = Gathering(ScriptedNetwork("10.0.0.1"))
    async with trio.open_nursery() as nursery:
        await gathering.start(nursery)
        [opened] = gathering.network.sockets
        opened.unsendable = 3
        if lost:
            gathering.network.addresses.clear()
            gathering.close_lost_addresses()
        else:
            gathering.close()
        assert opened.closed
        assert gathering.ice.unsendable == 3
        # Its counter no longer changes that of the transport.
        opened.unsendable = 100
        assert gathering.ice.unsendable == 3
        nursery.cancel_scope.cancel()


# -- servers -----------------------------------------------------------------------------------------------------


async def test_a_response_of_a_server_is_a_candidate() -> None:
    network = ScriptedNetwork("10.0.0.1")
    network.names = {"stun.example": ["198.51.100.7"]}
    gathering = Gathering(network)
    async with trio.open_nursery() as nursery:
        await gathering.start(nursery, "stun:stun.example:3479")
        await trio.sleep(0.2)
        [opened] = network.sockets
        data, server = opened.sent[0]
        assert server == ("198.51.100.7", 3479)
        assert not gathering.complete
        mapped = server._replace(host="203.0.113.5", port=9990)
        opened.arrive((server, [success_response(Message.parse(data), mapped).encode()]))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert gathering.hosts[1:] == [("203.0.113.5", 9990)]
    assert gathering.complete
    assert gathering.errors == []


async def test_a_name_that_does_not_resolve_is_reported_without_delay() -> None:
    gathering = Gathering(ScriptedNetwork("10.0.0.1"))
    await gathering.run("stun:nowhere.example", seconds=0.001)
    [error] = gathering.errors
    assert (error.url, error.error_code, error.address, error.port) == (
        "stun:nowhere.example",
        701,
        None,
        None,
    )
    assert "no such name" in error.error_text
    assert gathering.complete


async def test_unsupported_servers_are_reported() -> None:
    url = "stuns:stun.example"
    network = ScriptedNetwork("10.0.0.1")
    network.names = {"turn.example": ["198.51.100.7"], "stun.example": ["198.51.100.7"]}
    gathering = Gathering(network)
    await gathering.run(url, seconds=0.001)
    [error] = gathering.errors
    assert (error.url, error.error_code) == (url, 701)
    assert url.partition(":")[0] in error.error_text
    assert gathering.complete


async def test_a_server_without_a_response_is_reported() -> None:
    network = ScriptedNetwork("10.0.0.1")
    network.names = {"stun.example": ["198.51.100.7"]}
    gathering = Gathering(network)
    await gathering.run("stun:stun.example")
    assert [(error.url, error.error_code) for error in gathering.errors] == [("stun:stun.example", 701)]
    assert gathering.complete


async def test_host_candidates_and_other_servers_do_not_wait_for_a_slow_lookup() -> None:
    network = ScriptedNetwork("10.0.0.1")
    network.names = {"stun.example": ["198.51.100.7"]}
    network.lookup_gate.shut()
    gathering = Gathering(network)
    async with trio.open_nursery() as nursery:
        await gathering.start(nursery, "stun:stun.example", "stuns:stun.example")
        assert gathering.hosts == [("10.0.0.1", 50_000)]
        assert [error.url for error in gathering.errors] == ["stuns:stun.example"]
        assert network.sockets[0].sent == []
        network.lookup_gate.open()
        await trio.sleep(0.2)
        assert network.sockets[0].sent
        nursery.cancel_scope.cancel()


class SlowLookup(ScriptedNetwork):
    """Only lookups in this domain wait for the gate."""

    async def resolve(self, host: str, port: int) -> list[Address]:
        if host.endswith(".slow.example"):
            await self.lookup_gate.wait()
        return [Address(found, port) for found in self.names[host]]


@pytest.mark.parametrize("names", [["a.slow.example"], ["a.slow.example", "quick.example"]])
async def test_a_slow_lookup_delays_its_own_server_only(names: list[str]) -> None:
    network = SlowLookup("10.0.0.1")
    network.names = {name: ["198.51.100.7"] for name in names}
    network.lookup_gate.shut()
    gathering = Gathering(network)
    async with trio.open_nursery() as nursery:
        await gathering.start(nursery, *[f"stun:{name}" for name in names])
        assert gathering.hosts == [("10.0.0.1", 50_000)]
        await trio.sleep(0.2)
        assert len(network.sockets[0].sent) == len(names) - 1
        nursery.cancel_scope.cancel()


async def test_a_server_of_another_family_is_reported() -> None:
    network = ScriptedNetwork("10.0.0.1")
    network.names = {"stun.example": ["2001:db8::7"]}
    gathering = Gathering(network)
    await gathering.run("stun:stun.example")
    assert [(error.url, error.error_code) for error in gathering.errors] == [("stun:stun.example", 701)]
    assert gathering.complete


async def test_every_address_of_a_server_is_queried() -> None:
    network = ScriptedNetwork("10.0.0.1", "fd00::1")
    network.names = {"stun.example": ["198.51.100.7", "2001:db8::7"]}
    gathering = Gathering(network)
    await gathering.run("stun:stun.example", seconds=0.4)
    asked = {
        (opened.local_address.host, remote.host) for opened in network.sockets for _, remote in opened.sent
    }
    assert asked == {("10.0.0.1", "198.51.100.7"), ("fd00::1", "2001:db8::7")}
