"""Findings and coverage of a fuzzing run."""

import re
from collections.abc import Sequence

import attrs

_FIGURE = re.compile(r"^stat::(number_of_executed_units|average_exec_per_sec): +(\d+)$", re.MULTILINE)
_TRACEBACK = re.compile(r"=== Uncaught Python exception: ===\n(.*?)\n==\d+==", re.DOTALL)


@attrs.frozen
class Result:
    """Result of one target.

    Attributes:
        name: Name of the target.
        inputs: Number of inputs processed.
        per_second: Inputs per second.
        findings: Files of failing inputs.
        failure: Output of the failure; empty without one.
        reached: Number of its modules' branches that the corpus reaches.
        branches: Number of its modules' branches.
    """

    name: str
    inputs: int = 0
    per_second: int = 0
    findings: tuple[str, ...] = ()
    failure: str = ""
    reached: int = 0
    branches: int = 0

    @property
    def failed(self) -> bool:
        """Whether the target has failed."""
        return bool(self.findings or self.failure)


def read_figures(log: str) -> tuple[int, int]:
    """Return the number of inputs and the inputs per second from libFuzzer's output."""
    figures = {name: int(value) for name, value in _FIGURE.findall(log)}
    return figures.get("number_of_executed_units", 0), figures.get("average_exec_per_sec", 0)


def read_failure(log: str) -> str:
    """Return the traceback in libFuzzer's output, or the output's end without one."""
    found = _TRACEBACK.search(log)
    return found[1].strip() if found else "\n".join(log.splitlines()[-20:])


def table(results: Sequence[Result]) -> str:
    """Return the results in Markdown."""
    lines = ["| target | inputs | per second | branches reached | findings |", "|---|--:|--:|--:|--:|"]
    for result in results:
        share = f" ({100 * result.reached // result.branches} %)" if result.branches else ""
        lines.append(
            f"| {result.name} | {result.inputs:,} | {result.per_second:,} "
            f"| {result.reached} of {result.branches}{share} | {len(result.findings)} |"
        )
    inputs = sum(result.inputs for result in results)
    return "\n".join([*lines, "", f"{inputs:,} inputs in all."])
