"""Two whole peers on a simulated network, for tests of the public API and for scenarios."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import trio

from trio_rtc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
    Settings,
)
from trio_rtc.testing import Link, SimulatedHost, SimulatedNetwork

WALL_CLOCK = 1_780_000_000.0
"""Time of day at the start, by the peers' clock."""


@attrs.define
class Peers:
    """Alice and Bob, the network between them, and the host of each."""

    network: SimulatedNetwork
    hosts: tuple[SimulatedHost, SimulatedHost]
    alice: RTCPeerConnection
    bob: RTCPeerConnection


def settings_for(host: SimulatedHost, seed: int, settings: Settings | None = None) -> Settings:
    """Return settings that make a peer deterministic."""
    return attrs.evolve(
        settings or Settings(),
        network=host,
        rng=random.Random(seed),
        wall_clock=lambda: WALL_CLOCK + trio.current_time(),
    )


@asynccontextmanager
async def travelling_alice(link: Link | None = None) -> AsyncIterator[Peers]:
    """Open two peers; Alice has two interfaces, ``wlan0`` with 10.0.0.1 and ``wwan0`` with 100.64.0.1, Bob one."""
    network = SimulatedNetwork(link=link)
    hosts = (
        network.add_host("alice", {"wlan0": ["10.0.0.1"], "wwan0": ["100.64.0.1"]}),
        network.add_host("bob", ["10.0.0.2"]),
    )
    async with (
        network,
        RTCPeerConnection(settings=settings_for(hosts[0], 0)) as alice,
        RTCPeerConnection(settings=settings_for(hosts[1], 1)) as bob,
    ):
        yield Peers(network, hosts, alice, bob)


@asynccontextmanager
async def two_peers(
    *,
    seed: int = 0,
    link: Link | None = None,
    settings: Settings | None = None,
    configuration: RTCConfiguration | None = None,
    dual_stack: bool = False,
    trace_limit: int = 100_000,
) -> AsyncIterator[Peers]:
    """Open a network and two peers on it, not connected yet; at the end no socket may be open."""
    async with SimulatedNetwork(seed=seed, link=link or Link(), trace_limit=trace_limit) as network:
        addresses = [["10.0.0.1"], ["10.0.0.2"]]
        if dual_stack:
            addresses = [["2001:db8::1", "10.0.0.1"], ["2001:db8::2", "10.0.0.2"]]
        hosts = network.add_host("alice", addresses[0]), network.add_host("bob", addresses[1])
        chosen = [settings_for(host, 2 * seed + n, settings) for n, host in enumerate(hosts)]
        try:
            async with (
                RTCPeerConnection(configuration, settings=chosen[0]) as alice,
                RTCPeerConnection(configuration, settings=chosen[1]) as bob,
            ):
                yield Peers(network, hosts, alice, bob)
        finally:
            assert [host.open_sockets for host in hosts] == [(), ()]


def description_of(pc: RTCPeerConnection) -> RTCSessionDescription:
    """Return a peer's local description, which must be set."""
    assert pc.local_description is not None
    return pc.local_description


async def negotiate(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
    """Exchange an offer and an answer, without signaling delay."""
    await offerer.set_local_description()
    await answerer.set_remote_description(description_of(offerer))
    await answerer.set_local_description()
    await offerer.set_remote_description(description_of(answerer))


def trickle(one: RTCPeerConnection, other: RTCPeerConnection) -> None:
    """Pass each peer's candidates to the other, without signaling delay."""
    one.on_ice_candidate = lambda event: other.add_ice_candidate(event.candidate)
    other.on_ice_candidate = lambda event: one.add_ice_candidate(event.candidate)


async def connect(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
    """Negotiate with trickled candidates."""
    trickle(offerer, answerer)
    await negotiate(offerer, answerer)


async def channel_pair(
    offerer: RTCPeerConnection, answerer: RTCPeerConnection, label: str = "chat", **options: object
) -> tuple[RTCDataChannel, RTCDataChannel]:
    """Connect two peers with one channel, and return both of its ends, open."""
    async with answerer.subscribe("data_channel") as announced:
        mine = offerer.create_data_channel(label, **options)  # type: ignore[arg-type]
        await connect(offerer, answerer)
        theirs = (await announced.receive()).channel
    await mine.opened()
    return mine, theirs


@asynccontextmanager
async def open_channel(
    *, seed: int = 0, link: Link | None = None, settings: Settings | None = None, **options: object
) -> AsyncIterator[tuple[RTCDataChannel, RTCDataChannel, Peers]]:
    """Open two connected peers with one channel between them."""
    async with two_peers(seed=seed, link=link, settings=settings) as peers:
        mine, theirs = await channel_pair(peers.alice, peers.bob, **options)  # type: ignore[arg-type]
        yield mine, theirs, peers
