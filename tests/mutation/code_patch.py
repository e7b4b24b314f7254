"""Replaces the code of an imported module's functions by the mutated code."""

import gc
from collections.abc import Iterator
from types import CodeType, FunctionType

Functions = dict[tuple[str, str, int], list[FunctionType]]
"""Functions by file, qualified name and first line of their code."""


def index_functions(folder: str) -> Functions:
    """Return all functions defined in a folder."""
    gc.unfreeze()
    functions: Functions = {}
    for thing in gc.get_objects():
        if type(thing) is FunctionType and thing.__code__.co_filename.startswith(folder):
            code = thing.__code__
            key = (code.co_filename, code.co_qualname, code.co_firstlineno)
            functions.setdefault(key, []).append(thing)
    gc.collect()
    gc.freeze()
    return functions


def patch(functions: Functions, path: str, source: str, mutated: str) -> bool:
    """Replace the code of the functions that differ between two versions of a file.

    Returns:
        Whether nothing else has changed. Otherwise the module must be imported again.
    """
    before, after = (list(_codes_in(compile(text, path, "exec"))) for text in (source, mutated))
    if len(before) != len(after):
        return False
    changed = [(old, new) for old, new in zip(before, after, strict=True) if not _is_same(old, new)]
    for old, new in changed:
        found = functions.get((path, old.co_qualname, old.co_firstlineno), [])
        if not found or old.co_freevars != new.co_freevars:
            return False
        for function in found:
            function.__code__ = new
    return bool(changed)


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    """Iterate over the functions of a module or class, without nested functions."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            # Locals are optimized in functions, but not in the bodies of modules and classes.
            if constant.co_flags & 1:
                yield constant
            else:
                yield from _codes_in(constant)


def _is_same(one: CodeType, other: CodeType) -> bool:
    """Return whether two functions have equal code, independent of their lines."""
    parts = (
        "co_code",
        "co_names",
        "co_varnames",
        "co_freevars",
        "co_cellvars",
        "co_flags",
        "co_exceptiontable",
    )
    return (
        all(getattr(one, part) == getattr(other, part) for part in parts)
        and len(one.co_consts) == len(other.co_consts)
        and all(map(_is_same_constant, one.co_consts, other.co_consts))
    )


def _is_same_constant(one: object, other: object) -> bool:
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        return _is_same(one, other)
    return repr(one) == repr(other) and type(one) is type(other)
