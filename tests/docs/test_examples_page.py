"""The examples page has every example, with a line and an up-to-date drawing."""

import re
import runpy
from typing import Any

from tests.strategies.pages import ROOT

DRAWING: dict[str, Any] = runpy.run_path(str(ROOT / "docs/figures/draw_examples.py"))
NAMES = {path.stem for path in (ROOT / "examples").glob("*.py")}


def test_every_example_has_a_row_with_a_drawing() -> None:
    page = (ROOT / "docs/examples.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| !\[[^\]]+\]\(figures/examples/(\w+)\.svg\) \| \[`(\w+)\.py`\]\(\.\./examples/(\w+)\.py\): .+\.? \|$",
        page,
        re.MULTILINE,
    )
    assert {name for name, _, _ in rows} == NAMES
    assert all(len(set(row)) == 1 for row in rows)


def test_drawings_are_up_to_date() -> None:
    folder = ROOT / "docs/figures/examples"
    drawn = DRAWING["drawings"]()
    assert drawn.keys() == NAMES
    assert {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.svg")} == drawn
