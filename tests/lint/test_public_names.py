from collections.abc import Callable

from tests.lint.package import Package
from tests.lint.public_names import undocumented


def undocumented_names(package: Package) -> set[str]:
    return {place.rpartition(": ")[2] for place in undocumented(package)}


def test_modules_need_docstrings(package: Callable[..., Package]) -> None:
    tree = package(a="", _b__c="", d='"""Documented."""')
    assert undocumented(tree) == [
        "made_up/__init__.py:1: made_up",
        "made_up/_b/__init__.py:1: made_up._b",
        "made_up/_b/c.py:1: made_up._b.c",
        "made_up/a.py:1: made_up.a",
    ]


INNER = """
'''Module.'''
def shown(): ...
def internal(): ...
class Shown:
    '''Class.'''
    value = 1
    def __init__(self): ...
    def _private(self): ...
    def method(self): ...
    @property
    def size(self): ...
    @size.setter
    def size(self, value): ...
    class Nested: ...
class Internal:
    def method(self): ...
"""


def test_names_of_all_need_docstrings(package: Callable[..., Package]) -> None:
    init = (
        "'Package.'\nfrom .a import shown, internal, Shown\n__all__ = ['shown', 'Shown', 'LIMIT']\nLIMIT = 1"
    )
    tree = package(init=init, a=INNER)
    assert undocumented(tree) == [
        "made_up/a.py:10: Shown.method",
        "made_up/a.py:12: Shown.size",
        "made_up/a.py:15: Nested",
        "made_up/a.py:3: shown",
    ]


def test_nothing_else_needs_docstrings(package: Callable[..., Package]) -> None:
    assert undocumented(package(init="'Package.'\nfrom .a import shown, Shown", a=INNER)) == []


def test_a_package_with_an_underscore_shows_nothing(package: Callable[..., Package]) -> None:
    tree = package(init="'Package.'", a=INNER)
    (tree.root / "made_up" / "_b").mkdir()
    (tree.root / "made_up" / "_b" / "__init__.py").write_text(
        "'P.'\nfrom ..a import shown\n__all__ = ['shown']"
    )
    assert undocumented(Package(tree.root, "made_up")) == []


def test_overloads_and_overrides(package: Callable[..., Package]) -> None:
    tree = package(
        init="'Package.'\nfrom . import b\nfrom .b import Sub\n__all__ = ['Sub']",
        a="""
        '''Module.'''
        class Base:
            def documented(self):
                '''Return it.'''
            def inherited(self): ...
        """,
        b="""
        '''Module.'''
        import typing
        from . import a
        class Sub(a.Base):
            '''Class.'''
            def documented(self): ...
            @typing.overload
            def read(self, size: int) -> str: ...
            def read(self, size):
                '''Read.'''
        """,
    )
    assert undocumented(tree) == ["made_up/a.py:6: Base.inherited"]


def test_names_that_are_imported_lazily(package: Callable[..., Package]) -> None:
    tree = package(
        init="""
        '''Package.'''
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from .names import *
            from .names import __all__ as __all__
        """,
        names="'Module.'\nfrom .c import f, g as h\n__all__ = ['f', 'h']",
        c="'Module.'\nif True:\n    def f(): ...\ndef g(): ...",
    )
    assert undocumented_names(tree) == {"f", "g"}
