"""Helpers of scenarios with whole peers: seeds, states, messages and counters."""

from collections.abc import Mapping

import trio
from hypothesis import settings

from trio_rtc import (
    LayerStats,
    RTCDataChannel,
    RTCPeerConnection,
    RTCPeerConnectionState,
)


def seeds(count: int) -> range:
    """Return ``count`` seeds in the default profile, and proportionally more in profiles with more examples."""
    return range(count * settings().max_examples // settings.get_profile("default").max_examples)


async def state_reached(pc: RTCPeerConnection, *states: RTCPeerConnectionState | str) -> None:
    """Wait until the connection is in one of the states."""
    async with pc.subscribe("connection_state_change") as changes:
        while pc.connection_state not in states:
            await changes.receive()


async def messages_pass(mine: RTCDataChannel, theirs: RTCDataChannel, count: int = 3) -> None:
    """Send numbered messages in both directions concurrently, and require them in order."""

    async def send(channel: RTCDataChannel) -> None:
        for number in range(count):
            await channel.send(f"{number}")

    async def receive(channel: RTCDataChannel) -> None:
        assert [await channel.receive() for _ in range(count)] == [f"{number}" for number in range(count)]

    async with trio.open_nursery() as nursery:
        for channel in (mine, theirs):
            nursery.start_soon(send, channel)
            nursery.start_soon(receive, channel)


async def layer_counters(pc: RTCPeerConnection, layer: str) -> Mapping[str, float]:
    """Return the counters of one layer."""
    stats = (await pc.get_stats())["layers"]
    assert isinstance(stats, LayerStats)
    return stats.counters[layer]
