"""Mutates the package at random places and lists the mutants that no test notices.

``python -m tests.mutation --count 300 --seed 1 --minutes 120``. The sample is the same for the same seed and sources.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.mutations import Mutation, iterate_targets
from tests.mutation.runner import Reach, WorkingCopy

TREE = Path(__file__).parents[2]
TARGETS = {
    "dtls": ("trio_rtc/protocols/dtls",),
    "sctp": ("trio_rtc/protocols/sctp",),
    "stun": ("trio_rtc/protocols/stun",),
    "ice": ("trio_rtc/protocols/ice",),
    "srtp": ("trio_rtc/protocols/srtp",),
    "transports": ("trio_rtc/transports",),
    "data_channels": (
        "trio_rtc/protocols/datachannel",
        *(f"trio_rtc/{name}.py" for name in ("data_channel", "channel_init", "channel_messages")),
        *(f"trio_rtc/{name}.py" for name in ("channel_stream", "channel_table")),
    ),
}
TESTS = {
    **{name: (f"tests/protocols/{name}",) for name in ("dtls", "sctp", "stun", "srtp")},
    "ice": ("tests/protocols/ice", "tests/scenarios/test_candidates.py"),
    "transports": (
        "tests/transports",
        "tests/scenarios/test_closing.py",
        "tests/scenarios/test_network_changes.py",
        "tests/scenarios/test_first_keyframe.py",
    ),
    "data_channels": (
        *("tests/protocols/datachannel", "tests/api/test_data_channel.py"),
        *("tests/api/test_channels_before_and_after.py", "tests/scenarios/test_closed_unread_channels.py"),
        *("tests/scenarios/test_peer_closed.py", "tests/scenarios/test_slow_readers.py"),
    ),
}
SECONDS_PER_MUTANT = 60.0


def read_sources(names: list[str]) -> dict[str, str]:
    """Return the source files of targets by their paths."""
    sources: dict[str, str] = {}
    for name in names:
        for target in TARGETS[name]:
            path = TREE / target
            for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
                sources[str(file.relative_to(TREE))] = file.read_text()
    return sources


def parse_arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="mutants in the sample (default: 300)")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default: 1)")
    parser.add_argument("--minutes", type=float, default=180, help="after which it stops (default: 180)")
    parser.add_argument("--least", type=float, default=95, help="per cent to be killed (default: 95)")
    parser.add_argument(
        "targets", nargs="*", default=[*TARGETS], help=f"of {', '.join(TARGETS)} (default: all)"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - TARGETS.keys():
        parser.error(f"unknown targets: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    return arguments


def run_mutants(
    copy: WorkingCopy, reach: Reach, sample: list[tuple[str, Mutation]], deadline: float
) -> tuple[int, list[str]]:
    """Run mutants until the deadline; return how many were run, and the survivors."""
    survivors: list[str] = []
    for number, (path, mutation) in enumerate(sample):
        if time.monotonic() > deadline:
            return number, survivors
        tests = reach.select(path, mutation.line, SECONDS_PER_MUTANT)
        seconds = sum(reach.seconds.get(test, 0.0) for test in tests)
        if not tests or not copy.kills(path, mutation, tests, seconds):
            how = f"{len(tests)} tests" if tests else "no test reaches it"
            survivors.append(f"{path}:{mutation.line}: {mutation.description}  ({how})")
            print(f"survives: {survivors[-1]}", flush=True)
    return len(sample), survivors


def main() -> int:
    """Run the sample; return 1 if too few were killed."""
    arguments = parse_arguments()
    deadline = time.monotonic() + 60 * arguments.minutes
    everything = [
        (path, mutation)
        for path, mutation in iterate_targets(read_sources(arguments.targets))
        if (path, mutation.description) not in EQUIVALENT
    ]
    sample = random.Random(arguments.seed).sample(everything, min(arguments.count, len(everything)))
    print(
        f"{len(sample)} of {len(everything)} mutants of {', '.join(arguments.targets)}, seed {arguments.seed}"
    )
    tests = list(dict.fromkeys(test for name in arguments.targets for test in TESTS[name]))
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = WorkingCopy.make(TREE, Path(folder))
        began = time.monotonic()
        sources = [
            os.path.join(folder, target, "*" * (not target.endswith(".py")))
            for name in arguments.targets
            for target in TARGETS[name]
        ]
        reach = copy.measure(tests, [source.rstrip("/") for source in sources], 60 * arguments.minutes)
        print(
            f"{len(reach.seconds)} tests pass without a mutation, in {time.monotonic() - began:.0f} s",
            flush=True,
        )
        count, survivors = run_mutants(copy, reach, sample, deadline)
    killed = 100 * (count - len(survivors)) / count if count else 0.0
    unrun = f", {len(sample) - count} not run for lack of time" if count < len(sample) else ""
    print(f"{count - len(survivors)} of {count} killed: {killed:.1f} %{unrun}")
    for survivor in survivors:
        print(f"  {survivor}")
    return int(killed < arguments.least)


if __name__ == "__main__":
    sys.exit(main())
