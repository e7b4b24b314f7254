"""The benchmark of many connections distinguishes flat from growing resources."""

import ctypes
import gc
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from benchmarks.churn import (
    MOST_LEAKED,
    SNAPSHOTS,
    Churn,
    Snapshot,
    count_objects,
    faults_between,
    faults_while,
    growth,
    leaked,
    one_after_the_other,
)
from benchmarks.heap import bytes_in_use

MIB = 1 << 20


def snapshots(**growing: float) -> list[Snapshot]:
    """Return snapshots of which some values grow by a part from one to the next."""
    flat = Snapshot(0, memory=60 * MIB, in_use=50 * MIB, descriptors=1000, tasks=100, objects=70_000)
    return [
        attrs.evolve(
            flat,
            connections=100 * number,
            **{name: round(getattr(flat, name) * (1 + part * number)) for name, part in growing.items()},
        )
        for number in range(SNAPSHOTS)
    ]


def test_flat_is_flat() -> None:
    assert faults_between(snapshots()) == []
    assert faults_while(snapshots()) == []


def test_growth_is_reported() -> None:
    assert growth([100 + number for number in range(SNAPSHOTS)]) > 0.08
    assert faults_while(snapshots(memory=0.01)) == ["memory have grown by 9.3 %"]
    assert faults_while(snapshots(descriptors=0.01)) == ["descriptors have grown by 9.3 %"]
    assert faults_while(snapshots(memory=0.001)) == []


def losing(size: float) -> list[Snapshot]:
    """Return snapshots of which so many bytes more are in use for each connection made."""
    return [attrs.evolve(each, in_use=each.in_use + round(size * each.connections)) for each in snapshots()]


def test_a_leak_of_a_few_hundred_bytes_a_connection_is_found_at_any_size() -> None:
    assert leaked(losing(MOST_LEAKED - 1)) == pytest.approx(MOST_LEAKED - 1)
    assert faults_while(losing(MOST_LEAKED - 1)) == []
    assert faults_while(losing(MOST_LEAKED + 1)) == [
        "129 bytes more are in use for each connection that was made"
    ]


def test_between_connections_nothing_may_stay_open() -> None:
    one_more = snapshots()
    one_more[-1] = attrs.evolve(one_more[-1], tasks=101)
    assert faults_between(one_more) == ["tasks vary between connections: [100, 101]"]


def test_initial_growth_is_flat() -> None:
    warm = [attrs.evolve(each, memory=80 * MIB) for each in snapshots()]
    warm[0] = attrs.evolve(warm[0], memory=50 * MIB)
    assert faults_while(warm) == []


# What is measured.

only_glibc = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33"
)


@only_glibc
@pytest.mark.parametrize(("count", "size"), [(50_000, 100), (50, 100_000), (1, 50_000_000)])
def test_bytes_in_use_are_those_of_small_and_large_objects(count: int, size: int) -> None:
    before = bytes_in_use()
    kept = [bytes(size) for _ in range(count)]
    taken = bytes_in_use() - before
    assert count * size < taken < 1.6 * count * size + 100_000
    del kept
    assert abs(bytes_in_use() - before) < 100_000


def test_counting_objects_makes_none() -> None:
    gc.collect()
    before = count_objects()
    kept: list[object] = [[] for _ in range(1000)]
    assert 1000 <= count_objects() - before < 1100
    del kept


@only_glibc
async def test_what_is_kept_of_each_connection_is_measured() -> None:
    assert leaked(await one_after_the_other(40, leak=100_000)) == pytest.approx(100_000, rel=0.1)


@only_glibc
async def test_a_snapshot_is_taken_when_all_are_open() -> None:
    churn = Churn(6, random.Random(0))
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(churn.keep_one)
        first = await churn.take_snapshot()
        second = await churn.take_snapshot()
        nursery.cancel_scope.cancel()
    assert first.connections == second.connections == 6
    # A socket at least for each end.
    assert first.descriptors == second.descriptors > 6


@only_glibc
async def test_a_connection_that_ends_meanwhile_is_waited_for(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def slow_pair() -> AsyncIterator[None]:
        await trio.sleep(0.5)
        yield

    monkeypatch.setattr("benchmarks.churn.connected_pair", slow_pair)
    # All lifetimes are equal, so that some end in the same turn of the scheduler in which a snapshot begins.
    monkeypatch.setattr(random.Random, "uniform", lambda *_: 1.0)
    churn = Churn(60, random.Random(0))
    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(churn.keep_one)
        with trio.fail_after(3600):
            await churn.warm_up()
            for _ in range(300):
                await trio.sleep(0.5)
                assert (await churn.take_snapshot()).connections >= 3 * 60
        nursery.cancel_scope.cancel()
