"""The results as text, and the worst of them in Markdown for the documentation."""

import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.hostile.measure import Result

WORST = 12
"""Rows of the table in Markdown."""
_HEAD = f"{'input':58} {'from':11} {'largest':>16} {'CPU':>10} {'growth':>7} {'of bound':>9}"


def make_text(results: Iterable[Result]) -> list[str]:
    """Return a head and a line for each result, the worst first; lines were counted where the growth has an L."""
    return [_HEAD, *map(_text_row, _worst_first(results))]


def make_markdown(results: Iterable[Result], worst: int = WORST) -> list[str]:
    """Return a table of the worst results; times are scaled to the reference, as the bounds are."""
    head = "| input | largest | from | CPU | bound | of the bound |"
    rows = [_markdown_row(result) for result in _worst_first(results)[:worst]]
    return [head, "|---|--:|---|--:|--:|--:|", *rows]


def describe_machine() -> str:
    """Return the names of the processor and of Python."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (
        value.strip() for key, _, value in (line.partition(":") for line in lines) if "model name" in key
    )
    processor = next(names, platform.processor() or platform.machine())
    return f"{processor}, {platform.python_implementation()} {platform.python_version()}"


def _worst_first(results: Iterable[Result]) -> Sequence[Result]:
    return sorted(results, key=lambda result: -result.share)


def _largest(result: Result) -> str:
    return f"{result.case.sizes[-1]:,} {result.case.unit}"


def _text_row(result: Result) -> str:
    case = result.case
    growth = "" if result.growth is None else f"x{result.growth:.2f}{' ' if result.lines is None else 'L'}"
    return (
        f"{case.name:58} {case.source.name.lower():11} {_largest(result):>16} {result.worst * 1000:>7.3f} ms"
        f" {growth:>7} {result.share:>9.0%}"
    )


def _markdown_row(result: Result) -> str:
    case = result.case
    cells = (
        case.name,
        _largest(result),
        case.source.name.lower(),
        f"{result.worst / result.factor * 1000:.2f} ms",
        f"{case.bound * 1000:.4g} ms",
        f"{result.share * 100:.0f} %",
    )
    return f"| {' | '.join(cells)} |"
