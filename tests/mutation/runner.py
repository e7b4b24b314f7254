"""Runs the tests that reach a mutated line, in a copy of the working tree."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from tests.mutation.context_plugin import DURATIONS
from tests.mutation.mutations import Mutation

COPIED = ("trio_rtc", "tests", "docs", "examples", "benchmarks", "pyproject.toml", "README.md")
_STARTUP = 30.0
"""Seconds that pytest may take before the first test, on a busy machine."""
_TESTS_FAILED = (1, 2, 3)
"""Exit codes of pytest: a test has failed, an error has interrupted them, and an internal error."""
_PYTEST = (
    sys.executable,
    "-m",
    "pytest",
    "-q",
    "-x",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "--no-header",
)


@attrs.frozen
class Reach:
    """Which tests run which lines.

    Attributes:
        by_line: File → line → tests.
        seconds: Test → how long it took.
    """

    by_line: Mapping[str, Mapping[int, Sequence[str]]]
    seconds: Mapping[str, float]

    def select(self, path: str, line: int, budget: float) -> list[str]:
        """Return the tests of a line, the quickest first, as many as there is time for.

        What runs on import only, such as a constant, may be used by any test that reaches a file of its folder.
        """
        tests = self.by_line.get(path, {}).get(line) or self._tests_of_folder(os.path.dirname(path))
        chosen, left = [], budget
        for test in sorted(tests, key=lambda test: (self.seconds.get(test, 0.0), test)):
            left -= self.seconds.get(test, 0.0) + 0.01
            if left < 0:
                break
            chosen.append(test)
        return chosen

    def _tests_of_folder(self, folder: str) -> list[str]:
        beside = (lines for path, lines in self.by_line.items() if os.path.dirname(path) == folder)
        return sorted({test for lines in beside for tests in lines.values() for test in tests})


@attrs.frozen
class WorkingCopy:
    """A copy of the tree in which files are changed, so that the tree itself never is."""

    folder: Path

    @classmethod
    def make(cls, tree: Path, folder: Path) -> "WorkingCopy":
        """Copy a tree."""
        for name in COPIED:
            source = tree / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
            else:
                shutil.copy(source, folder / name)
        # By the hash of their source: a mutated file can be as old and as long as before.
        compiling = ("-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "trio_rtc")
        subprocess.run((sys.executable, *compiling), cwd=folder, check=True)
        return cls(folder)

    def _environment(self, **more: str) -> dict[str, str]:
        # Before the package that is installed for editing.
        return {**os.environ, "PYTHONPATH": str(self.folder), "HYPOTHESIS_PROFILE": "mutants", **more}

    def measure(self, tests: Sequence[str], sources: Sequence[str], timeout: float) -> Reach:
        """Run tests as they are, and return which of them reach which lines.

        Raises:
            RuntimeError: Tests fail without any mutation.
        """
        durations, data = self.folder / "durations.json", self.folder / "coverage.sqlite"
        coverage = ("-m", "coverage", "run", f"--data-file={data}", f"--include={','.join(sources)}", "-m")
        command = (sys.executable, *coverage, *_PYTEST[2:], "-p", "tests.mutation.context_plugin", *tests)
        done = subprocess.run(
            command,
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
                line: sorted(filter(None, contexts))
                for line, contexts in recorded.contexts_by_lineno(path).items()
            }
            for path in recorded.measured_files()
        }
        return Reach(by_line, json.loads(durations.read_text()))

    def kills(self, path: str, mutation: Mutation, tests: Sequence[str], seconds: float) -> bool:
        """Return whether one of the tests fails, or does not end, with a mutation."""
        file = self.folder / path
        source = file.read_text()
        file.write_text(mutation.apply(source))
        try:
            done = self._run_tests(tests, _STARTUP + 5 * seconds)
        except subprocess.TimeoutExpired:
            return True
        finally:
            file.write_text(source)
        # Also where the package, or a module of tests that uses it, fails on import.
        return done.returncode in _TESTS_FAILED or "ERROR collecting" in done.stdout

    def _run_tests(self, tests: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        selection = self.folder / "selection.txt"
        selection.write_text("\n".join(tests))
        return subprocess.run(
            (*_PYTEST, f"@{selection}"),
            check=False,
            cwd=self.folder,
            env=self._environment(),
            timeout=timeout,
            capture_output=True,
            text=True,
        )
