"""The mutations: which nodes are changed, which are not, and that each mutant is valid Python."""

import ast
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

import trio_rtc
from tests.mutation.__main__ import TARGETS, draw_sample, read_sources
from tests.mutation.code_patch import index_functions, patch
from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.mutations import Mutation, find_mutations, iterate_targets
from tests.mutation.runner import Reach, Verdict, WorkingCopy, judge

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
def test_mutated_nodes(source: str, expected: set[str]) -> None:
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
def test_nodes_that_are_not_mutated(source: str) -> None:
    assert mutants(source) == set()


def test_text_before_the_mutation_may_be_of_any_alphabet() -> None:
    assert mutants("x = '→'; y = a < b") == {"x = '→'; y = (a <= b)"}


@pytest.mark.parametrize(
    "name",
    ["protocols/sctp/packet_validation.py", "transports/udp.py", "data_channels/data_channel.py"],
)
def test_every_mutant_of_a_file_is_distinct(name: str) -> None:
    source = (PACKAGE / name).read_text()
    found = find_mutations(source)
    assert len(found) > 10
    original = ast.dump(ast.parse(source))
    for mutation in found:
        mutated = mutation.apply(source)
        tree = ast.parse(mutated)
        assert ast.dump(tree) != original
        compile(tree, name, "exec")


def test_listed_equivalents_exist() -> None:
    files = {path for path, _ in EQUIVALENT}
    sources = {path: source for path, source in read_sources([*TARGETS]).items() if path in files}
    names = {(path, mutation.name) for path, mutation in iterate_targets(sources)}
    assert [mutant for mutant in EQUIVALENT if mutant not in names] == []


SOURCE = """
A = 1
class C:
    b = 2
    def method(self, c=3):
        return call(
            4,
            5,
        )
    async def other(self):
        if (
            a
            < b
        ):
            return 4, 4
"""


def test_names_are_independent_of_preceding_code() -> None:
    found = {mutation.name: mutation for mutation in find_mutations(SOURCE)}
    moved = {mutation.name for mutation in find_mutations(f"x = f(y)\n{SOURCE}")}
    assert moved == found.keys()
    assert [*found] == [
        "module: 1  ->  (2)",
        "C: 2  ->  (3)",
        "C.method: 3  ->  (4)",
        "C.method: 4  ->  (5)",
        "C.method: 5  ->  (6)",
        "C.other: a < b  ->  (a <= b)",
        "C.other: 4  ->  (5)",
        "C.other: 4  ->  (5) (2)",
    ]
    assert [mutation.runs_on_import for mutation in found.values()] == [True] * 3 + [False] * 5
    assert found["C.method: 5  ->  (6)"].statement == range(6, 10)
    assert found["C.other: a < b  ->  (a <= b)"].statement == range(11, 15)


def test_a_sample_changes_only_with_changed_code() -> None:
    mutants = [("a.py", mutation) for mutation in find_mutations(SOURCE)]
    chosen = draw_sample(mutants, 4, seed=1)
    assert len(chosen) == 4
    assert draw_sample(list(reversed(mutants)), 4, seed=1) == chosen
    rest = [mutant for mutant in mutants if mutant is not chosen[0]]
    assert draw_sample(rest, 3, seed=1) == chosen[1:]
    assert any(draw_sample(mutants, 4, seed) != chosen for seed in (2, 3, 4))


REACH = Reach(
    {"a.py": {1: ["slow", "quick"], 2: ["", "never"], 3: [""], 5: ["slow"]}},
    {"slow": 5.0, "quick": 0.1, "never": 1.0, "other": 1.0},
)


def mutation_at(line: int, statement: range | None = None, *, runs_on_import: bool = False) -> Mutation:
    return Mutation(0, 0, "", line, statement or range(line, line + 1), "f", runs_on_import, "x")


def test_the_quickest_tests_of_a_line_within_the_budget() -> None:
    assert REACH.select("a.py", mutation_at(1), 60) == ["quick", "slow"]
    assert REACH.select("a.py", mutation_at(1), 1) == ["quick"]
    assert REACH.select("a.py", mutation_at(2), 60) == ["never"]


@pytest.mark.parametrize(("path", "line"), [("a.py", 9), ("b.py", 1)])
def test_a_line_that_no_test_reaches_has_none(path: str, line: int) -> None:
    assert REACH.select(path, mutation_at(line), 60) == []


def test_an_uncounted_line_has_the_tests_of_its_statement() -> None:
    assert REACH.select("a.py", mutation_at(6, range(5, 8)), 60) == ["slow"]


@pytest.mark.parametrize("mutation", [mutation_at(9, runs_on_import=True), mutation_at(3)])
def test_code_that_runs_on_import_is_reached_by_every_test(mutation: Mutation) -> None:
    """Also tests that run no function of its file, since most constants are used elsewhere."""
    assert REACH.select("a.py", mutation, 60) == ["quick", "never", "other", "slow"]
    assert REACH.runs_on_import("a.py", mutation)
    assert not REACH.runs_on_import("a.py", mutation_at(1))


@pytest.mark.parametrize(
    ("code", "current", "output", "verdict"),
    [
        (0, "test", "", Verdict.SURVIVED),
        (1, "test", "1 failed", Verdict.FAILED),
        (2, "", "ERROR collecting test_a.py", Verdict.IMPORT),
        (4, "", "ImportError while loading conftest", Verdict.IMPORT),
        # The package is a pytest plugin, which is imported first.
        (3, "", "Traceback", Verdict.IMPORT),
        (3, "test", "INTERNALERROR", Verdict.FAILED),
        (4, "", "ERROR: not found: test_a.py::test_b[3]", Verdict.UNCLEAR),
        (5, "", "no tests ran", Verdict.UNCLEAR),
        (-signal.SIGPROF, "test", "", Verdict.ENDLESS),
        (-signal.SIGSEGV, "test", "", Verdict.CRASHED),
        (None, "test", "", Verdict.ENDLESS),
    ],
)
def test_verdicts_of_exit_codes(code: int | None, current: str, output: str, verdict: Verdict) -> None:
    assert judge(code, current, output).verdict is verdict
    assert verdict.is_killed is (verdict not in (Verdict.SURVIVED, Verdict.UNCLEAR))


PATCHED = """
LIMIT = 5

class C:
    @property
    def value(self):
        return 1

    def nested(self):
        def inner():
            return 1
        return inner()

def limit():
    return LIMIT
"""


def test_mutated_code_replaces_that_of_existing_functions(tmp_path: Path) -> None:
    path = tmp_path / "patched.py"
    path.write_text(PATCHED)
    names: dict[str, Any] = {}
    exec(compile(PATCHED, path, "exec"), names)
    functions = index_functions(str(tmp_path))
    thing = names["C"]()
    assert (thing.value, thing.nested()) == (1, 1)
    mutations = {mutation.name: mutation.apply(PATCHED) for mutation in find_mutations(PATCHED)}
    assert patch(functions, str(path), PATCHED, mutations["C.value: 1  ->  (2)"])
    assert (thing.value, thing.nested()) == (2, 1)
    assert patch(functions, str(path), PATCHED, mutations["C.nested.inner: 1  ->  (2)"])
    assert (thing.value, thing.nested()) == (2, 2)
    # This is outside of functions: the module must be imported again.
    assert not patch(functions, str(path), PATCHED, mutations["module: 5  ->  (6)"])


def test_a_mutant_that_changes_parameters_of_tests(tmp_path: Path) -> None:
    """pytest then finds no test by its old name, and runs none (exit code 4)."""
    shutil.copytree(Path(__file__).parent, tmp_path / "tests" / "mutation")
    (tmp_path / "sizes.py").write_text("SIZE = 100\n")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['.']\n")
    (tmp_path / "test_sizes.py").write_text(
        "import pytest\nfrom sizes import SIZE\n\n\n"
        "@pytest.mark.parametrize('size', [SIZE])\ndef test_size(size):\n    assert size == 100\n"
    )
    (mutation,) = find_mutations("SIZE = 100\n")
    tests = ["test_sizes.py::test_size[100]"]
    reach = Reach({}, dict.fromkeys(tests, 0.1))
    with WorkingCopy(tmp_path) as copy:
        assert copy.run(tests, reach.seconds).verdict is Verdict.SURVIVED
        assert copy.run_mutant("sizes.py", mutation, tests, reach).verdict is Verdict.FAILED
    assert (tmp_path / "sizes.py").read_text() == "SIZE = 100\n"


def test_files_may_be_mutated_after_collection(tmp_path: Path) -> None:
    """Otherwise the process that collects them would import a mutant."""
    shutil.copytree(Path(__file__).parent, tmp_path / "tests" / "mutation")
    source = "def size():\n    return 100\n"
    (tmp_path / "trio_rtc").mkdir()
    file = tmp_path / "trio_rtc" / "sizes.py"
    file.write_text(source)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['trio_rtc']\n")
    (tmp_path / "test_sizes.py").write_text(
        "import sizes\n\n\ndef test_size():\n    assert sizes.size() == 100\n"
    )
    (mutation,) = find_mutations(source)
    tests = ["test_sizes.py::test_size"]
    reach = Reach({"trio_rtc/sizes.py": {2: tests}}, dict.fromkeys(tests, 0.1))
    with WorkingCopy(tmp_path) as copy:
        copy.collect(["test_sizes.py"])
        file.write_text("raise RuntimeError\n")
        file.write_text(source)
        outcome = copy.run_mutant("trio_rtc/sizes.py", mutation, tests, reach)
        assert (outcome.verdict, outcome.test) == (Verdict.FAILED, tests[0])
        (tmp_path / "test_sizes.py").write_text("raise RuntimeError\n")
        with pytest.raises(RuntimeError, match="cannot be collected"):
            copy.collect(["test_sizes.py"])
