"""Many connections: one after the other, and at once with some that end and others that take their place.

Run it with ``python -m benchmarks.churn``, or ``nox -s bench -- churn``. Both ends of each connection are in this
process, on the real loopback. Memory, file descriptors, tasks and objects are counted on the way. They have to be flat:
the program ends with exit code 1 if they are not. Linux only, since it reads ``/proc``.
"""

import argparse
import gc
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

SNAPSHOTS = 20
WARM_UP = SNAPSHOTS // 4
"""Of the first snapshots memory still grows: caches fill, the allocator takes what it keeps."""
MOST_GROWTH = 0.05
LIFETIME = 30.0
"""Seconds that a connection lives on average while others come and go."""


@attrs.frozen
class Snapshot:
    """Resources of the process at one moment.

    Attributes:
        connections: How many there have been until now.
        memory: Resident, in bytes.
        descriptors: Open files and sockets.
        tasks: Of trio.
        objects: That the garbage collector knows.
    """

    connections: int
    memory: int
    descriptors: int
    tasks: int
    objects: int

    @classmethod
    def take(cls, connections: int) -> "Snapshot":
        """Return a snapshot of the process after a garbage collection."""
        gc.collect()
        resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return cls(
            connections,
            resident * os.sysconf("SC_PAGE_SIZE"),
            len(os.listdir("/proc/self/fd")),
            trio.lowlevel.current_statistics().tasks_living,
            len(gc.get_objects()),
        )


@asynccontextmanager
async def connected_pair() -> AsyncIterator[None]:
    """Connect two ends with a channel between them, over which a message has gone each way."""
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
            theirs = (await announced.receive()).channel
        await ours.opened()
        await ours.send("there")
        assert await theirs.receive() == "there"
        await theirs.send("and back")
        assert await ours.receive() == "and back"
        yield


async def one_after_the_other(connections: int) -> list[Snapshot]:
    """Open and close so many connections, two ends at a time."""
    snapshots = []
    pairs = connections // 2
    interval = max(1, pairs // SNAPSHOTS)
    for number in range(1, pairs + 1):
        async with connected_pair():
            pass
        if number % interval == 0:
            snapshots.append(Snapshot.take(2 * number))
    return snapshots


async def at_once(connections: int, seconds: float, seed: int) -> list[Snapshot]:
    """Keep so many connections open, of which each lives for a random time and another takes its place."""
    rng = random.Random(seed)
    made = 0
    snapshots = []
    all_open = trio.Event()

    async def keep_one() -> None:
        nonlocal made
        while True:
            async with connected_pair():
                made += 2
                if made >= connections:
                    all_open.set()
                await trio.sleep(rng.uniform(0.5, 1.5) * LIFETIME)

    async with trio.open_nursery() as nursery:
        for _ in range(connections // 2):
            nursery.start_soon(keep_one)
        await all_open.wait()
        for _ in range(SNAPSHOTS):
            await trio.sleep(seconds / SNAPSHOTS)
            snapshots.append(Snapshot.take(made))
        nursery.cancel_scope.cancel()
    return snapshots


def growth(values: Sequence[int]) -> float:
    """Return by what part the last quarter of some values, in the median, is above the first after the warm-up."""
    quarter = len(values) // 4
    before, after = median(values[WARM_UP : WARM_UP + quarter]), median(values[-quarter:])
    return after / before - 1


def report(title: str, snapshots: Sequence[Snapshot], seconds: float) -> None:
    """Print some of the snapshots."""
    print(f"{title}: {snapshots[-1].connections} connections in {seconds:.0f} s")
    print("connections  memory MiB  descriptors  tasks  objects")
    for each in (*snapshots[:: len(snapshots) // 4], snapshots[-1]):
        print(
            f"{each.connections:11}  {each.memory / 2**20:10.1f}  {each.descriptors:11}  {each.tasks:5}"
            f"  {each.objects:7}"
        )
    for name in ("memory", "objects"):
        print(f"growth of {name}: {100 * growth([getattr(each, name) for each in snapshots]):+.1f} %")


def faults_between(snapshots: Sequence[Snapshot]) -> list[str]:
    """Return what was not flat where nothing is open at the time of a snapshot."""
    faults = faults_while(snapshots)
    for name in ("descriptors", "tasks"):
        if len(values := {getattr(each, name) for each in snapshots}) > 1:
            faults.append(f"{name} vary between connections: {sorted(values)}")
    return faults


def faults_while(snapshots: Sequence[Snapshot]) -> list[str]:
    """Return what has grown while others come and go."""
    names = ("memory", "objects", "descriptors", "tasks")
    grown = {name: growth([getattr(each, name) for each in snapshots]) for name in names}
    return [f"{name} have grown by {100 * part:.1f} %" for name, part in grown.items() if part > MOST_GROWTH]


async def run(arguments: argparse.Namespace) -> list[str]:
    """Do all; return what was not flat."""
    async with connected_pair():
        pass
    before = Snapshot.take(2)
    faults = []
    if arguments.one_after_the_other:
        start = time.perf_counter()
        snapshots = await one_after_the_other(arguments.one_after_the_other)
        report("one after the other", snapshots, time.perf_counter() - start)
        faults += faults_between(snapshots)
    if arguments.at_once:
        start = time.perf_counter()
        snapshots = await at_once(arguments.at_once, arguments.seconds, arguments.seed)
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
    parser.add_argument("--seconds", type=float, default=120.0, help="how long so many are kept open at once")
    parser.add_argument("--seed", type=int, default=1, help="of their lifetimes")
    faults = trio.run(run, parser.parse_args())
    for fault in faults:
        print(f"not flat: {fault}", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
