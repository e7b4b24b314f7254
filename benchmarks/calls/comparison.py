"""The comparison of two libraries in the same calls: in which figures each call of one is worse than each of the other.

Two calls of one row differ by as much as many rows do, so medians alone do not show which is worse. Here a figure is
worse only if the calls are separated: the best call of one library is worse than the worst of the other, by at least
the last digit that is shown. With four calls each, equal libraries are separated in one figure of 35, half of them in
either direction.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final

import attrs

from benchmarks.calls.figures import Figures
from benchmarks.calls.table import Row

RESOLUTIONS: Final[Mapping[str, float]] = {
    "freezes": 1,
    "freeze_seconds": 0.1,
    "longest_gap": 0.01,
    "frames_per_second": 0.1,
    "jitter_buffer": 1,
    "jitter_buffer_after": 1,
    "qp": 1,
    "concealed": 0.1,
    "first_frame": 1,
    "queueing_95": 1,
    "kilobits_beside": 1,
}
"""The compared figures, with the last digit of each in the table."""

_MORE_IS_BETTER: Final = frozenset({"frames_per_second", "kilobits_beside"})
CHROMIUM: Final = "chromium"


@attrs.frozen
class Difference:
    """A figure in which the calls of two libraries are separated.

    Attributes:
        network: The network.
        to_chromium: Whether Chromium is the receiver.
        figure: The name of the figure.
        values: The medians of the two libraries.
        is_worse: Whether the first library is worse.
    """

    network: str
    to_chromium: bool
    figure: str
    values: tuple[float, float]
    is_worse: bool


def compare(results: Mapping[Row, Sequence[Figures]], library: str, other: str) -> list[Difference]:
    """Return the figures in which a library and another one are separated, of the rows that both have."""
    differences = []
    for (network, sender, receiver), rounds in results.items():
        if library not in (sender, receiver):
            continue
        to_chromium = receiver == CHROMIUM
        against = results.get((network, other, receiver) if to_chromium else (network, sender, other))
        if against is None:
            continue
        for figure, resolution in RESOLUTIONS.items():
            ours, theirs = _values(rounds, figure), _values(against, figure)
            if ours and theirs and (is_worse := _is_worse(figure, ours, theirs, resolution)) is not None:
                values = median(ours), median(theirs)
                differences.append(Difference(network, to_chromium, figure, values, is_worse))
    return differences


def _values(rounds: Sequence[Figures], figure: str) -> list[float]:
    return [value for each in rounds if (value := getattr(each, figure)) is not None]


def _is_worse(figure: str, ours: Sequence[float], theirs: Sequence[float], resolution: float) -> bool | None:
    """Return whether ours are all higher in what should be low, or all lower; ``None`` if neither."""
    if min(ours) - max(theirs) >= resolution:
        return figure not in _MORE_IS_BETTER
    if min(theirs) - max(ours) >= resolution:
        return figure in _MORE_IS_BETTER
    return None


def describe(differences: Sequence[Difference], library: str, other: str) -> str:
    """Return the differences as lines of text, those in which the library is worse first."""
    lines = []
    for is_worse in (True, False):
        chosen = [each for each in differences if each.is_worse is is_worse]
        lines.append(
            f"{library} is {'worse' if is_worse else 'better'} than {other} in {len(chosen)} figures"
        )
        for each in chosen:
            way = f"to {CHROMIUM}" if each.to_chromium else f"from {CHROMIUM}"
            lines.append(
                f"  {each.network}, {way}: {each.figure} {each.values[0]:.4g} to {each.values[1]:.4g}"
            )
    return "\n".join(lines)


def read_results(rows: Sequence[Mapping[str, Any]]) -> dict[Row, list[Figures]]:
    """Return the results of a file that was written with ``--json``."""
    return {
        (row["network"], row["sender"], row["receiver"]): [Figures(**each) for each in row["rounds"]]
        for row in rows
    }
