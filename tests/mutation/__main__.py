"""Mutates the package at random places and lists the mutants that no test notices.

``python -m tests.mutation --count 300 --seed 1 --minutes 120``. The seed determines the sample: a change of the
package removes or adds only mutants of changed code. Each target is run with its own tests.

The runner is our own, because mutmut and cosmic-ray run whole suites for each mutant, which would take days here. It
runs only the tests of the mutant's own package that reach the mutated line, the fastest first, for a minute at most, in
a copy of the tree. If the line runs in tests only, the tests are collected once, and a fork for each mutant replaces
the code of the existing functions, which takes half a second; code that runs on import is imported again. A run in
which pytest has run no test counts as survived.
"""

import argparse
import collections
import hashlib
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.mutations import Mutation, iterate_targets
from tests.mutation.runner import Reach, Verdict, WorkingCopy

TREE = Path(__file__).parents[2]
TARGETS = {
    "dtls": ("trio_rtc/protocols/dtls",),
    "sctp": ("trio_rtc/protocols/sctp",),
    "stun": ("trio_rtc/protocols/stun",),
    "ice": ("trio_rtc/protocols/ice",),
    "srtp": ("trio_rtc/protocols/srtp",),
    "transports": ("trio_rtc/transports",),
    "data_channels": ("trio_rtc/protocols/datachannel", "trio_rtc/data_channels"),
}
_OWN_TRANSPORT = "test_data_channels_have_a_transport_of_their_own"
_OTHER_LOOPS = "test_asyncio_is_told_that_trio_is_needed"
TESTS = {
    **{name: (f"tests/protocols/{name}",) for name in ("dtls", "sctp", "stun", "srtp")},
    "ice": ("tests/protocols/ice", "tests/scenarios/test_candidates.py"),
    "transports": (
        "tests/transports",
        "tests/transceivers/test_receiver_channels.py",
        "tests/scenarios/test_closing.py",
        "tests/scenarios/test_network_changes.py",
        "tests/scenarios/test_first_keyframe.py",
    ),
    "data_channels": (
        "tests/protocols/datachannel",
        "tests/data_channels",
        "tests/api/test_invalid_arguments.py",
        "tests/api/test_asyncio_and_anyio.py::" + _OTHER_LOOPS,
        "tests/api/test_events_after_calls.py",
        "tests/scenarios/test_unread_closed_channels.py",
        "tests/scenarios/test_peer_closed.py",
        "tests/scenarios/test_slow_readers.py",
        "tests/scenarios/test_application_errors.py",
        "tests/scenarios/test_leaving_blocks.py",
        "tests/scenarios/test_without_bundle.py::" + _OWN_TRANSPORT,
    ),
}
SECONDS_PER_MUTANT = 60.0
_LISTED = re.compile(r"\s*(\S+\.py):\d+: (.*?)(  \| .*)?$")
"""A printed survivor: path, line, name, reason."""


def read_sources(names: list[str]) -> dict[str, str]:
    """Return the source files of targets by their paths."""
    sources: dict[str, str] = {}
    for name in names:
        for target in TARGETS[name]:
            path = TREE / target
            for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
                sources[str(file.relative_to(TREE))] = file.read_text()
    return sources


@attrs.define
class Figures:
    """Results of the mutants of a target.

    Attributes:
        verdicts: Numbers of mutants by verdict.
        equivalent: Number of mutants not run because they are equivalent.
        survivors: Mutants that no test noticed, one per line.
        killers: Tests with the numbers of mutants that they noticed.
    """

    verdicts: collections.Counter[Verdict] = attrs.Factory(collections.Counter)
    equivalent: int = 0
    survivors: list[str] = attrs.Factory(list)
    killers: collections.Counter[str] = attrs.Factory(collections.Counter)

    @property
    def run(self) -> int:
        """Number of mutants that were run."""
        return self.verdicts.total()

    @property
    def killed(self) -> int:
        """Number of mutants that a test noticed."""
        return sum(count for verdict, count in self.verdicts.items() if verdict.is_killed)

    def __str__(self) -> str:
        how = ", ".join(
            f"{count}: {verdict.value}" for verdict, count in self.verdicts.items() if verdict.is_killed
        )
        return f"{self.run} run, {self.killed} killed, {self.equivalent} equivalent ({how or 'none killed'})"


def parse_arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="mutants in the sample (default: 300)")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default: 1)")
    parser.add_argument("--minutes", type=float, default=180, help="after which it stops (default: 180)")
    parser.add_argument("--least", type=float, default=95, help="per cent to be killed (default: 95)")
    parser.add_argument(
        "--only", metavar="FILE", help="of the sample, run the mutants that a file lists, as they are printed"
    )
    parser.add_argument(
        "targets", nargs="*", default=[*TARGETS], help=f"of {', '.join(TARGETS)} (default: all)"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - TARGETS.keys():
        parser.error(f"unknown targets: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    return arguments


def draw_sample(
    everything: Iterable[tuple[str, Mutation]], count: int, seed: int
) -> list[tuple[str, Mutation]]:
    """Return the ``count`` mutants whose names have the smallest hashes."""
    return sorted(
        everything,
        key=lambda mutant: hashlib.sha256(f"{seed} {mutant[0]} {mutant[1].name}".encode()).digest(),
    )[:count]


def run_target(
    copy: WorkingCopy, name: str, sample: Sequence[tuple[str, Mutation]], deadline: float
) -> Figures:
    """Run the mutants of a target until the deadline."""
    figures = Figures()
    to_run = [(path, mutation) for path, mutation in sample if (path, mutation.name) not in EQUIVALENT]
    figures.equivalent = len(sample) - len(to_run)
    began = time.monotonic()
    sources = [str(copy.folder / target) + "/*" * (not target.endswith(".py")) for target in TARGETS[name]]
    reach = copy.measure(TESTS[name], sources, max(1.0, deadline - began))
    print(
        f"{name}: {len(reach.seconds)} tests pass without a mutation in {time.monotonic() - began:.0f} s, "
        f"{sum(reach.seconds.values()):.0f} of CPU; "
        f"{len(to_run)} mutants",
        flush=True,
    )
    copy.collect(TESTS[name])
    for path, mutation in to_run:
        if time.monotonic() > deadline:
            break
        run_one(copy, reach, path, mutation, figures)
    check_killers(copy, reach, figures)
    print(f"{name}: {figures}, {time.monotonic() - began:.0f} s", flush=True)
    return figures


def run_one(copy: WorkingCopy, reach: Reach, path: str, mutation: Mutation, figures: Figures) -> None:
    """Run one mutant, and count it."""
    began = time.monotonic()
    tests = reach.select(path, mutation, SECONDS_PER_MUTANT)
    where = f"{path}:{mutation.line}: {mutation.name}"
    if not tests:
        verdict = Verdict.SURVIVED
        reason = "no test reaches it"
    else:
        outcome = copy.run_mutant(path, mutation, tests, reach)
        verdict = outcome.verdict
        reason = f"{len(tests)} tests" if verdict is Verdict.SURVIVED else outcome.output[-500:]
        figures.killers[outcome.test] += verdict.is_killed
    figures.verdicts[verdict] += 1
    if verdict.is_killed:
        print(f"killed ({verdict.value}, {time.monotonic() - began:.1f} s): {where}", flush=True)
        return
    figures.survivors.append(f"{where}  | {reason}")
    print(
        f"SURVIVES ({verdict.value}, {time.monotonic() - began:.1f} s): {figures.survivors[-1]}", flush=True
    )


def check_killers(copy: WorkingCopy, reach: Reach, figures: Figures) -> None:
    """Run the killing tests without a mutation; a test that fails now has proved nothing.

    Raises:
        RuntimeError: A test fails.
    """
    tests = [test for test in figures.killers if test in reach.seconds]
    outcome = copy.run(tests, reach.seconds) if tests else None
    if outcome is not None and outcome.verdict is not Verdict.SURVIVED:
        raise RuntimeError(f"a test fails now and then without a mutation:\n{outcome.output[-4000:]}")


def main() -> int:
    """Run the sample; return 1 if too few were killed."""
    arguments = parse_arguments()
    deadline = time.monotonic() + 60 * arguments.minutes
    by_target = {name: list(iterate_targets(read_sources([name]))) for name in arguments.targets}
    everything = [mutant for mutants in by_target.values() for mutant in mutants]
    chosen = draw_sample(everything, arguments.count, arguments.seed)
    if arguments.only:
        listed = {_LISTED.sub(r"\1: \2", line) for line in Path(arguments.only).read_text().splitlines()}
        chosen = [(path, mutation) for path, mutation in chosen if f"{path}: {mutation.name}" in listed]
    print(
        f"{len(chosen)} of {len(everything)} mutants of {', '.join(arguments.targets)}, seed {arguments.seed}"
    )
    total = Figures()
    with (
        tempfile.TemporaryDirectory(prefix="mutants-") as folder,
        WorkingCopy.make(TREE, Path(folder)) as copy,
    ):
        for name, mutants in by_target.items():
            if sample := [mutant for mutant in mutants if mutant in chosen]:
                figures = run_target(copy, name, sample, deadline)
                total.verdicts += figures.verdicts
                total.equivalent += figures.equivalent
                total.survivors += figures.survivors
    killed = 100 * total.killed / total.run if total.run else 0.0
    unrun = len(chosen) - total.run - total.equivalent
    print(f"all: {total}: {killed:.1f} %" + f", {unrun} not run for lack of time" * bool(unrun))
    for survivor in total.survivors:
        print(f"  {survivor}")
    return int(killed < arguments.least)


if __name__ == "__main__":
    sys.exit(main())
