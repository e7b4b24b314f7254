"""After any impairment of the network has ended, video resumes and the bandwidth estimate grows."""

import random
from statistics import mean

import attrs
import pytest
import trio

from tests.strategies.metered_calls import MeteredCall, metered_call
from tests.strategies.scenarios import seeds
from trio_rtc.testing import Link

pytestmark = pytest.mark.usefixtures("autojump_clock")

MEGABIT = 1e6
IMPAIRMENT_SECONDS = 30.0
"""Seconds of a bad network: longer than consent lasts (RFC 7675)."""
ONE_AFTER_THE_OTHER = (0.3, 8.0)


def make_link(rng: random.Random) -> Link:
    """Return a good link with random delay and loss."""
    return Link(
        delay=rng.choice([0.005, 0.03, 0.15]),
        loss=rng.choice([0.0, 0.02, 0.05]),
        rate=2 * MEGABIT,
        queue=30_000,
    )


def make_bad_link(rng: random.Random, good: Link) -> Link:
    rate = rng.choice([0.01, 0.02, 0.05, 0.1, 0.3, 1, 4]) * MEGABIT
    return attrs.evolve(
        good,
        rate=rate,
        loss=rng.choice([0.0, 0.05, 0.2, 0.5]),
        jitter=rng.choice([0.0, 0.03, 0.2]),
        jitter_reorders=rng.random() < 0.5,
        # A queue of some seconds at the link's rate, at least two packets.
        queue=max(int(rng.choice([0.1, 0.5, 3.0]) * rate / 8), 2_500),
    )


async def impair(call: MeteredCall, rng: random.Random, good: Link) -> None:
    """Apply random impairments one after another."""
    network = call.peers.network
    while call.now < IMPAIRMENT_SECONDS:
        if rng.random() < 0.2:
            ends = rng.choice([("alice", "bob"), ("bob", "alice")])
            network.partition(*ends, one_way=rng.random() < 0.5)
            await trio.sleep(rng.uniform(*ONE_AFTER_THE_OTHER))
            network.heal()
        else:
            call.set_link(make_bad_link(rng, good))
            await trio.sleep(rng.uniform(*ONE_AFTER_THE_OTHER))
        if rng.random() < 0.3:
            call.set_link(good)
            await trio.sleep(rng.uniform(0.2, 3.0))
    call.set_link(good)


@pytest.mark.parametrize("seed", seeds(6))
async def test_video_resumes(seed: int) -> None:
    rng = random.Random(seed)
    good = make_link(rng)
    without = rng.choice([(), ("flexfec-03",), ("flexfec-03", "red", "ulpfec"), ("rtx",)])
    async with metered_call(seed=seed, link=good, audio=rng.random() < 0.5, without=without) as call:
        await impair(call, rng, good)
        healed = call.now
        await trio.sleep(20)
        assert call.peers.alice.connection_state == "connected"
        at_last = call.samples_between(healed + 12)
        assert mean(sample.frames for sample in at_last) > 20
        # Without RTX, there are no packets to probe the path with.
        assert mean(sample.estimate for sample in at_last) > (0.05 if "rtx" in without else 1.0) * MEGABIT
