"""Every code block of the pages runs, or parses where it is no Python, and runs all of its lines.

The blocks of a page run one after the other in one namespace, which the page's stage provides
(``tests.strategies.page_stages``). A block that would run forever is cancelled. A block that must not run has the
reason beside it, in a comment of the page::

    <!-- not run: the reason -->
"""

import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import attrs
import pytest
import trio

from tests.conftest import run_deterministically, run_in_virtual_time
from tests.strategies.page_stages import PYTEST_FILES, STAGES, Stage
from tests.strategies.pages import PAGES, ROOT

_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+) -->\n)?```(?P<language>[^\n{]*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_DIRECTIVE = re.compile(r"^```\{.*?^```$", re.DOTALL | re.MULTILINE)


@attrs.frozen
class Block:
    """A fenced code block of a page, with the number of its first line."""

    page: Path
    line: int
    language: str
    text: str
    reason: str | None

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_program(self) -> bool:
        return "trio.run(" in self.text or re.search(r"^run\(", self.text, re.MULTILINE) is not None

    def compiled(self, replaced: Mapping[str, str] | None = None) -> CodeType:
        """Return the code with the page's line numbers, and with some texts replaced."""
        text = self.text
        for old, new in (replaced or {}).items():
            text = text.replace(old, new)
        flags = 0 if self.is_program else ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        filename = f"{self.name}.md"
        code: CodeType = compile("\n" * (self.line - 1) + text, filename, "exec", flags=flags)
        return code

    @property
    def name(self) -> str:
        return str(self.page.relative_to(ROOT).with_suffix(""))


def blocks_of(page: Path) -> Iterator[Block]:
    text = _DIRECTIVE.sub(lambda directive: "\n" * directive[0].count("\n"), page.read_text(encoding="utf-8"))
    for match in _BLOCK.finditer(text):
        line = text[: match.start("text")].count("\n") + 1
        yield Block(page, line, match["language"], match["text"], match["reason"])


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
PYTHON = [block for block in BLOCKS if block.language == "python" and block.reason is None]
PROGRAMS = [block for block in PYTHON if block.is_program]
PYTEST = [block for block in PYTHON if "def test_" in block.text]
IN_STAGES = [block for block in PYTHON if block not in PROGRAMS and block not in PYTEST]


def place(value: object) -> str | None:
    return value.place if isinstance(value, Block) else None


class Lines:
    """Records which lines of some code objects have run."""

    def __init__(self) -> None:
        self._expected: dict[str, set[int]] = {}
        self._seen: dict[str, set[int]] = {}

    def expect(self, code: CodeType, first: int) -> None:
        """Expect all lines of some code from the first on, also of functions in it, and record them from now on."""
        expected = self._expected.setdefault(code.co_filename, set())
        self._seen.setdefault(code.co_filename, set())
        expected.update(line for _, _, line in code.co_lines() if line and line >= first)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self.expect(constant, first)

    @contextmanager
    def recording(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)

    def missed(self) -> list[str]:
        """Return the lines that have not run."""
        return [
            f"{name}, line {line}"
            for name, lines in self._expected.items()
            for line in sorted(lines - self._seen[name])
        ]

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        seen = self._seen.get(frame.f_code.co_filename)
        if seen is None:
            return None
        seen.add(frame.f_lineno)
        return self._trace


async def cancel_when(done: Callable[[], bool], scope: trio.CancelScope) -> None:
    while not done():  # noqa: ASYNC110 - a block sets no event
        await trio.sleep(0.05)
    scope.cancel()


async def perform(stage: Stage, blocks: list[Block], lines: Lines) -> None:
    async with stage.open() as namespace:
        for block in blocks:
            code = block.compiled(stage.replaced)
            lines.expect(code, block.line)
            with trio.move_on_after(stage.seconds):
                async with trio.open_nursery() as nursery:
                    if stage.until is not None:
                        nursery.start_soon(cancel_when, partial(stage.until, namespace), nursery.cancel_scope)
                    result = eval(code, namespace)
                    if inspect.isawaitable(result):
                        await result
                    nursery.cancel_scope.cancel()
            if not stage.real_time:
                # For the tasks and handlers that the block has started.
                await trio.sleep(stage.seconds)


@pytest.mark.parametrize("name", sorted({block.name for block in IN_STAGES}))
def test_blocks_run(name: str) -> None:
    assert name in STAGES, (
        f"{name}: provide the names that its blocks presuppose in tests/strategies/page_stages.py"
    )
    stage = STAGES[name]
    if stage.needs is not None:
        pytest.importorskip(stage.needs, reason="it comes with the dependency group 'tests'")
    lines = Lines()
    run = run_deterministically if stage.real_time else run_in_virtual_time
    with lines.recording():
        run(partial(perform, stage, [block for block in IN_STAGES if block.name == name], lines))
    assert lines.missed() == []


def test_every_stage_has_a_page() -> None:
    assert set(STAGES) == {block.name for block in IN_STAGES}


@pytest.mark.parametrize("block", PROGRAMS, ids=place)
def test_programs_run(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    code = block.compiled()
    lines.expect(code, block.line)
    with lines.recording():
        exec(code, {"__name__": "__main__"})
    assert lines.missed() == []
    output = {"hello, bob": "hello, bob\n", "bob sees": "bob sees 640 x 360\n"}
    assert capsys.readouterr().out == next((text for part, text in output.items() if part in block.text), "")


_OTHER = {"alice": "bob", "bob": "alice"}


@pytest.mark.parametrize(
    "block", [block for block in PROGRAMS if "as bob" in block.text and "print(" in block.text], ids=place
)
def test_the_order_in_which_the_blocks_end_does_not_matter(
    block: Block, capsys: pytest.CaptureFixture[str]
) -> None:
    exchanged = re.sub(r"as (alice|bob)\b", lambda name: f"as {_OTHER[name[1]]}", block.text)
    assert exchanged != block.text
    exec(compile(exchanged, block.place, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out


@pytest.mark.parametrize("block", PYTEST, ids=place)
def test_tests_in_pages_pass(block: Block, tmp_path: Path) -> None:
    preamble = PYTEST_FILES[block.name]
    (tmp_path / "test_page.py").write_text(f"{preamble}\n{block.text}", encoding="utf-8")
    plugins = ("-p", "trio_rtc.testing.pytest_plugin", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", "-q", "-rA", *plugins, str(tmp_path)]
    environment = {
        **os.environ,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
        "PYTHONPATH": str(ROOT),
    }
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
    for name in re.findall(r"def (test_\w+)", block.text):
        assert re.search(rf"^PASSED .*::{name}\b", result.stdout, re.MULTILINE), result.stdout


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language in ("console", "bash")], ids=place
)
def test_shell_blocks_parse(block: Block) -> None:
    text = block.text
    if block.language == "console":
        prompts = [line for line in text.splitlines() if line.startswith("$ ")]
        assert prompts, "a console block has commands behind '$ '"
        text = "\n".join(line.removeprefix("$ ") for line in prompts)
    shell = shutil.which("bash")
    assert shell is not None
    result = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language in ("console", "bash")], ids=place
)
def test_commands_in_shell_blocks_exist(block: Block) -> None:
    """Of what runs our own files: sessions of nox, modules and examples."""
    sessions = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"nox -s ([a-z]+)", block.text)) <= sessions
    for module in re.findall(r"python3? -m ((?:trio_rtc|benchmarks|tests)[\w.]*)", block.text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
    for name in re.findall(r"examples/\w+\.py", block.text):
        assert (ROOT / name).is_file(), name


_INSTRUCTIONS = {"FROM", "RUN", "COPY", "WORKDIR", "ENV", "EXPOSE", "USER", "CMD", "ENTRYPOINT"}


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "dockerfile"], ids=place)
def test_dockerfiles_parse(block: Block) -> None:
    joined = re.sub(r"\\\n", " ", block.text)
    instructions = [line.split()[0] for line in joined.splitlines() if line and not line.startswith("#")]
    assert instructions[0] == "FROM"
    assert set(instructions) <= _INSTRUCTIONS


def test_no_block_is_left_out_without_a_reason() -> None:
    tested = {"python", "console", "bash", "dockerfile"}
    drawings = {"text"}  # diagrams and output, which cannot run
    for block in BLOCKS:
        assert block.reason or block.language in tested | drawings, (
            f"{block.place}: {block.language or 'no language'}"
        )
