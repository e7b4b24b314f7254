"""Many connections: sequential ones, and concurrent ones of which some end and are replaced.

Run it with ``python -m benchmarks.churn``, or ``nox -s bench -- churn``. Both ends of each connection are in this
process, on the real loopback. Memory, file descriptors, tasks and objects are counted repeatedly. They must be flat:
the program ends with exit code 1 if they are not. ``--leak 1000`` keeps as many bytes of each connection, to verify
that a leak is found. Linux with glibc only.

Two measures of memory are needed. Bytes in use show a leak of a few hundred bytes a connection, but no fragmentation;
resident memory shows that, but grows for a while after the connections are open, until the heap is in its steady state.
So the measurement starts when each of the first connections has been replaced twice.
"""

import argparse
import gc
import itertools
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import attrs
import trio

from trio_rtc import RTCPeerConnection

from .heap import bytes_in_use

SNAPSHOTS = 20
WARM_UP = SNAPSHOTS // 4
"""Number of first snapshots in which memory still grows: caches and pools of the allocator are filled."""
MOST_GROWTH = 0.03
MOST_LEAKED = 128.0
"""Growth of bytes in use for each connection, at most: two of the smallest objects."""
CONNECT_TIMEOUT = 60.0
"""Timeout in seconds, for connections whose ICE has failed."""
LIFETIME = 30.0
"""Average lifetime of a concurrent connection in seconds; each has a half to one and a half of it."""
CONNECTING = 16
"""Pairs that connect concurrently, at most: with hundreds, ICE would time out on a busy machine."""
LIFETIMES = 2
"""Number of replacements of each concurrent connection before the measurement."""


@attrs.frozen
class Snapshot:
    """Resources of the process at one moment.

    Attributes:
        connections: Number of connections so far.
        memory: Resident memory in bytes.
        in_use: Bytes that were allocated and not freed.
        descriptors: Open files and sockets.
        tasks: trio tasks.
        objects: Objects tracked by the garbage collector.
    """

    connections: int
    memory: int
    in_use: int
    descriptors: int
    tasks: int
    objects: int

    @classmethod
    def take(cls, connections: int) -> "Snapshot":
        """Return a snapshot of the process after a garbage collection."""
        gc.collect()
        clear_interpreter_caches()
        resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return cls(
            connections,
            resident * os.sysconf("SC_PAGE_SIZE"),
            bytes_in_use(),
            len(os.listdir("/proc/self/fd")),
            trio.lowlevel.current_statistics().tasks_living,
            count_objects(),
        )


def clear_interpreter_caches() -> None:
    """Clear CPython's cache of attribute names, which has at most 4,096 entries and fills slowly."""
    name = "_clear_internal_caches" if hasattr(sys, "_clear_internal_caches") else "_clear_type_cache"
    getattr(sys, name)()


def count_objects() -> int:
    """Return the number of objects tracked by the garbage collector, without creating a list of them."""
    gc.freeze()
    try:
        return gc.get_freeze_count()
    finally:
        gc.unfreeze()


@asynccontextmanager
async def connected_pair() -> AsyncIterator[None]:
    """Connect two ends and exchange a message in each direction over a channel."""
    async with RTCPeerConnection() as one, RTCPeerConnection() as other:
        one.on_ice_candidate = lambda event: other.add_ice_candidate(event.candidate)
        other.on_ice_candidate = lambda event: one.add_ice_candidate(event.candidate)
        async with other.subscribe("data_channel") as announced:
            ours = one.create_data_channel("churn")
            await one.set_local_description()
            assert one.local_description is not None
            await other.set_remote_description(one.local_description)
            await other.set_local_description()
            assert other.local_description is not None
            await one.set_remote_description(other.local_description)
            with trio.fail_after(CONNECT_TIMEOUT):
                theirs = (await announced.receive()).channel
                await ours.opened()
        await ours.send("there")
        assert await theirs.receive() == "there"
        await theirs.send("and back")
        assert await ours.receive() == "and back"
        yield


async def one_after_the_other(connections: int, leak: int = 0) -> list[Snapshot]:
    """Open and close connections sequentially, two ends each, and keep ``leak`` bytes of each."""
    snapshots = []
    kept = []
    pairs = connections // 2
    interval = max(1, pairs // SNAPSHOTS)
    for number in range(1, pairs + 1):
        async with connected_pair():
            kept.append(bytearray(2 * leak))
        if number % interval == 0:
            snapshots.append(Snapshot.take(2 * number))
    return snapshots


class Churn:
    """Concurrent connections with random lifetimes, each of which is replaced when it ends.

    Args:
        connections: Number of concurrent connections.
        rng: Source of their lifetimes.
        leak: Bytes to keep of each.
    """

    def __init__(self, connections: int, rng: random.Random, leak: int = 0) -> None:
        self.made = 0
        self._pairs = connections // 2
        self._rng = rng
        self._leak = leak
        self._kept: list[bytearray] = []
        self._open = 0
        self._all_open = trio.Event()
        self._may_end = trio.Event()
        self._may_end.set()
        self._may_connect = trio.Semaphore(CONNECTING)
        self._replaced = 0
        self._all_replaced = trio.Event()

    async def keep_one(self) -> None:
        """Keep one pair open, and replace it when it ends."""
        for lifetimes in itertools.count():
            await self._may_connect.acquire()
            async with connected_pair():
                self._may_connect.release()
                if lifetimes == LIFETIMES:
                    self._note_replaced()
                self.made += 2
                self._kept.append(bytearray(2 * self._leak))
                self._open += 1
                if self._open == self._pairs:
                    self._all_open.set()
                await trio.sleep(self._rng.uniform(0.5, 1.5) * LIFETIME)
                await self._may_end.wait()
                self._open -= 1

    def _note_replaced(self) -> None:
        self._replaced += 1
        if self._replaced == self._pairs:
            self._all_replaced.set()

    async def warm_up(self) -> None:
        """Wait until each connection has been replaced often enough for a steady state of the heap."""
        await self._all_replaced.wait()

    async def take_snapshot(self) -> Snapshot:
        """Return a snapshot of a time at which all connections are open, so that snapshots are comparable."""
        self._may_end = trio.Event()
        while self._open < self._pairs:
            self._all_open = trio.Event()
            await self._all_open.wait()
        snapshot = Snapshot.take(self.made)
        self._may_end.set()
        return snapshot


async def at_once(connections: int, seconds: float, seed: int, leak: int = 0) -> list[Snapshot]:
    """Keep connections open while some are replaced; measure when all have been replaced."""
    churn = Churn(connections, random.Random(seed), leak)
    snapshots = []
    async with trio.open_nursery() as nursery:
        for _ in range(connections // 2):
            nursery.start_soon(churn.keep_one)
        first = await churn.take_snapshot()
        print(f"opened: {first.memory / 2**20:.1f} MiB resident, {first.in_use / 2**20:.1f} MiB in use")
        await churn.warm_up()
        for _ in range(SNAPSHOTS):
            await trio.sleep(seconds / SNAPSHOTS)
            snapshots.append(await churn.take_snapshot())
        nursery.cancel_scope.cancel()
    return snapshots


def ends(values: Sequence[float]) -> tuple[float, float]:
    """Return the median of the first quarter after the warm-up, and that of the last quarter."""
    quarter = len(values) // 4
    return median(values[WARM_UP : WARM_UP + quarter]), median(values[-quarter:])


def growth(values: Sequence[float]) -> float:
    """Return the relative growth of values since the warm-up."""
    before, after = ends(values)
    return after / before - 1


def leaked(snapshots: Sequence[Snapshot]) -> float:
    """Return the growth of bytes in use for each connection since the warm-up."""
    before, after = ends([each.in_use for each in snapshots])
    earlier, later = ends([each.connections for each in snapshots])
    return (after - before) / (later - earlier)


def report(title: str, snapshots: Sequence[Snapshot], seconds: float) -> None:
    """Print some of the snapshots."""
    print(f"{title}: {snapshots[-1].connections} connections in {seconds:.0f} s")
    print("connections  resident MiB  in use MiB  descriptors  tasks  objects")
    for each in (*snapshots[:: len(snapshots) // 4], snapshots[-1]):
        print(
            f"{each.connections:11}  {each.memory / 2**20:12.1f}  {each.in_use / 2**20:10.1f}"
            f"  {each.descriptors:11}  {each.tasks:5}  {each.objects:7}"
        )
    for name in ("memory", "in_use", "objects"):
        print(f"growth of {name}: {100 * growth([getattr(each, name) for each in snapshots]):+.2f} %")
    print(f"bytes in use for each connection made: {leaked(snapshots):+.0f}")


def faults_between(snapshots: Sequence[Snapshot]) -> list[str]:
    """Return the resources that were not flat, for snapshots without open connections."""
    faults = faults_while(snapshots)
    for name in ("descriptors", "tasks"):
        if len(values := {getattr(each, name) for each in snapshots}) > 1:
            faults.append(f"{name} vary between connections: {sorted(values)}")
    return faults


def faults_while(snapshots: Sequence[Snapshot]) -> list[str]:
    """Return the resources that have grown, for snapshots with open connections."""
    names = ("memory", "objects", "descriptors", "tasks")
    grown = {name: growth([getattr(each, name) for each in snapshots]) for name in names}
    faults = [
        f"{name} have grown by {100 * part:.1f} %" for name, part in grown.items() if part > MOST_GROWTH
    ]
    if (lost := leaked(snapshots)) > MOST_LEAKED:
        faults.append(f"{lost:.0f} bytes more are in use for each connection that was made")
    return faults


async def run(arguments: argparse.Namespace) -> list[str]:
    """Run all measurements; return the resources that were not flat."""
    async with connected_pair():
        pass
    before = Snapshot.take(2)
    faults = []
    if arguments.one_after_the_other:
        start = time.perf_counter()
        snapshots = await one_after_the_other(arguments.one_after_the_other, arguments.leak)
        report("one after the other", snapshots, time.perf_counter() - start)
        faults += faults_between(snapshots)
    if arguments.at_once:
        start = time.perf_counter()
        snapshots = await at_once(arguments.at_once, arguments.seconds, arguments.seed, arguments.leak)
        report(f"{arguments.at_once} at once", snapshots, time.perf_counter() - start)
        faults += faults_while(snapshots)
    after = Snapshot.take(0)
    faults += [
        f"{name} remain: {getattr(after, name) - getattr(before, name)}"
        for name in ("descriptors", "tasks")
        if getattr(after, name) > getattr(before, name)
    ]
    return faults


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.churn", description="Many connections.")
    parser.add_argument("--one-after-the-other", type=int, default=10_000, metavar="CONNECTIONS")
    parser.add_argument("--at-once", type=int, default=1_000, metavar="CONNECTIONS")
    parser.add_argument("--seconds", type=float, default=180.0, help="how long so many are measured at once")
    parser.add_argument("--seed", type=int, default=1, help="of their lifetimes")
    parser.add_argument("--leak", type=int, default=0, metavar="BYTES", help="to keep of each connection")
    faults = trio.run(run, parser.parse_args())
    for fault in faults:
        print(f"not flat: {fault}", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
