"""Branch coverage of corpora: ``python -m tests.fuzzing.cover FOLDER SECONDS TARGET...``.

Prints JSON with the branches of each target's modules that its inputs reach, and their total. It is a program
of its own, because coverage.py must start before the package is imported, without a fuzzer.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .workplace import Workplace

if TYPE_CHECKING:
    from .target import Target


def main(arguments: Sequence[str]) -> None:
    """Run the command line."""
    import coverage

    workplace, seconds = Workplace(Path(arguments[0])), float(arguments[1])
    measurement = coverage.Coverage(branch=True, source_pkgs=["trio_rtc"], data_file=None)
    measurement.start()
    from .targets import TARGETS

    figures = {}
    for name in arguments[2:]:
        target, report = TARGETS[name], workplace.root / f"{name}.json"

        def cover(target: "Target" = target, report: Path = report) -> None:
            run_corpus(target, workplace.corpus_folder(target.name), seconds)
            write_report(measurement, target, report)

        status, log = workplace.run_forked(f"{name}-coverage", cover)
        if status:
            raise SystemExit(log)
        totals = json.loads(report.read_text())["totals"]
        report.unlink()
        figures[name] = [totals["covered_branches"], totals["num_branches"]]
    measurement.stop()
    print(json.dumps(figures))


def run_corpus(target: "Target", corpus: Path, seconds: float) -> None:
    """Run the inputs of a folder, the smallest first, within a time limit."""
    deadline = time.monotonic() + seconds
    for path in sorted(corpus.iterdir(), key=lambda path: (path.stat().st_size, path.name)):
        if time.monotonic() > deadline:
            return
        target.run(path.read_bytes())


def write_report(measurement: Any, target: "Target", report: Path) -> None:
    """Write coverage.py's figures of a target's modules."""
    measurement.stop()
    measurement.json_report(outfile=str(report), include=[*map(_files_of, target.modules)])


def _files_of(module: str) -> str:
    path = Path(str(sys.modules[module].__file__))
    return str(path.parent / "*" if path.name == "__init__.py" else path)


if __name__ == "__main__":
    main(sys.argv[1:])
