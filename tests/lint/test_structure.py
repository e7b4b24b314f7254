from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.lint import structure
from tests.lint.package import Package
from tests.lint.receive_paths import Tracer, shortest_path, trace_frames, trace_messages
from tests.lint.structure import Measure, Result
from tests.lint.unit_tests import untested_modules


def test_modules_are_counted_by_folder(package: Callable[..., Package]) -> None:
    tree = package(a="", b__x="", b__y="", b__z="", b__c__deep="")
    assert structure.top_level_modules(tree) == Result(2, ["made_up/__init__.py", "made_up/a.py"])
    assert structure.fullest_folder(tree).value == 4
    assert structure.fullest_folder(tree).places[0] == "4 made_up.b"


def test_no_import_circle(package: Callable[..., Package]) -> None:
    tree = package(a="from . import b\nimport made_up.c\nimport os", b="from .c import name", c="name = 1")
    assert structure.import_circle(tree) == Result(1, [])


def test_largest_import_circle(package: Callable[..., Package]) -> None:
    tree = package(
        a="from .b import name",
        b="def f():\n    from made_up import c",
        c="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .a import name",
        d="from . import a, e",
        e="import made_up.d",
    )
    assert structure.import_circle(tree) == Result(
        3, ["3: made_up.a, made_up.b, made_up.c", "2: made_up.d, made_up.e"]
    )


def test_import_circle_through_a_package(package: Callable[..., Package]) -> None:
    tree = package(init="from .a import f", a="from . import f")
    assert structure.import_circle(tree) == Result(2, ["2: made_up, made_up.a"])


def test_private_attributes_of_other_objects(package: Callable[..., Package]) -> None:
    tree = package(
        a="""
        import os
        from . import b
        class A:
            def f(self, other):
                self._mine = cls._mine = super()._mine = 1
                return os._exit, b._function, other.__class__, other._replace(x=1)
            def g(self, other):
                return other._one, self._mine._two, self.other()._three
        """,
        b="",
    )
    assert structure.private_accesses(tree) == Result(
        3,
        [
            "made_up/a.py:9: other._one",
            "made_up/a.py:9: self._mine._two",
            "made_up/a.py:9: self.other()._three",
        ],
    )


PROTOCOL = """
from typing import Protocol
class Readable(Protocol):
    limit: int
    def read(self): ...
"""


def test_protocol_with_one_implementer(package: Callable[..., Package]) -> None:
    tree = package(
        a=PROTOCOL,
        b="""
        class File:
            def __init__(self): self.limit = 1
            def read(self): ...
        class SubFile(File): ...
        class Other:
            def read(self): ...
        """,
    )
    assert structure.protocols_with_one_implementer(tree) == Result(
        1, ["made_up.a.Readable (made_up.b.File)"]
    )


@pytest.mark.parametrize(
    "second",
    [
        "class Second:\n    limit = 1\n    def read(self): ...",
        "from .a import Readable\nclass Second(Readable): ...",
        "from . import a\nclass Second(a.Readable): ...",
    ],
)
def test_protocol_with_two_implementers(package: Callable[..., Package], second: str) -> None:
    tree = package(a=PROTOCOL, b="class First:\n    limit = 1\n    def read(self): ...", c=second)
    assert structure.protocols_with_one_implementer(tree).value == 0


@pytest.mark.parametrize(
    "reason", ["# The other implementer is the application.", "# One implementer: see below.\n#"]
)
def test_protocol_with_a_reason(package: Callable[..., Package], reason: str) -> None:
    source = PROTOCOL.replace("class", f"{reason}\nclass", 1)
    tree = package(a=source, b="class First:\n    limit = 1\n    def read(self): ...")
    assert structure.protocols_with_one_implementer(tree).value == 0


@pytest.mark.parametrize("method", ["def write(self): ...", "def read(self): ..."])
def test_a_method_with_fewer_parameters_is_no_implementation(
    package: Callable[..., Package], method: str
) -> None:
    source = PROTOCOL.replace("def read(self)", "def read(self, size, *, timeout)")
    tree = package(a=source, b=f"class Other:\n    limit = 1\n    {method}")
    assert structure.protocols_with_one_implementer(tree).value == 0


def test_protocol_of_the_application(package: Callable[..., Package]) -> None:
    callback = "class Handler(Protocol):\n    def __call__(self): ..."
    assert structure.protocols_with_one_implementer(package(a=f"{PROTOCOL}\n{callback}")).value == 0


def test_attach_definitions(package: Callable[..., Package]) -> None:
    tree = package(
        a="class A:\n    def attach(self): ...\n    async def attach_stack(self): ...\n    attachments = 1"
    )
    assert structure.attach_definitions(tree).value == 2


def test_class_names_with_two_meanings(package: Callable[..., Package]) -> None:
    tree = package(
        a="class Closed: ...",
        b="class Closed: ...",
        c__x="class Open: ...\nclass _Private: ...\nclass A:\n    class Inner: ...",
        c__d__y="class Open: ...\nclass _Private: ...\nclass B:\n    class Inner: ...",
        protocols__one__x="class Closed: ...",
        protocols__two__x="class Closed: ...",
        protocols__two__deep__y="class Closed: ...",
    )
    assert structure.ambiguous_class_names(tree) == Result(
        3,
        [
            "Closed: made_up.a, made_up.b",
            "Open: made_up.c.d.y, made_up.c.x",
            "Closed: made_up.protocols.two.deep.y, made_up.protocols.two.x",
        ],
    )


def test_docstrings_that_begin_with_a_banned_word(package: Callable[..., Package]) -> None:
    tree = package(
        a='"""Whose turn it is."""\ndef f():\n    """Take, then drop."""\ndef g():\n    """Taken last."""'
    )
    assert structure.docstring_verbs(tree) == Result(
        2, ["made_up/a.py:1: Whose turn it is.", "made_up/a.py:3: Take, then drop."]
    )


CODE = "def f():\n    x = 1\n    return x"


@pytest.fixture
def write_tests(tmp_path: Path) -> Callable[..., None]:
    """Create empty test files below ``tests``."""

    def write(*files: str) -> None:
        for file in files:
            path = tmp_path / "tests" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return write


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("a", "api/test_a.py"),
        ("_private__a", "api/test_a.py"),
        ("_private__a", "private/test_a.py"),
        ("b__c__d__a", "b/c/d/test_a.py"),
        ("b__c__d__a", "b/test_d_a.py"),
        ("b__c__d__a", "b/c/test_c_a.py"),
        ("b__c__d___a", "b/c/test_b_c_d_a.py"),
    ],
)
def test_module_with_unit_tests(
    package: Callable[..., Package], write_tests: Callable[..., None], module: str, file: str
) -> None:
    write_tests(file)
    assert not list(untested_modules(package(**{module: CODE}), {}))


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("a", "test_a.py"),
        ("a", "b/test_a.py"),
        ("b__a", "api/test_a.py"),
        ("b__a", "b/test_a_more.py"),
        ("b__a", "b/test_c_a.py"),
        ("b__a", "b/c/test_a.py"),
        ("b__a", "b/a.py"),
        ("b__c__a", "b/test_c_b_a.py"),
    ],
)
def test_module_without_unit_tests(
    package: Callable[..., Package], write_tests: Callable[..., None], module: str, file: str
) -> None:
    write_tests(file)
    places = [f"{module.replace('__', '/')}.py"]
    assert list(untested_modules(package(**{module: CODE}), {})) == places


@pytest.mark.parametrize(
    "source",
    [
        "import os\nLIMIT = 1\nclass A:\n    x = 1\n    y = 2",
        'def f():\n    """Return 1."""\n    return 1\nclass A:\n    def f(self): return 1\n    def g(self): ...',
    ],
)
def test_modules_of_plain_values_need_no_unit_tests(package: Callable[..., Package], source: str) -> None:
    assert not list(untested_modules(package(init=CODE, a=source), {}))


@pytest.mark.parametrize(
    "source",
    ["def f():\n    if x:\n        return 1", "class A:\n    async def f(self):\n        a()\n        b()"],
)
def test_modules_with_two_statements_need_unit_tests(package: Callable[..., Package], source: str) -> None:
    assert list(untested_modules(package(a=source), {})) == ["a.py"]


def test_subject_tests(package: Callable[..., Package], write_tests: Callable[..., None]) -> None:
    write_tests("b/test_subject.py", "b/test_named.py")
    tree = package(b__a=CODE, b__c=CODE, b__named=CODE, b__plain="x = 1")
    listed = {
        "b/a.py": "b/test_subject.py",
        "b/c.py": "b/test_gone.py",
        "b/named.py": "b/test_subject.py",
        "b/plain.py": "b/test_subject.py",
        "b/gone.py": "b/test_subject.py",
    }
    assert list(untested_modules(tree, listed)) == [
        "b/c.py: there is no tests/b/test_gone.py",
        "b/named.py: need not be listed",
        "b/plain.py: need not be listed",
        "b/gone.py: is listed, but there is no such module",
    ]


def test_lines(package: Callable[..., Package]) -> None:
    assert structure.lines(package(a="1\n2\n", b__c="1\n")) == Result(3, ["2 made_up", "1 made_up.b"])


def test_lines_of_code(package: Callable[..., Package]) -> None:
    tree = package(
        a="""
        '''Module.

        Prose.
        '''
        # A comment.
        LIMIT = '''one

        two'''  # and another
        '''A string behind a value.'''
        def f(
            x,
        ):
            '''Return it.'''
            return x
        """,
        b__c="1\n",
    )
    assert structure.lines_of_code(tree) == Result(8, ["7 made_up", "1 made_up.b"])


def test_import_seconds(package: Callable[..., Package]) -> None:
    busy = "import time\nwhile time.process_time() < 0.2: pass"
    result = structure.import_seconds(package(init=busy))
    assert 0.05 < result.value < 0.25
    assert len(result.places) == 5


def test_first_use_ratio(package: Callable[..., Package]) -> None:
    busy = "import time\nwhile time.process_time() < 0.2: pass\nname = 1"
    lazy = "__all__ = ['name']\ndef __getattr__(key):\n    from made_up.busy import name\n    return name"
    tree = package(init=lazy, busy=busy)
    assert structure.import_seconds(tree).value < 0.05
    # trio takes about 0.1 s.
    assert 0.2 < structure.first_use_ratio(tree).value < 5


@pytest.mark.parametrize(
    ("trace", "beginning", "end"),
    [(trace_frames, "codecs/video_decoder.py", 100), (trace_messages, "protocols/sctp/association.py", 50)],
)
def test_receive_paths(trace: Callable[[Tracer], Awaitable[None]], beginning: str, end: int) -> None:
    files = shortest_path(trace)
    assert beginning in files
    assert 10 < len(files) < end
    assert not [name for name in files if "encoder" in name or name.startswith("testing/")]


@pytest.mark.parametrize(("bound", "kept", "sign"), [(2, True, "<="), (1, False, "> ")])
def test_report(package: Callable[..., Package], bound: float, kept: bool, sign: str) -> None:
    measure = Measure("figure", bound, lambda _: Result(2, ["here", "there"]))
    tree = package()
    assert structure.report(tree, [measure]) == (f"figure        2 {sign}      {bound}", kept)
    text, _ = structure.report(tree, [measure], with_places=True)
    assert text.splitlines()[1:] == ["    here", "    there"]


def test_report_without_a_bound(package: Callable[..., Package]) -> None:
    measure = Measure("figure", None, lambda _: Result(2000, []))
    assert structure.report(package(), [measure]) == ("figure    2,000", True)


def test_unknown_measure(capsys: pytest.CaptureFixture[str]) -> None:
    assert structure.main(["no such word"]) == 2
    assert capsys.readouterr().out == "no measure has such a name\n"
