"""Hosts and sockets on the simulated network."""

import pytest
import trio
import trio.testing

from tests.strategies.simulated_hosts import Pair, bind, drain
from trio_rtc.protocols._contract import Address
from trio_rtc.testing import (
    DropReason,
    SimulatedNetwork,
)

pytestmark = [pytest.mark.usefixtures("autojump_clock"), pytest.mark.leaves_sockets]


def numbered(count: int, size: int = 2) -> list[bytes]:
    return [number.to_bytes(size, "big") for number in range(count)]


async def test_batch_is_grouped_by_consecutive_sender() -> None:
    network = SimulatedNetwork()
    pair = Pair(network)
    async with network:
        first, receiver = await pair.open()
        second = await bind(pair.alice)
        for sender, data in ((first, b"1"), (first, b"2"), (second, b"3"), (first, b"4")):
            await sender.send_batch([data], receiver.local_address)
        await trio.sleep(1)
        assert await receiver.receive_batch() == [
            (first.local_address, [b"1", b"2"]),
            (second.local_address, [b"3"]),
            (first.local_address, [b"4"]),
        ]


async def test_batch_has_at_most_64_packets() -> None:
    network = SimulatedNetwork()
    pair = Pair(network)
    async with network:
        sender, receiver = await pair.open()
        await sender.send_batch(numbered(100), receiver.local_address)
        await trio.sleep(1)
        sizes = [sum(len(run) for _, run in await receiver.receive_batch()) for _ in range(2)]
        assert sizes == [64, 36]


async def test_full_receive_buffer_drops_datagrams() -> None:
    network = SimulatedNetwork()
    alice = network.add_host("alice", ["10.0.0.1"])
    bob = network.add_host("bob", ["10.0.0.2"], receive_buffer=2500)
    async with network:
        sender, receiver = await bind(alice), await bind(bob)
        await sender.send_batch([bytes(1000)] * 4, receiver.local_address)
        assert len(await drain(receiver)) == 2
        await sender.send_batch([bytes(1000)], receiver.local_address)
        assert len(await drain(receiver)) == 1
        assert network.trace.dropped == {DropReason.RECEIVE_BUFFER_FULL: 2}


async def test_packets_to_a_closed_port_or_unknown_address_are_dropped() -> None:
    network = SimulatedNetwork()
    pair = Pair(network)
    async with network:
        sender, receiver = await pair.open()
        receiver.close()
        await sender.send_batch([b"x"], receiver.local_address)
        await sender.send_batch([b"x"], Address("192.0.2.1", 9))
        await trio.sleep(1)
        assert network.trace.dropped == {DropReason.PORT_UNREACHABLE: 1, DropReason.NO_ROUTE: 1}


async def test_closing_a_socket_wakes_its_reader_and_prevents_further_use() -> None:
    network = SimulatedNetwork()
    pair = Pair(network)
    async with network, trio.open_nursery() as nursery:
        sender, receiver = await pair.open()

        async def read() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await receiver.receive_batch()

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        receiver.close()
        receiver.close()
        with pytest.raises(trio.ClosedResourceError):
            await receiver.send_batch([b"x"], sender.local_address)
        assert pair.bob.open_sockets == ()


async def test_ports_are_bound_once() -> None:
    network = SimulatedNetwork()
    pair = Pair(network)
    async with network:
        first = await bind(pair.alice, 5000)
        with pytest.raises(OSError, match="in use"):
            await bind(pair.alice, 5000)
        first.close()
        await bind(pair.alice, 5000)
        with pytest.raises(OSError, match="assign"):
            await pair.alice.bind_udp(pair.bob.interface_addresses()[0])


async def test_interface_that_is_down_neither_sends_nor_receives() -> None:
    network = SimulatedNetwork()
    alice = network.add_host("alice", {"wlan0": ["10.0.0.1"], "lte0": ["10.1.0.1"]})
    bob = network.add_host("bob", ["10.0.0.2"])
    async with network:
        wlan, lte, receiver = await bind(alice), await bind(alice, index=1), await bind(bob)
        alice.set_interface("wlan0", up=False)
        assert [interface.name for interface in alice.interface_addresses()] == ["lte0"]
        for sender in (wlan, lte):
            await sender.send_batch([b"x"], receiver.local_address)
            await receiver.send_batch([b"y"], sender.local_address)
        assert await drain(receiver) == [b"x"]
        assert await drain(lte) == [b"y"]
        assert network.trace.dropped == {DropReason.INTERFACE_DOWN: 2}
        alice.set_interface("wlan0", up=True)
        await wlan.send_batch([b"x"], receiver.local_address)
        assert await drain(receiver) == [b"x"]


async def test_host_changes_its_address() -> None:
    network = SimulatedNetwork()
    pair = Pair(network)
    async with network:
        old, receiver = await pair.open()
        pair.alice.remove_address("10.0.0.1")
        pair.alice.add_address("eth0", "10.0.0.9")
        await old.send_batch([b"old"], receiver.local_address)
        new = await pair.alice.bind_udp(pair.alice.interface_addresses()[-1])
        assert new.local_address.host == "10.0.0.9"
        await new.send_batch([b"new"], receiver.local_address)
        assert await drain(receiver) == [b"new"]
        with pytest.raises(ValueError, match="already used by bob"):
            pair.alice.add_address("eth0", "10.0.0.2")


async def test_names_resolve_to_their_addresses() -> None:
    network = SimulatedNetwork()
    pair = Pair(network)
    network.add_name("stun.example", "198.51.100.1", "2001:DB8::1")
    async with network:
        found = await pair.alice.resolve("STUN.example.", 3478)
        assert found == [Address("198.51.100.1", 3478), Address("2001:db8::1", 3478)]
        assert await pair.alice.resolve("192.0.2.7", 1) == [Address("192.0.2.7", 1)]
        with pytest.raises(OSError, match="nowhere"):
            await pair.alice.resolve("nowhere.example", 1)


async def test_multicast_reaches_every_member_of_the_group() -> None:
    network = SimulatedNetwork()
    group = Address("224.0.0.251", 5353)
    hosts = [network.add_host(name, [f"10.0.0.{index}"]) for index, name in enumerate(("a", "b", "c"), 1)]
    async with network:
        members = [await host.open_multicast(host.interface_addresses()[0], group) for host in hosts[:2]]
        outsider = await bind(hosts[2])
        await members[0].send_batch([b"who?"], group)
        assert [await drain(member) for member in members] == [[b"who?"], [b"who?"]]
        await outsider.send_batch([b"me"], members[1].local_address)
        assert await drain(members[1]) == [b"me"]
        members[1].close()
        await outsider.send_batch([b"anyone?"], group)
        assert await drain(members[0]) == [b"anyone?"]


async def test_service_answers_without_a_socket() -> None:
    network = SimulatedNetwork()
    pair = Pair(network)
    pair.bob.add_service(7, lambda data, source, _: [(data.upper(), source)])
    async with network:
        client = await bind(pair.alice)
        await client.send_batch([b"echo"], Address("10.0.0.2", 7))
        assert await client.receive_batch() == [(Address("10.0.0.2", 7), [b"ECHO"])]
