"""Runs the tests that reach a mutated line, in a copy of the working tree."""

import enum
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import attrs

from tests.mutation.context_plugin import DURATIONS
from tests.mutation.fork_server import NOT_PATCHED, READY
from tests.mutation.mutations import Mutation

COPIED = ("trio_rtc", "tests", "docs", "examples", "benchmarks", "pyproject.toml", "README.md")
_LEAST_CPU_SECONDS = 4.0
"""CPU seconds of a test, in addition to ``_TIMES_AS_LONG`` times its CPU seconds without a mutation."""
_TIMES_AS_LONG = 10.0
_LEAST_SECONDS = 60.0
"""Minimum real-time limit of a run in seconds, for busy machines."""
_CHANGED_PARAMETERS = "ERROR: not found"
_BROKEN_IMPORT = ("ERROR collecting", "ImportError while loading conftest")


class Verdict(enum.Enum):
    """Result of running the tests on a mutant."""

    SURVIVED = "no test fails"
    FAILED = "a test fails"
    ENDLESS = "a test does not end"
    CRASHED = "the process crashes"
    IMPORT = "the import fails"
    UNCLEAR = "pytest has run no test"

    @property
    def is_killed(self) -> bool:
        """Whether the tests notice the mutant."""
        return self not in (Verdict.SURVIVED, Verdict.UNCLEAR)


@attrs.frozen
class Outcome:
    """Outcome of a mutant's run.

    Attributes:
        verdict: The result.
        test: Test that noticed it; empty if none did or none ran.
        output: Output of pytest.
    """

    verdict: Verdict
    test: str = ""
    output: str = ""


def judge(code: int | None, current: str, output: str) -> Outcome:
    """Return the verdict of an exit code of pytest; ``None`` stands for a run that was ended."""
    test = current
    match code:
        case 0:
            return Outcome(Verdict.SURVIVED, output=output)
        case None:
            verdict = Verdict.ENDLESS
        case _ if code < 0:
            verdict = Verdict.ENDLESS if code == -signal.SIGPROF else Verdict.CRASHED
        case _ if any(text in output for text in _BROKEN_IMPORT):
            verdict, test = Verdict.IMPORT, ""
        case 1 | 2 | 3:
            # The package is a pytest plugin, which is imported before the tests.
            verdict = Verdict.FAILED if test else Verdict.IMPORT
        case _:
            verdict = Verdict.UNCLEAR
    return Outcome(verdict, test, output)


@attrs.frozen
class Reach:
    """Lines that each test runs.

    Attributes:
        by_line: Tests by file and line; the empty name stands for import and collection.
        seconds: CPU seconds by test.
    """

    by_line: Mapping[str, Mapping[int, Sequence[str]]]
    seconds: Mapping[str, float]

    def runs_on_import(self, path: str, mutation: Mutation) -> bool:
        """Return whether the statement of a mutation runs before the tests and may affect all of them."""
        return mutation.runs_on_import or "" in self._tests_of_statement(path, mutation)

    def select(self, path: str, mutation: Mutation, budget: float) -> list[str]:
        """Return the tests of a mutation, the quickest first, within the time budget.

        Code that runs only on import, such as a constant, may be used by any test.
        """
        tests = self._tests_of_statement(path, mutation)
        if mutation.runs_on_import or tests == {""}:
            tests = set(self.seconds)
        chosen, left = [], budget
        for test in sorted(tests - {""}, key=lambda test: (self.seconds.get(test, 0.0), test)):
            left -= self.seconds.get(test, 0.0) + 0.01
            if left < 0:
                break
            chosen.append(test)
        return chosen

    def _tests_of_statement(self, path: str, mutation: Mutation) -> set[str]:
        lines = self.by_line.get(path, {})
        # Not all lines of a multi-line statement may be counted as run.
        return set(lines.get(mutation.line, ())) or {
            test for line in mutation.statement for test in lines.get(line, ())
        }


class WorkingCopy:
    """A copy of the tree in which files are mutated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._importing: subprocess.Popen[str] | None = None
        self._collected: subprocess.Popen[str] | None = None

    def __enter__(self) -> "WorkingCopy":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._importing, self._collected):
            if server is not None:
                server.communicate()

    @classmethod
    def make(cls, tree: Path, folder: Path) -> "WorkingCopy":
        """Copy a tree."""
        for name in COPIED:
            source = tree / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
            else:
                shutil.copy(source, folder / name)
        # By the hash of the source, since a mutated file may have the same time and size.
        compiling = ("-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "trio_rtc", "tests")
        subprocess.run((sys.executable, *compiling), cwd=folder, check=True)
        return cls(folder)

    def _environment(self, **more: str) -> dict[str, str]:
        # Before the editable installation.
        return {**os.environ, "PYTHONPATH": str(self.folder), "HYPOTHESIS_PROFILE": "mutants", **more}

    def measure(self, tests: Sequence[str], sources: Sequence[str], timeout: float) -> Reach:
        """Run tests without a mutation, and return the lines that they reach.

        Raises:
            RuntimeError: Tests fail without any mutation.
        """
        durations, data = self.folder / "durations.json", self.folder / "coverage.sqlite"
        data.unlink(missing_ok=True)
        coverage = ("-m", "coverage", "run", f"--data-file={data}", f"--include={','.join(sources)}", "-m")
        options = ("-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header")
        plugin = ("-p", "tests.mutation.context_plugin")
        done = subprocess.run(
            (sys.executable, *coverage, "pytest", *options, *plugin, *tests),
            check=False,
            cwd=self.folder,
            env=self._environment(**{DURATIONS: str(durations)}),
            timeout=timeout,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(
                f"the tests fail without a mutation:\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
            )
        recorded = importlib.import_module("coverage").CoverageData(str(data))
        recorded.read()
        by_line = {
            os.path.relpath(path, self.folder): {
                line: sorted(contexts) for line, contexts in recorded.contexts_by_lineno(path).items()
            }
            for path in recorded.measured_files()
        }
        return Reach(by_line, json.loads(durations.read_text()))

    def collect(self, tests: Sequence[str]) -> None:
        """Collect tests once, for the mutants of functions.

        It returns after the collection, since the process must not import mutated files.

        Raises:
            RuntimeError: The tests cannot be collected.
        """
        if self._collected is not None:
            self._collected.communicate()
        self._collected = self._start_server(*tests)
        assert self._collected.stdout is not None
        if self._collected.stdout.readline() != json.dumps(READY) + "\n":
            raise RuntimeError(f"the tests cannot be collected: {', '.join(tests)}")

    def run_mutant(self, path: str, mutation: Mutation, tests: Sequence[str], reach: Reach) -> Outcome:
        """Run tests with a mutation."""
        file = self.folder / path
        source = file.read_text()
        mutated = mutation.apply(source)
        if self._collected is not None and not reach.runs_on_import(path, mutation):
            request = self._make_request(tests, reach.seconds)
            answer = _ask(self._collected, {**request, "path": path, "source": source, "mutated": mutated})
            if answer["code"] != NOT_PATCHED:
                return judge(**answer)
        file.write_text(mutated)
        try:
            return self.run(tests, reach.seconds)
        finally:
            file.write_text(source)

    def run(self, tests: Sequence[str], seconds: Mapping[str, float]) -> Outcome:
        """Run tests in the copy as it is; ``seconds`` is their former duration."""
        outcome = self._run_selected(tests, seconds)
        if outcome.verdict is Verdict.UNCLEAR and _CHANGED_PARAMETERS in outcome.output:
            # Ids of parameters may depend on the mutated code: run these tests with all parameters.
            whole = list(dict.fromkeys(test.partition("[")[0] for test in tests))
            outcome = self._run_selected(whole, seconds)
        return outcome

    def _run_selected(self, tests: Sequence[str], seconds: Mapping[str, float]) -> Outcome:
        if self._importing is None:
            self._importing = self._start_server()
        selection = self.folder / "selection.txt"
        selection.write_text("\n".join(tests))
        request = self._make_request(tests, seconds)
        return judge(**_ask(self._importing, {**request, "selection": str(selection)}))

    def _make_request(self, tests: Sequence[str], seconds: Mapping[str, float]) -> dict[str, object]:
        limits = {test: _LEAST_CPU_SECONDS + _TIMES_AS_LONG * seconds.get(test, 0.0) for test in tests}
        # Tests that are not named run with other parameters.
        limits[""] = _LEAST_CPU_SECONDS + _TIMES_AS_LONG * max(seconds.values(), default=0.0)
        total = sum(seconds.get(test, 0.0) for test in tests)
        return {"tests": tests, "cpu_seconds": limits, "seconds": _LEAST_SECONDS + _TIMES_AS_LONG * total}

    def _start_server(self, *tests: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            (sys.executable, "-m", "tests.mutation.fork_server", *tests),
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def _ask(server: subprocess.Popen[str], request: Mapping[str, object]) -> dict[str, Any]:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    answer: dict[str, Any] = json.loads(server.stdout.readline())
    return answer
