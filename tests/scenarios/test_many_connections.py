"""Many connections, sequential and concurrent, leave no tasks, sockets or memory behind."""

import gc
import weakref

import pytest
import trio

from tests.strategies.peers import channel_pair, connect, settings_for
from tests.strategies.scenarios import messages_pass
from trio_rtc import RTCPeerConnection, SctpOptions, Settings
from trio_rtc.testing import SimulatedHost, SimulatedNetwork

pytestmark = pytest.mark.usefixtures("autojump_clock")

CONNECTIONS = 200
AT_ONCE = 20

FEW_STREAMS = Settings(sctp=SctpOptions(inbound_streams=8, outbound_streams=8))
"""Settings with few stream ids, so that they are reused; unused ones are preferred."""


async def one_connection(
    hosts: tuple[SimulatedHost, SimulatedHost], seed: int, seen: "weakref.WeakSet[RTCPeerConnection]"
) -> None:
    async with (
        RTCPeerConnection(settings=settings_for(hosts[0], 2 * seed)) as alice,
        RTCPeerConnection(settings=settings_for(hosts[1], 2 * seed + 1)) as bob,
    ):
        seen.update((alice, bob))
        if seed % 4 == 3:  # a connection that is closed before it is established
            alice.create_data_channel("chat")
            await connect(alice, bob)
            return
        mine, theirs = await channel_pair(alice, bob)
        await messages_pass(mine, theirs, count=1)


async def test_two_hundred_connections_leave_nothing_behind() -> None:
    seen: weakref.WeakSet[RTCPeerConnection] = weakref.WeakSet()
    async with SimulatedNetwork(trace_limit=0) as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        living = trio.lowlevel.current_statistics().tasks_living
        for begin in range(0, CONNECTIONS // 2, AT_ONCE):
            async with trio.open_nursery() as nursery:
                for seed in range(begin, begin + AT_ONCE):
                    nursery.start_soon(one_connection, hosts, seed, seen)
            assert trio.lowlevel.current_statistics().tasks_living == living
            assert [host.open_sockets for host in hosts] == [(), ()]
        assert network.trace.sent > 5 * CONNECTIONS
    await trio.sleep(1)
    gc.collect()
    assert len(seen) == 0, "connections are kept in memory"


async def test_two_hundred_channels_on_one_connection_leave_nothing_behind() -> None:
    async with SimulatedNetwork() as network:
        hosts = network.add_host("alice", ["10.0.0.1"]), network.add_host("bob", ["10.0.0.2"])
        async with (
            RTCPeerConnection(settings=settings_for(hosts[0], 0, FEW_STREAMS)) as alice,
            RTCPeerConnection(settings=settings_for(hosts[1], 1, FEW_STREAMS)) as bob,
        ):
            first, _ = await channel_pair(alice, bob)
            channels = 0
            async with bob.subscribe("data_channel") as announced:
                for number in range(200):
                    mine = alice.create_data_channel(f"{number}")
                    theirs = (await announced.receive()).channel
                    await mine.send(b"x")
                    await theirs.receive()
                    await mine.aclose()
                    channels = max(channels, mine.id or 0)
            assert channels <= 7, "numbers are used again"
            kinds = [stats.type for stats in (await alice.get_stats()).values()]
            assert kinds.count("data-channel") == 1
            assert first.ready_state == "open"
