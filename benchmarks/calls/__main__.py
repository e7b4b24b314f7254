"""The command line of the calls."""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import trio

from benchmarks.calls.call import PAIRS, Caller, raise_priority
from benchmarks.calls.comparison import compare, describe, read_results
from benchmarks.calls.figures import Figures, figures_of
from benchmarks.calls.network import NETWORKS
from benchmarks.calls.scene import write_scene
from benchmarks.calls.table import Row, make_table, to_json
from tests.interop.drivers.browser import BrowserError
from tests.interop.drivers.chromium import open_chromium
from tests.interop.drivers.rpc import PeerGoneError
from tests.netns.private_network import enter_private_network

ATTEMPTS = 3
MOST_LATENESS = 50.0
"""Milliseconds that the relay may be late; in a call where it is later, the machine was too busy."""

SIZES = {"360p": (640, 360), "720p": (1280, 720)}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.calls",
        description="Calls over bad networks, one end of each in Chromium.",
        epilog=f"Networks: {', '.join(f'{name} ({each.description})' for name, each in NETWORKS.items())}.",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="SENDER/RECEIVER/NETWORK",
        help="only these rows; * stands for any; may be repeated",
    )
    parser.add_argument(
        "--seconds", type=float, help="how long a call lasts, instead of what the network needs"
    )
    parser.add_argument("--rounds", type=int, default=1, help="calls per row, of which the medians are shown")
    parser.add_argument("--size", choices=list(SIZES), default="360p", help="of the video")
    parser.add_argument("--seed", type=int, default=1, help="of the networks in the first round")
    parser.add_argument("--json", type=Path, help="also write every round's figures to this file")
    parser.add_argument(
        "--compare",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="make no calls, but compare those of trio_rtc and libwebrtc in files of --json; the exit code"
        " shows whether trio_rtc is worse in a figure",
    )
    return parser


def chosen_rows(only: Sequence[str] | None) -> list[Row]:
    """Return the requested rows.

    Raises:
        ValueError: A choice fits no row.
    """
    rows = [(network, *pair) for network in NETWORKS for pair in PAIRS]
    if only is None:
        return rows
    names = {row: f"{row[1]}/{row[2]}/{row[0]}" for row in rows}
    for choice in only:
        if not any(fnmatchcase(name, choice) for name in names.values()):
            raise ValueError(
                f"--only {choice} fits no row. Rows are SENDER/RECEIVER/NETWORK, one end is chromium;"
                f" networks are {', '.join(NETWORKS)}"
            )
    return [row for row in rows if any(fnmatchcase(names[row], choice) for choice in only)]


async def run(
    arguments: argparse.Namespace, rows: Sequence[Row]
) -> tuple[dict[Row, list[Figures]], list[str]]:
    """Make the calls; return their figures and what failed."""
    results: dict[Row, list[Figures]] = {row: [] for row in rows}
    failures = []
    with tempfile.TemporaryDirectory(prefix="calls-") as directory:
        scene, page = Path(directory, "scene.y4m"), Path(directory, "page.html")
        write_scene(scene, *SIZES[arguments.size])
        await trio.Path(page).write_text("<!doctype html><title>call</title>")
        flags = [f"--use-file-for-fake-video-capture={scene}", "--use-fake-ui-for-media-stream"]
        async with open_chromium(*flags, "--allow-loopback-in-peer-connection") as chromium:
            raise_priority(chromium.pid)
            caller = Caller(chromium, scene, page)
            for number in range(arguments.rounds):
                for row in rows:
                    seed = arguments.seed + number
                    figures = await _measure_undisturbed(caller, row, seconds=arguments.seconds, seed=seed)
                    if figures is None:
                        failures.append(" ".join(row))
                    else:
                        results[row].append(figures)
                        _report(make_table({row: [figures]}).splitlines()[-1])
    return {row: rounds for row, rounds in results.items() if rounds}, failures


async def _measure_undisturbed(
    caller: Caller, row: Row, *, seconds: float | None, seed: int
) -> Figures | None:
    """Make a call again if the machine was too busy for it, and return the last figures, if any."""
    figures = None
    for _ in range(ATTEMPTS):
        try:
            figures = await _measure(caller, row, seconds=seconds, seed=seed)
        except (trio.TooSlowError, BrowserError, PeerGoneError) as error:
            _report(f"{' '.join(row)}: {error!r}")
            continue
        if figures.lateness <= MOST_LATENESS:
            break
        _report(f"{' '.join(row)}: the relay was {figures.lateness:.0f} ms late")
    return figures


async def _measure(caller: Caller, row: Row, *, seconds: float | None, seed: int) -> Figures:
    network, sender, receiver = row
    recording = await caller.call(
        (sender, receiver), network, seconds=seconds or NETWORKS[network].seconds, seed=seed
    )
    return figures_of(recording)


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _compare(paths: Sequence[Path]) -> int:
    results: dict[Row, list[Figures]] = {}
    for path in paths:
        for row, rounds in read_results(json.loads(path.read_text())).items():
            results.setdefault(row, []).extend(rounds)
    differences = compare(results, "trio_rtc", "wrtc")
    print(make_table(results))
    print(describe(differences, "trio_rtc", "wrtc"))
    return 1 if any(each.is_worse for each in differences) else 0


def main() -> int:
    """Measure and print; the exit code shows whether all calls were completed."""
    parser = make_parser()
    arguments = parser.parse_args()
    if arguments.compare:
        return _compare(arguments.compare)
    try:
        rows = chosen_rows(arguments.only)
    except ValueError as error:
        parser.error(str(error))
    # A time limit from outside ends the browser too.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    if not enter_private_network():
        _report("not root: on this host's own network")
    results, failures = trio.run(run, arguments, rows)
    print(make_table(results))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(to_json(results), indent=2))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
