"""Coverage-guided fuzzing of all parsers and live cores, bounded in time: ``python -m tests.fuzzing --help``.

Targets run sequentially. Corpora stay in the output folder and are continued by the next run. The
exit status is 1 if there are findings.
"""

import argparse
import contextlib
import fnmatch
import io
import json
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from .report import Result, read_failure, read_figures, table
from .workplace import Workplace

if TYPE_CHECKING:
    from .target import Target

_COVER_SECONDS = 8.0
_INPUT_SECONDS = 30
"""Seconds after which an input is a finding. The slowest ones take a tenth of a second on an idle machine."""


def load_instrumented() -> "dict[str, Target]":
    """Import the package for the fuzzer, which instruments only modules imported here for the first time."""
    import atheris

    # The fuzzer prints a line for each module.
    with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["trio_rtc"]):
        from .targets import TARGETS
    return TARGETS


def fuzz(target: "Target", workplace: Workplace, seconds: float) -> Result:
    """Fuzz a target for some seconds in a process of its own, since libFuzzer ends the process."""
    import atheris

    corpus, findings = workplace.corpus(target), workplace.findings(target.name)
    before = set(findings.iterdir())
    options = (
        f"-max_total_time={max(1, round(seconds))}",
        f"-max_len={target.max_length}",
        f"-timeout={_INPUT_SECONDS}",
        f"-artifact_prefix={findings}/",
        "-print_final_stats=1",
    )

    def start() -> None:
        atheris.Setup(["fuzzing", *options, str(corpus)], target.run)
        atheris.Fuzz()

    status, log = workplace.run_forked(target.name, start)
    found = tuple(str(path) for path in sorted(set(findings.iterdir()) - before))
    inputs, per_second = read_figures(log)
    return Result(target.name, inputs, per_second, found, read_failure(log) if status else "")


def measure(results: Sequence[Result], workplace: Workplace) -> list[Result]:
    """Add to each result the branches of its modules that the corpus reaches."""
    names = [result.name for result in results]
    command = [sys.executable, "-m", "tests.fuzzing.cover", str(workplace.root), str(_COVER_SECONDS), *names]
    figures: dict[str, list[int]] = json.loads(
        subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    )
    return [
        attrs.evolve(result, reached=figures[result.name][0], branches=figures[result.name][1])
        for result in results
    ]


def run(targets: "Sequence[Target]", workplace: Workplace, seconds: float) -> int:
    """Fuzz targets sequentially for some seconds each, and return the exit status."""
    results = []
    for target in targets:
        result = fuzz(target, workplace, seconds)
        results.append(result)
        print(f"{target.name}: {result.inputs:,} inputs", flush=True)
        if result.failed:
            print(result.failure, *result.findings, sep="\n", flush=True)
    failed = any(result.failed for result in results)
    print(f"\n{table(measure(results, workplace))}")
    return int(failed)


def show(name: str, path: Path) -> int:
    """Run one input, print it as an ``@example``, and return the exit status."""
    from .cores import CORE_SUBJECTS, decode_script, stages_of
    from .targets import TARGETS

    data = path.read_bytes()
    if name in CORE_SUBJECTS:
        stage, script = decode_script(data, stages_of(CORE_SUBJECTS[name]))
        print("tests/protocols/test_contract.py, test_hostile_packets:")
        print(f"@example(stage=Stage.{stage.name}, script={script})")
    else:
        print("tests/fuzzing/test_fuzzing_targets.py, test_arbitrary_bytes:")
        print(f"@example(data={data!r})")
    try:
        TARGETS[name].run(data)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run the command line, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="for all targets together (default: 5)")
    parser.add_argument("--only", default="*", help="targets whose names match, as in 'core-*'")
    parser.add_argument(
        "--output", type=Path, default=Path("build/fuzz"), help="where corpora and findings are kept"
    )
    parser.add_argument(
        "--show", nargs=2, metavar=("TARGET", "FILE"), help="run one input without the fuzzer"
    )
    options = parser.parse_args(arguments)
    if options.show:
        return show(options.show[0], Path(options.show[1]))
    targets = load_instrumented()
    chosen = [target for name, target in targets.items() if fnmatch.fnmatch(name, options.only)]
    if not chosen:
        parser.error(f"--only {options.only!r} matches none of {', '.join(targets)}")
    return run(chosen, Workplace(options.output), options.minutes * 60 / len(chosen))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
