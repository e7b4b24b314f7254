"""Peers with full sockets: senders wait, and the connection can still be closed."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.strategies.peers import channel_pair, connect, settings_for
from tests.strategies.wires import Gate, JammedHost
from trio_rtc import RTCDataChannel, RTCPeerConnection
from trio_rtc.testing import SimulatedNetwork

pytestmark = pytest.mark.usefixtures("autojump_clock")


@asynccontextmanager
async def channel_over_a_jammed_host() -> AsyncIterator[tuple[Gate, RTCDataChannel, RTCDataChannel]]:
    """Connect two peers: yields the gate of the first one's host, and both ends of a channel."""
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        jammed = JammedHost(hosts[0])
        settings = settings_for(hosts[0], 1, None), settings_for(hosts[1], 2, None)
        async with (
            RTCPeerConnection(settings=attrs.evolve(settings[0], network=jammed)) as alice,
            RTCPeerConnection(settings=settings[1]) as bob,
        ):
            mine, theirs = await channel_pair(alice, bob)
            yield jammed.gate, mine, theirs
        assert [host.open_sockets for host in hosts] == [(), ()]


async def test_a_connection_with_full_sockets_closes_within_its_timeout() -> None:
    ended: list[str] = []
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            with contextlib.suppress(trio.ClosedResourceError):
                while True:
                    await mine.send(bytes(10_000))
            ended.append("sender")

        async with channel_over_a_jammed_host() as [gate, mine, theirs]:
            gate.shut()
            for _ in range(2):
                nursery.start_soon(send)
            await theirs.send("wakes the other tasks of the jammed peer")
            await trio.sleep(0.3)
            closing_since = trio.current_time()
    # The close timeout of a second for each of the two peers, and the timeout of the senders.
    assert trio.current_time() - closing_since < 3.5
    assert ended == ["sender", "sender"]


async def test_all_messages_arrive_once_the_socket_is_writable_again() -> None:
    async with channel_over_a_jammed_host() as [gate, mine, theirs], trio.open_nursery() as nursery:
        gate.shut()

        async def send(number: int) -> None:
            await mine.send(bytes([number]) * 50_000)

        for number in range(8):
            nursery.start_soon(send, number)
        await trio.sleep(0.2)
        gate.open()
        received = [await theirs.receive() for _ in range(8)]
        assert sorted(received) == [bytes([number]) * 50_000 for number in range(8)]


async def test_a_full_socket_of_a_removed_address_blocks_no_sender() -> None:
    """Waiting senders continue, and its queued datagrams are lost."""
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        jammed = JammedHost(hosts[0])
        settings = settings_for(hosts[0], 1), settings_for(hosts[1], 2)
        async with (
            RTCPeerConnection(settings=attrs.evolve(settings[0], network=jammed)) as alice,
            RTCPeerConnection(settings=settings[1]) as bob,
        ):
            mine, theirs = await channel_pair(alice, bob)
            jammed.gate.shut()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(mine.send, bytes(100_000))
                await theirs.send("wakes the other tasks of the jammed peer")
                await trio.sleep(0.3)
                hosts[0].remove_address("10.0.0.1")
                hosts[0].add_address("wlan0", "10.1.0.1")
                alice.restart_ice()
                await connect(alice, bob)
            with trio.fail_after(20):
                assert await theirs.receive() == bytes(100_000)
