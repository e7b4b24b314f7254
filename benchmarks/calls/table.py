"""The table of the calls, in Markdown."""

from collections.abc import Mapping, Sequence
from statistics import median

import attrs

from benchmarks.calls.figures import Figures

Row = tuple[str, str, str]
"""Network, sender and receiver."""

_COLUMNS = {
    "freezes": ("freezes", "{:.0f}"),
    "freeze_seconds": ("s", "{:.1f}"),
    "longest_gap": ("longest gap, s", "{:.2f}"),
    "frames_per_second": ("frames/s", "{:.1f}"),
    "jitter_buffer": ("jitter buffer, ms", "{:.0f}"),
    "jitter_buffer_minimum": ("for the network, ms", "{:.0f}"),
    "jitter_buffer_after": ("after bulk, ms", "{:.0f}"),
    "qp": ("QP", "{:.0f}"),
    "height": ("lines", "{:.0f}"),
    "concealed": ("concealed, %", "{:.1f}"),
    "kilobits": ("kbit/s", "{:.0f}"),
    "kilobits_beside": ("beside bulk", "{:.0f}"),
    "bulk_kilobits": ("bulk", "{:.0f}"),
    "first_frame": ("first frame, ms", "{:.0f}"),
    "queueing": ("queue, ms", "{:.0f}"),
    "queueing_95": ("95 %, ms", "{:.0f}"),
    "busy": ("CPU, %", "{:.0f}"),
    "lateness": ("relay late, ms", "{:.0f}"),
}


def medians(rounds: Sequence[Figures]) -> dict[str, float | None]:
    """Return the median of each figure over the rounds in which there is one."""
    result: dict[str, float | None] = {}
    for name in _COLUMNS:
        values = [getattr(figures, name) for figures in rounds if getattr(figures, name) is not None]
        result[name] = median(values) if values else None
    return result


def make_table(results: Mapping[Row, Sequence[Figures]]) -> str:
    """Return a table of the medians; columns without any figure are left out."""
    rows = {row: medians(rounds) for row, rounds in results.items()}
    columns = [name for name in _COLUMNS if any(row[name] is not None for row in rows.values())]
    lines = [["network", "sender → receiver", *(_COLUMNS[name][0] for name in columns)]]
    for (network, sender, receiver), row in rows.items():
        lines.append([network, f"{sender} → {receiver}", *(_cell(name, row[name]) for name in columns)])
    separator = ["---"] * len(lines[0])
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], separator, *lines[1:]])


def _cell(name: str, value: float | None) -> str:
    return "-" if value is None else _COLUMNS[name][1].format(value)


def to_json(results: Mapping[Row, Sequence[Figures]]) -> list[dict[str, object]]:
    """Return all rounds for a file."""
    return [
        {
            "network": network,
            "sender": sender,
            "receiver": receiver,
            "rounds": [attrs.asdict(r) for r in rounds],
        }
        for (network, sender, receiver), rounds in results.items()
    ]
