"""The command line of the benchmark."""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.report import make_table, summarize
from benchmarks.rounds import LIBRARIES, MEASUREMENTS, run_rounds
from tests.netns.private_network import enter_private_network


def main() -> int:
    """Measure and print; the exit code shows only whether all measurements were completed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="trio_rtc beside aiortc and libwebrtc (wrtc): two processes a measurement, all data checked.",
    )
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it runs")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the medians are shown")
    parser.add_argument(
        "--library", action="append", choices=LIBRARIES, help="only this one; may be repeated"
    )
    parser.add_argument("--measurement", action="append", choices=list(MEASUREMENTS), help="likewise")
    parser.add_argument("--json", type=Path, help="also write every round's figures to this file")
    arguments = parser.parse_args()

    if not enter_private_network():
        print(
            "not root: on this host's own network; aiortc needs an address that is not loopback",
            file=sys.stderr,
        )
    results = run_rounds(
        libraries=arguments.library or LIBRARIES,
        measurements=arguments.measurement or list(MEASUREMENTS),
        rounds=1 if arguments.quick else arguments.rounds,
        quick=arguments.quick,
        progress=lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(make_table(results))
    if arguments.json is not None:
        arguments.json.write_text(
            json.dumps({"medians": summarize(results), "rounds": results.figures}, indent=2)
        )
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
