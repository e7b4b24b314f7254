"""Medians and ratios of the rounds, and the table that shows them."""

from collections.abc import Mapping
from statistics import median

from benchmarks.rounds import LIBRARIES, MEASUREMENTS, Results

OURS = "trio_rtc"
ABSENT = "-"


def summarize(results: Results) -> dict[str, dict[str, dict[str, float]]]:
    """Return the medians: measurement → library → figure → value."""
    return {
        measurement: {
            library: {name: median(values) for name, values in figures.items()}
            for library, figures in libraries.items()
        }
        for measurement, libraries in results.figures.items()
    }


def make_table(results: Results) -> str:
    """Return the medians as a table; a ratio over 1 means that trio_rtc is that many times better."""
    medians = summarize(results)
    others = [library for library in LIBRARIES if library != OURS]
    rows = [["", *LIBRARIES, *(f"vs {library}" for library in others)]]
    for name, measurement in MEASUREMENTS.items():
        for key, title, more_is_better in measurement.figures:
            figures = {library: values[key] for library, values in medians.get(name, {}).items()}
            if figures:
                rows.append([title, *(_format(figures.get(library)) for library in LIBRARIES)])
                rows[-1] += [_ratio(figures, library, more_is_better=more_is_better) for library in others]
    rounds = max(
        (len(v) for m in results.figures.values() for f in m.values() for v in f.values()), default=0
    )
    lines = [*_align(rows), "", f"Medians of {rounds} alternating rounds; a ratio over 1: {OURS} is better."]
    return "\n".join([*lines, *(f"FAILED: {failure}" for failure in results.failures)])


def _format(value: float | None) -> str:
    if value is None:
        return ABSENT
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _ratio(figures: Mapping[str, float], other: str, *, more_is_better: bool) -> str:
    if OURS not in figures or other not in figures:
        return ABSENT
    ours, theirs = figures[OURS], figures[other]
    return f"{ours / theirs if more_is_better else theirs / ours:.2f}x"


def _align(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    ]
