"""The command line: ``python -m benchmarks.hostile``."""

import argparse
import sys

from benchmarks.hostile.cases import CASES
from benchmarks.hostile.measure import Result, measure

_HEAD = f"{'input':58} {'from':11} {'largest':>16} {'CPU':>10} {'growth':>7} {'of bound':>9}"


def main() -> int:
    """Measure all cases, print them by decreasing cost, and return 1 if a bound is broken."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hostile",
        description="CPU time of the worst input of each parser and core, for bounds and for linear growth.",
    )
    parser.add_argument("--only", default="", help="measure the cases whose name contains this")
    arguments = parser.parse_args()
    chosen = [case for case in CASES if arguments.only in case.name]
    if not chosen:
        parser.error(f"no case has {arguments.only!r} in its name; there are {[case.name for case in CASES]}")
    results = [measure(case) for case in chosen]
    print(_HEAD)
    for result in sorted(results, key=lambda result: -result.share):
        print(_row(result))
    slowest = max(result.factor for result in results)
    print(f"\n{len(results)} inputs; this machine took up to {slowest:.2f} times as long as the reference.")
    broken = [result for result in results if not result.is_within_bounds]
    for result in broken:
        reason = "too expensive" if result.share > 1 else "faster than linear growth"
        print(f"BROKEN: {result.case.name}: {reason}", file=sys.stderr)
    return 1 if broken else 0


def _row(result: Result) -> str:
    case = result.case
    growth = "" if result.growth is None else f"x{result.growth:.2f}"
    largest = f"{case.sizes[-1]:,} {case.unit}"
    return (
        f"{case.name:58} {case.source.name.lower():11} {largest:>16} {result.worst * 1000:>7.3f} ms"
        f" {growth:>7} {result.share:>9.0%}"
    )


if __name__ == "__main__":
    sys.exit(main())
