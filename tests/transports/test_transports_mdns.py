"""The multicast DNS transport: one socket per interface, queries to the group, responses from any host."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from tests.strategies.wires import ScriptedNetwork
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.mdns import DnsMessage, Responder, ResponderOptions
from trio_rtc.testing import SimulatedNetwork
from trio_rtc.transports.mdns import MdnsTransport
from trio_rtc.transports.network import Network

pytestmark = pytest.mark.usefixtures("autojump_clock")

NAME = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local"
OTHER_NAME = "2f4712db-ea17-4bcf-a596-105139dfd8bf.local"
GROUPS = {"10.0.0.1": Address("224.0.0.251", 5353), "fd00::1": Address("ff02::fb", 5353)}
PEER = Address("10.0.0.2", 5353)


def answers_to(*queries: bytes, name: str = NAME, hosts: tuple[str, ...] = ("10.0.0.2",)) -> list[bytes]:
    """Return the responses of the host that has the name."""
    responder = Responder(ResponderOptions())
    responder.publish(name, hosts, 0.0)
    responder.datagrams_to_send(0.0)
    responder.receive(queries, 10.0)
    return responder.datagrams_to_send(10.0)


class Reports(dict[str, tuple[str, ...]]):
    """Reported addresses by name; a name is reported once."""

    def record(self, name: str, hosts: object) -> None:
        assert name not in self
        self[name] = tuple(hosts)  # type: ignore[arg-type]


@asynccontextmanager
async def resolving(network: Network, *names: str) -> AsyncIterator[tuple[MdnsTransport, Reports]]:
    """Run a transport that resolves names from the start."""
    reports = Reports()
    transport = MdnsTransport(network, network.interface_addresses(), random.Random(1), reports.record)
    for name in names:
        transport.resolve(name)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(transport.run)
        await trio.testing.wait_all_tasks_blocked()
        yield transport, reports
        nursery.cancel_scope.cancel()


async def test_the_group_is_queried_on_every_interface() -> None:
    network = ScriptedNetwork(*GROUPS)
    async with resolving(network, NAME):
        assert {opened.local_address.host: group for opened, group in network.multicast} == GROUPS
        for opened, group in network.multicast:
            assert [remote for _, remote in opened.sent] == [group, group]
            assert not any(DnsMessage.parse(data).is_response for data, _ in opened.sent)
    assert all(opened.closed for opened, _ in network.multicast)


async def test_a_response_is_reported() -> None:
    network = ScriptedNetwork("10.0.0.1")
    async with resolving(network, NAME) as [_, reports]:
        [(opened, _)] = network.multicast
        opened.arrive((PEER, answers_to(*[data for data, _ in opened.sent])))
        await trio.testing.wait_all_tasks_blocked()
        assert reports == {NAME: ("10.0.0.2",)}
        opened.sent.clear()
        await trio.sleep(30)
        assert opened.sent == []


async def test_a_later_name_is_resolved() -> None:
    network = ScriptedNetwork("10.0.0.1")
    async with resolving(network, NAME) as [transport, reports]:
        await trio.sleep(100)
        [(opened, _)] = network.multicast
        opened.sent.clear()
        transport.resolve(OTHER_NAME)
        await trio.testing.wait_all_tasks_blocked()
        opened.arrive((PEER, answers_to(*[data for data, _ in opened.sent], name=OTHER_NAME)))
        await trio.testing.wait_all_tasks_blocked()
        assert reports == {NAME: (), OTHER_NAME: ("10.0.0.2",)}


async def test_a_name_without_a_response_has_no_addresses() -> None:
    network = ScriptedNetwork("10.0.0.1")
    async with resolving(network, NAME) as [_, reports]:
        await trio.sleep(3)
        assert reports == {}
        await trio.sleep(10)
        assert reports == {NAME: ()}
        assert len(network.multicast[0][0].sent) == 6


async def test_a_name_that_is_not_permitted_fails_immediately() -> None:
    network = ScriptedNetwork("10.0.0.1")
    async with resolving(network, "printer.local") as [_, reports]:
        assert reports == {"printer.local": ()}
        assert network.multicast[0][0].sent == []


async def test_an_interface_without_multicast_is_skipped() -> None:
    network = ScriptedNetwork(*GROUPS)
    network.without_multicast = {"fd00::1"}
    async with resolving(network, NAME):
        [(opened, _)] = network.multicast
        assert opened.local_address.host == "10.0.0.1"
        assert opened.sent


async def test_without_any_multicast_names_have_no_addresses() -> None:
    network = ScriptedNetwork("10.0.0.1")
    network.without_multicast = {"10.0.0.1"}
    async with resolving(network, NAME) as [_, reports]:
        await trio.sleep(10)
        assert reports == {NAME: ()}


async def test_garbage_is_ignored() -> None:
    network = ScriptedNetwork("10.0.0.1")
    async with resolving(network, NAME) as [_, reports]:
        [(opened, _)] = network.multicast
        answer = answers_to(*[data for data, _ in opened.sent])
        opened.arrive((PEER, [b"", b"\xff" * 40, bytes(600)]), (Address("10.0.0.3", 5353), answer))
        await trio.testing.wait_all_tasks_blocked()
        assert reports == {NAME: ("10.0.0.2",)}


async def test_a_full_socket_does_not_block_the_others() -> None:
    network = ScriptedNetwork("10.0.0.1", "10.0.1.1")
    async with resolving(network, NAME) as [_, reports]:
        full, other = (opened for opened, _ in network.multicast)
        full.sent.clear()
        other.sent.clear()
        full.gate.shut()
        await trio.sleep(1.5)
        assert len(other.sent) == 2
        assert full.sent == []
        full.gate.open()
        await trio.sleep(20)
        assert len(full.sent) == len(other.sent) == 4
        assert reports == {NAME: ()}


async def test_a_full_socket_blocks_the_resolver() -> None:
    network = ScriptedNetwork("10.0.0.1")
    async with resolving(network, NAME) as [transport, reports]:
        [(opened, _)] = network.multicast
        transport.resolve(OTHER_NAME)
        assert transport.flush_nowait(trio.current_time())
        answer = answers_to(*[data for data, _ in opened.sent])
        opened.gate.shut()
        # The query is repeated.
        await trio.sleep(1.5)
        opened.arrive((PEER, answer))
        await trio.testing.wait_all_tasks_blocked()
        assert reports == {}
        opened.gate.open()
        await trio.testing.wait_all_tasks_blocked()
        assert reports == {NAME: ("10.0.0.2",)}


async def test_closing_ends_the_task_and_closes_the_sockets() -> None:
    network = ScriptedNetwork("10.0.0.1")
    async with resolving(network, NAME) as [transport, _]:
        await transport.close()
        transport.wake()
        await trio.testing.wait_all_tasks_blocked()
        assert network.multicast[0][0].closed


async def test_names_resolve_on_a_network() -> None:
    async with SimulatedNetwork() as network, trio.open_nursery() as nursery:
        alice = network.add_host("alice", ["10.0.0.1"])
        bob = network.add_host("bob", ["10.0.0.2"])
        group = GROUPS["10.0.0.1"]
        opened = await bob.open_multicast(bob.interface_addresses()[0], group)

        async def answer() -> None:
            while True:
                for _, queries in await opened.receive_batch():
                    opened.send_nowait(answers_to(*queries), group)

        nursery.start_soon(answer)
        async with resolving(alice, NAME) as [_, reports]:
            await trio.sleep(0.5)
            assert reports == {NAME: ("10.0.0.2",)}
        nursery.cancel_scope.cancel()
        opened.close()
        assert alice.open_sockets == ()


async def test_responses_from_another_port_are_ignored() -> None:
    """Any user of a host may use such a port (RFC 6762 section 6)."""
    network = ScriptedNetwork("10.0.0.1")
    async with resolving(network, NAME) as [_, reports]:
        [(opened, _)] = network.multicast
        answer = answers_to(*[data for data, _ in opened.sent])
        opened.arrive((Address("10.0.0.3", 40000), answer))
        await trio.testing.wait_all_tasks_blocked()
        assert reports == {}
        opened.arrive((PEER, answer))
        await trio.testing.wait_all_tasks_blocked()
        assert reports == {NAME: ("10.0.0.2",)}
