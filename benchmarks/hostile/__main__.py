"""The command line: ``python -m benchmarks.hostile``."""

import argparse
import sys

from benchmarks.hostile.cases import CASES
from benchmarks.hostile.measure import measure
from benchmarks.hostile.table import WORST, describe_machine, make_markdown, make_text


def main() -> int:
    """Measure all cases, print them by decreasing cost, and return 1 if a bound is broken."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hostile",
        description="CPU time of the worst input of each parser and core, for bounds and for linear growth.",
    )
    parser.add_argument("--only", default="", help="measure the cases whose name contains this")
    parser.add_argument(
        "--table", action="store_true", help=f"print the {WORST} worst as a table in Markdown, too"
    )
    arguments = parser.parse_args()
    chosen = [case for case in CASES if arguments.only in case.name]
    if not chosen:
        parser.error(f"no case has {arguments.only!r} in its name; there are {[case.name for case in CASES]}")
    results = [measure(case) for case in chosen]
    print(*make_text(results), sep="\n")
    slowest = max(result.factor for result in results)
    print(f"\n{len(results)} inputs; this machine took up to {slowest:.2f} times as long as the reference.")
    if arguments.table:
        print(f"\n{describe_machine()}:\n", *make_markdown(results), sep="\n")
    broken = [result for result in results if not result.is_within_bounds]
    for result in broken:
        reason = "too expensive" if result.share > 1 else "faster than linear growth"
        print(f"BROKEN: {result.case.name}: {reason}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
