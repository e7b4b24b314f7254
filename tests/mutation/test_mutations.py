"""The mutations themselves: what is changed, what is left alone, and that each is still Python."""

import ast
from pathlib import Path

import pytest

import trio_rtc
from tests.mutation.mutations import find_mutations
from tests.mutation.runner import Reach

PACKAGE = Path(trio_rtc.__file__).parent


def mutants(source: str) -> set[str]:
    return {mutation.apply(source) for mutation in find_mutations(source)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", {"x = (a <= b)"}),
        ("x = a < b <= c", {"x = (a <= b <= c)", "x = (a < b < c)"}),
        ("x = a is None", {"x = (a is not None)"}),
        ("x = a in b", {"x = (a not in b)"}),
        ("x = a and b", {"x = (a or b)", "x = (a)", "x = (b)"}),
        ("x = not a", {"x = (a)"}),
        ("x = a + 1", {"x = (a - 1)", "x = a + (2)"}),
        ("x = a & 0x80", {"x = (a | 128)", "x = a & (129)"}),
        ("x = min(a, b)", {"x = (max(a, b))"}),
        ("x = True", {"x = (False)"}),
        ("x: int = 5", {"x: int = (6)"}),
        ("x += a", {"pass"}),
        ("f(a)", {"pass"}),
        ("if a:\n    f()", {"if (not a):\n    f()", "if a:\n    pass"}),
        ("x = a if b else c", {"x = a if (not b) else c"}),
        ("for x in a:\n    break", {"for x in a:\n    pass"}),
        (
            "async def f(a=1):\n    await g()",
            {"async def f(a=(2)):\n    await g()", "async def f(a=1):\n    pass"},
        ),
    ],
)
def test_what_is_changed(source: str, expected: set[str]) -> None:
    assert mutants(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""Docstring 1."""',
        "x = 'text'",
        "def f(a: Literal[1]) -> Literal[2]:\n    pass",
        "logger.debug('%s', a + 1)",
        "raise ValueError(f'{a + 1}')",
        "assert a < b",
        "x = attrs.field(default=1, repr=False)",
        "class A:\n    __slots__ = ('a',)",
        "def __repr__(self):\n    return 1",
        "if TYPE_CHECKING:\n    import a",
    ],
)
def test_what_is_left_alone(source: str) -> None:
    assert mutants(source) == set()


def test_text_before_the_place_may_be_of_any_alphabet() -> None:
    assert mutants("x = '→'; y = a < b") == {"x = '→'; y = (a <= b)"}


@pytest.mark.parametrize("name", ["protocols/sctp/admission.py", "transports/udp.py", "data_channel.py"])
def test_every_mutant_of_a_file_is_another_program(name: str) -> None:
    source = (PACKAGE / name).read_text()
    found = find_mutations(source)
    assert len(found) > 10
    original = ast.dump(ast.parse(source))
    assert all(ast.dump(ast.parse(mutation.apply(source))) != original for mutation in found)


def test_the_tests_of_a_line_are_run_from_the_quickest_on_within_the_budget() -> None:
    reach = Reach({"a.py": {1: ["slow", "quick"], 2: ["never"]}}, {"slow": 5.0, "quick": 0.1, "never": 1.0})
    assert reach.select("a.py", 1, 60) == ["quick", "slow"]
    assert reach.select("a.py", 1, 1) == ["quick"]
    # A line that runs on import only is reached by all that use its folder.
    assert reach.select("a.py", 9, 60) == ["quick", "never", "slow"]
    assert reach.select("b.py", 1, 60) == ["quick", "never", "slow"]
    assert reach.select("other/b.py", 1, 60) == []
