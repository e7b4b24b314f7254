"""What the documentation shows is true: examples run, code parses, links lead somewhere."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]

_PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
_INCLUDED = re.compile(r"^```\{(?:literal)?include\} (.+)$", re.MULTILINE)

BLOCKS = [(page, block) for page in PAGES for block in _PYTHON.findall(page.read_text(encoding="utf-8"))]


def page_name(value: object) -> str:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else ""


def test_readme_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example = next(block for page, block in BLOCKS if page.name == "README.md")
    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == "hello, bob\n"


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=page_name)
def test_python_blocks_parse(page: Path, block: str) -> None:
    compile(block, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_and_inclusions_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in _LINK.findall(text) + _INCLUDED.findall(text):
        assert (page.parent / target).exists(), f"{page.name} names {target}"
