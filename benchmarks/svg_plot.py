"""Plots as SVG, without anything to install: panels one above the other that share their time axis.

The plots have their own background, and are dark if the reader's system is.
"""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

import attrs

WIDTH = 760
_LEFT, _RIGHT, _TOP, _PANEL, _GAP, _BOTTOM = 64, 16, 36, 130, 34, 40
# Colours that are distinguishable on white, on nearly black, and with red blindness.
_LIGHT = ("#8a8f98", "#0b63ce", "#c2410c", "#047857")
_DARK = ("#9aa3af", "#6cb2ff", "#ff9d5c", "#4fd1a5")
_MAX_TICKS = 5


@attrs.frozen
class Series:
    """One line.

    Attributes:
        name: What it is.
        points: Times and values; ``nan`` interrupts the line.
        color: 0 to 3.
        dashed: Whether the line is.
    """

    name: str
    points: Sequence[tuple[float, float]]
    color: int
    dashed: bool = False


@attrs.frozen
class Panel:
    """Lines that share a scale.

    Attributes:
        title: What is shown, with the unit.
        series: The lines.
        top: The largest value shown; larger ones are cut off.
    """

    title: str
    series: Sequence[Series]
    top: float


def plot(title: str, panels: Sequence[Panel], seconds: float) -> str:
    """Return the SVG of panels from 0 to so many seconds."""
    height = _TOP + len(panels) * (_PANEL + _GAP) + _BOTTOM - _GAP + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        _style(),
        f'<rect class="background" width="{WIDTH}" height="{height}" rx="6"/>',
        f'<text class="title" x="{_LEFT}" y="22">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, _TOP + number * (_PANEL + _GAP) + 18, seconds)
    bottom = _TOP + len(panels) * (_PANEL + _GAP) - _GAP + 18
    for second in _ticks(seconds):
        parts.append(
            f'<text x="{_x(second, seconds):.1f}" y="{bottom + 16}" text-anchor="middle">{second:g}</text>'
        )
    parts.append(f'<text x="{WIDTH - _RIGHT}" y="{bottom + 30}" text-anchor="end">seconds</text>')
    return "\n".join([*parts, "</svg>", ""])


def _style() -> str:
    def rules(background: str, text: str, grid: str, colors: Sequence[str]) -> str:
        lines = "".join(
            f".c{index}{{stroke:{color}}}.t{index}{{fill:{color}}}" for index, color in enumerate(colors)
        )
        return f".background{{fill:{background}}}text{{fill:{text}}}.grid{{stroke:{grid}}}{lines}"

    return (
        "<style>text{font:12px sans-serif}.title{font-weight:bold;font-size:14px}"
        "path{fill:none;stroke-width:1.6;stroke-linejoin:round}.grid{stroke-width:1}"
        + rules("#ffffff", "#3b4250", "#e3e6ea", _LIGHT)
        + "@media(prefers-color-scheme:dark){"
        + rules("#16191f", "#c6ccd6", "#2e343e", _DARK)
        + "}</style>"
    )


def _panel(panel: Panel, top: float, seconds: float) -> list[str]:
    parts = [f'<text x="{_LEFT}" y="{top - 7}">{escape(panel.title)}</text>']
    for value in _ticks(panel.top):
        y = _y(value, panel.top, top)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    end = WIDTH - _RIGHT
    for series in reversed(panel.series):
        dashes = ' stroke-dasharray="6 4"' if series.dashed else ""
        parts.append(
            f'<path class="c{series.color}"{dashes} d="{_line(series.points, panel.top, top, seconds)}"/>'
        )
        if len(panel.series) > 1:
            parts.append(
                f'<text class="t{series.color}" x="{end}" y="{top - 7}" text-anchor="end">{escape(series.name)}</text>'
            )
            end -= 8 * len(series.name) + 12
    return parts


def _line(points: Sequence[tuple[float, float]], top_value: float, top: float, seconds: float) -> str:
    commands = []
    pen = "M"
    for time, value in points:
        if math.isnan(value):
            pen = "M"
            continue
        commands.append(f"{pen}{_x(time, seconds):.1f} {_y(min(value, top_value), top_value, top):.1f}")
        pen = "L"
    return "".join(commands)


def _ticks(top: float) -> list[float]:
    """Return round values from 0 to a largest one."""
    step = 10 ** math.floor(math.log10(top))
    step = next(step * factor for factor in (0.1, 0.2, 0.5, 1, 2) if top / (step * factor) <= _MAX_TICKS)
    return [round(step * number, 6) for number in range(int(top / step + 1e-9) + 1)]


def _x(time: float, seconds: float) -> float:
    return _LEFT + time / seconds * (WIDTH - _LEFT - _RIGHT)


def _y(value: float, top_value: float, top: float) -> float:
    return top + _PANEL * (1 - value / top_value)
