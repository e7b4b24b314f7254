"""The memory of a connection does not grow over time: its tables, histories and samples are bounded."""

import gc
import sys
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.strategies.peers import Peers, channel_pair, two_peers

pytestmark = pytest.mark.usefixtures("autojump_clock")

MOST_GROWTH = 20_000
"""Tolerance in bytes for both ends together: the last packets and samples vary in size."""


# The interpreter's attribute cache keeps a string for each class pattern that was matched.
clear_caches = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache


def traced() -> int:
    """Return the bytes of Python objects allocated since tracing began."""
    clear_caches()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@asynccontextmanager
async def traced_peers() -> AsyncIterator[Peers]:
    """Trace allocations and open two peers on a network that records no packets."""
    tracemalloc.start()
    try:
        async with two_peers(trace_limit=0) as peers:
            yield peers
    finally:
        tracemalloc.stop()


async def test_an_idle_connection_takes_no_more_memory_after_half_an_hour() -> None:
    async with traced_peers() as peers:
        await channel_pair(peers.alice, peers.bob)
        await trio.sleep(120)
        before = traced()
        await trio.sleep(1800)
        grown = traced() - before
    # Some 700 consent checks and 120 heartbeats: a leak of thirty bytes each would be detected.
    assert grown < MOST_GROWTH


async def test_a_used_connection_takes_no_more_memory_after_many_messages() -> None:
    async def exchange(count: int) -> None:
        for number in range(count):
            await mine.send(f"question {number:6}")
            await theirs.send(await theirs.receive())
            await mine.receive()
            await trio.sleep(0.1)

    async with traced_peers() as peers:
        mine, theirs = await channel_pair(peers.alice, peers.bob)
        await exchange(300)
        before = traced()
        await exchange(1000)
        grown = traced() - before
    assert grown < MOST_GROWTH
