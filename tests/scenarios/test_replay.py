"""Runs with the same seed send the same packets at the same times; other seeds do not."""

import random

import trio

from tests.strategies.peers import negotiate, open_channel
from tests.strategies.scenarios import messages_pass, seeds
from trio_rtc.testing import Link, run

HOSTILE = Link(delay=0.02, jitter=0.01, loss=0.2, duplicate=0.1, reorder=0.1)


async def trace_of_a_connection(seed: int) -> str:
    """Return the hashes of all packets of a connection, with their times and outcomes."""
    with trio.fail_after(120):
        async with open_channel(seed=seed, link=HOSTILE) as (mine, theirs, peers):
            await messages_pass(mine, theirs, 10)
            await mine.send(random.Random(seed).randbytes(50_000))
            await theirs.receive()
            peers.alice.restart_ice()
            await negotiate(peers.alice, peers.bob)
            await trio.sleep(10)
            await mine.aclose()
    assert len(peers.network.trace) > 200
    return peers.network.trace.digest()


def replay(seed: int) -> str:
    """Run a connection in a trio run of its own."""
    return run(trace_of_a_connection, seed, seed=seed)


def test_the_same_seed_replays_every_packet() -> None:
    traces = set()
    for seed in seeds(2):
        trace = replay(seed)
        assert replay(seed) == trace
        traces.add(trace)
    assert len(traces) == len(seeds(2))
