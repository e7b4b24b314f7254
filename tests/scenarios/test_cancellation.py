"""A connection that is cancelled at any step leaves no task and no socket, and the peer notices."""

import contextlib
import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from tests.strategies.cancelled_scenarios import cancelled_at
from tests.strategies.peers import negotiate, settings_for, trickle
from tests.strategies.scenarios import seeds, state_reached
from trio_rtc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    Settings,
)
from trio_rtc.testing import SimulatedHost, SimulatedNetwork, run

pytestmark = pytest.mark.usefixtures("autojump_clock")

CLOSE_TIMEOUT = Settings().close_timeout
ICE = Settings().ice
CONSENT_TIMEOUT = ICE.consent_timeout
FAILURE_TIMEOUT = ICE.failure_timeout + (ICE.late_candidate_timeout or 0) + 1
"""After the first check at the latest, without a working pair and without the peer's end of candidates."""


class World:
    """A network with a STUN server and two hosts."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.network = SimulatedNetwork(seed=seed)
        self.network.add_stun_server("stun.example", ["198.51.100.1"])
        self.alice = self.network.add_host("alice", ["10.0.0.1"])
        self.bob = self.network.add_host("bob", ["10.0.0.2"])

    def pc(self, host: SimulatedHost) -> RTCPeerConnection:
        configuration = RTCConfiguration(ice_servers=[RTCIceServer(urls="stun:stun.example")])
        seed = 2 * self._seed + (host is self.bob)
        return RTCPeerConnection(configuration, settings=settings_for(host, seed))


Scenario = Callable[[World, trio.CancelScope], Awaitable[None]]


async def connect_and_close(world: World, scope: trio.CancelScope) -> None:
    """Connect, exchange messages, close a channel and both connections, all under the scope."""
    with scope:
        async with world.pc(world.alice) as alice, world.pc(world.bob) as bob:
            async with bob.subscribe("data_channel") as announced, trio.open_nursery() as nursery:
                mine = alice.create_data_channel("chat")
                trickle(alice, bob)
                await negotiate(alice, bob)
                theirs = (await announced.receive()).channel
                await mine.opened()
                nursery.start_soon(mine.send, b"x" * 20_000)
                await theirs.receive()
                await theirs.send("thanks")
                await mine.receive()
                await mine.aclose()
            await alice.aclose()


class Signaling:
    """One end of a signaling channel between two programs."""

    def __init__(self, send: trio.MemorySendChannel[str], receive: trio.MemoryReceiveChannel[str]) -> None:
        self.ends = (send, receive)
        self._send, self._receive = send, receive

    async def send(self, event_or_description: object) -> None:
        value: Any = getattr(event_or_description, "candidate", event_or_description)
        with contextlib.suppress(trio.BrokenResourceError):
            await self._send.send(json.dumps(None if value is None else value.to_json()))

    async def receive_candidates(self, pc: RTCPeerConnection) -> None:
        async for line in self._receive:
            await pc.add_ice_candidate(json.loads(line))

    async def receive_description(self, pc: RTCPeerConnection) -> None:
        await pc.set_remote_description(json.loads(await self._receive.receive()))


def signaling_pair() -> tuple[Signaling, Signaling]:
    there, back = trio.open_memory_channel[str](100), trio.open_memory_channel[str](100)
    return Signaling(there[0], back[1]), Signaling(back[0], there[1])


async def run_cancelled_peer(world: World, scope: trio.CancelScope, signaling: Signaling) -> None:
    """Send an offer and messages until cancelled, if at all."""
    with scope, signaling.ends[0], signaling.ends[1]:
        async with world.pc(world.alice) as pc, trio.open_nursery() as nursery:
            channel = pc.create_data_channel("chat")
            offer = await pc.create_offer()
            pc.on_ice_candidate = signaling.send
            await signaling.send(offer)
            await pc.set_local_description(offer)
            await signaling.receive_description(pc)
            nursery.start_soon(signaling.receive_candidates, pc)
            await channel.opened()
            for number in range(3):
                await channel.send(f"{number}")
                await trio.sleep(0.02)
            nursery.cancel_scope.cancel()


async def run_surviving_peer(world: World, signaling: Signaling) -> None:
    """Answer, receive all messages, and notice the end of the other peer in time."""
    channels: list[RTCDataChannel] = []
    with signaling.ends[0], signaling.ends[1], contextlib.suppress(trio.EndOfChannel):
        async with world.pc(world.bob) as pc:
            pc.on_data_channel = lambda event: channels.append(event.channel)
            pc.on_ice_candidate = signaling.send
            await signaling.receive_description(pc)
            await pc.set_local_description()
            await signaling.send(pc.local_description)
            await signaling.receive_candidates(pc)
            # The other peer has ended, and with it signaling; its ABORT and close_notify are in flight.
            with trio.fail_after(0.1):
                for channel in channels:
                    received = [message async for message in channel]
                    assert received == [f"{number}" for number in range(len(received))]
            if has_remote_candidates(pc):
                with trio.fail_after(FAILURE_TIMEOUT):
                    await state_reached(pc, "failed")


def has_remote_candidates(pc: RTCPeerConnection) -> bool:
    """Return whether the connection could fail: without remote candidates it waits for them."""
    return pc.sctp is not None and bool(pc.sctp.transport.ice_transport.get_remote_candidates())


async def one_is_cancelled(world: World, scope: trio.CancelScope) -> None:
    """Cancel Alice; Bob continues and notices."""
    alices, bobs = signaling_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_cancelled_peer, world, scope, alices)
        nursery.start_soon(run_surviving_peer, world, bobs)


async def run_cancelled_at(step: int, scenario: Scenario, seed: int) -> int:
    """Run a scenario in a world of its own, cancelled at a step, and return the number of its steps."""
    world = World(seed)
    async with world.network:
        return await cancelled_at(step, functools.partial(scenario, world), (world.alice, world.bob))


async def cancelled_everywhere(scenario: Scenario, seed: int, stride: int = 1) -> int:
    """Cancel a scenario at every ``stride``-th step, and return the number of its steps."""
    end = await run_cancelled_at(0, scenario, seed)
    for step in range(1, end + 1, stride):
        with trio.fail_after(CONSENT_TIMEOUT + CLOSE_TIMEOUT + 20):
            await run_cancelled_at(step, scenario, seed)
    return end


@pytest.mark.parametrize("seed", seeds(1))
async def test_both_peers_are_cancelled_at_every_step(seed: int) -> None:
    assert await cancelled_everywhere(connect_and_close, seed) > 100


@pytest.mark.parametrize("seed", seeds(1))
async def test_one_peer_is_cancelled(seed: int) -> None:
    """Each run waits until consent expires; only the longer profiles cancel at every step."""
    stride = 3 if len(seeds(1)) == 1 else 1
    assert await cancelled_everywhere(one_is_cancelled, seed, stride) > 100


@pytest.mark.parametrize("seed", range(4))
def test_cancellation_with_the_network_while_gathering(seed: int) -> None:
    """The network's task may end first, although the connection's block is inside the network's block."""

    async def run_connection(network: SimulatedNetwork, host: SimulatedHost) -> None:
        async with network, RTCPeerConnection(settings=Settings(network=host)) as pc:
            pc.create_data_channel("chat")
            await pc.set_local_description()
            await trio.sleep_forever()

    async def cancelled_after(steps: int) -> None:
        network = SimulatedNetwork()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_connection, network, network.add_host("alice", ["10.0.0.1"]))
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    for steps in range(21):
        run(cancelled_after, steps, seed=seed)
