"""Types of arguments, checked by their annotations: an error names the argument, its value and what would be right."""

import builtins
import collections.abc
import enum
import functools
import numbers
import reprlib
import sys
import traceback
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union

import attrs

Check = Callable[[Any], bool]

# The built-in types stand before the abstract ones, which isinstance takes ten times as long to check.
_SIMPLE: dict[Any, tuple[tuple[type, ...], str]] = {
    int: ((int, numbers.Integral), "an int"),
    float: ((float, int, numbers.Real), "a number"),
    str: ((str,), "a str"),
    bytes: ((bytes,), "bytes"),
    bool: ((int,), "a bool"),
}
_COLLECTIONS = {
    tuple: collections.abc.Sequence,
    list: collections.abc.Sequence,
    collections.abc.Sequence: collections.abc.Sequence,
    collections.abc.Iterable: collections.abc.Iterable,
    frozenset: collections.abc.Set,
    set: collections.abc.Set,
}
_SHORT = reprlib.Repr()
_SHORT.maxstring, _SHORT.maxother = 60, 90


@attrs.frozen
class Expected:
    """The values that an argument may have, and their description."""

    allows: Check
    text: str


def expected_types(function: Callable[..., Any], names: list[str]) -> dict[str, Expected]:
    """Return the right values of arguments, without those of unknown type or of any type."""
    annotations = getattr(function, "__annotations__", {})
    module = sys.modules.get(getattr(function, "__module__", ""), None)
    found = {name: _expected(_resolved(annotations.get(name, Any), module)) for name in names}
    return {name: expected for name, expected in found.items() if expected is not None}


def validator_sentence(called: str, error: Exception) -> str | None:
    """Return the message of a failed ``in_`` or ``instance_of`` of attrs as a sentence, ``None`` for another error.

    Such an error carries its message, the attribute, the right values and the wrong one. An error of one of the
    application's classes, in a function called by ``called``, is another error.
    """
    if len(error.args) != 4 or not isinstance(error.args[1], attrs.Attribute) or not _is_raised_here(error):
        return None
    _, attribute, right, value = error.args
    if isinstance(error, TypeError):
        expected = _expected(right)
        text = getattr(right, "__name__", repr(right)) if expected is None else expected.text
    else:
        text = f"one of {', '.join(map(repr, right))}"
    or_none = " or None" if attribute.default is None else ""
    return f"{called}() argument {attribute.name!r} must be {text}{or_none}, not {_SHORT.repr(value)}"


def _is_raised_here(error: Exception) -> bool:
    """Return whether an error has passed through functions of this package and of attrs only."""
    modules = [frame.f_globals.get("__name__", "attr") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return {module.partition(".")[0] for module in modules} <= {"trio_rtc", "attr"}


def first_wrong(expected: Mapping[str, Expected], arguments: Mapping[str, object]) -> str | None:
    """Return the name of the first argument that is not of its type, ``None`` if all are."""
    for name, value in arguments.items():
        wanted = expected.get(name)
        if wanted is not None and not wanted.allows(value):
            return name
    return None


def check_types(called: str, expected: Mapping[str, Expected], arguments: Mapping[str, object]) -> None:
    """Raise ``TypeError`` for the first argument that is not of its type."""
    name = first_wrong(expected, arguments)
    if name is not None:
        value = _SHORT.repr(arguments[name])
        raise TypeError(f"{called}() argument {name!r} must be {expected[name].text}, not {value}")


@functools.cache
def _field_types(cls: Any) -> Mapping[str, Expected]:
    return expected_types(cls, list(cls.__annotations__))


def check_fields(value: object, cls: type) -> None:
    """Raise ``TypeError`` for an object of another class, or its first field that is not of its annotated type.

    For classes whose constructors do not check, as an object is made for each packet.
    """
    if not isinstance(value, cls):
        raise TypeError(f"expected {_with_article(cls.__name__)}, not {_SHORT.repr(value)}")
    for name, expected in _field_types(cls).items():
        field = getattr(value, name)
        if not expected.allows(field):
            raise TypeError(f"{cls.__name__}.{name} must be {expected.text}, not {_SHORT.repr(field)}")


class _Names(dict[str, Any]):
    """The names of a module; those that it imports for type checkers only are mostly public names of the package."""

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            raise KeyError(name)
        try:
            return getattr(sys.modules["trio_rtc"], name)
        except AttributeError:
            raise KeyError(name) from None


def _resolved(annotation: Any, module: types.ModuleType | None) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, {}, _Names(vars(module) if module else {}))  # noqa: S307 - source of this package
    except (NameError, AttributeError, TypeError):
        return Any


def _expected(annotation: Any) -> Expected | None:
    """Return the values that an annotation allows; ``None`` for any value."""
    if annotation is None or annotation is type(None):
        return Expected(lambda value: value is None, "None")
    if isinstance(annotation, type) and annotation in _SIMPLE:
        kinds, text = _SIMPLE[annotation]
        return Expected(lambda value: isinstance(value, kinds), text)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Union or origin is types.UnionType:
        return _any_of([_expected(argument) for argument in arguments])
    if origin is Literal:
        # A wrong str is a ValueError, raised elsewhere.
        return Expected(lambda value: isinstance(value, str), " or ".join(map(repr, arguments)))
    if origin is collections.abc.Callable:
        return Expected(callable, "a function")
    if origin is not None and not isinstance(origin, type):
        return None
    if origin is not None and issubclass(origin, collections.abc.Mapping):
        return Expected(lambda value: isinstance(value, collections.abc.Mapping), "a mapping")
    if origin in _COLLECTIONS:
        return _collection(origin, arguments)
    return _instance(origin or annotation)


def _any_of(members: list[Expected | None]) -> Expected | None:
    known = [member for member in members if member is not None]
    if len(known) < len(members):
        return None
    text = " or ".join(member.text for member in known)
    if len(known) == 2:
        first, second = known[0].allows, known[1].allows
        return Expected(lambda value: first(value) or second(value), text)
    return Expected(lambda value: any(member.allows(value) for member in known), text)


def _collection(origin: Any, arguments: tuple[Any, ...]) -> Expected:
    kind = _COLLECTIONS[origin]
    if origin is tuple and (len(arguments) != 2 or arguments[1] is not ...):
        members = [_expected(argument) for argument in arguments]

        def allows_each(value: Any) -> bool:
            return (
                isinstance(value, collections.abc.Sequence)
                and len(value) == len(members)
                and all(
                    member is None or member.allows(item) for member, item in zip(members, value, strict=True)
                )
            )

        texts = ", ".join("anything" if member is None else _bare(member.text) for member in members)
        return Expected(allows_each, f"a tuple ({texts})")
    member = _expected(arguments[0])
    text = "anything" if member is None else member.text

    def allows_all(value: Any) -> bool:
        if isinstance(value, str | bytes) or not isinstance(value, kind):
            return False
        # A one-shot iterator is not consumed here.
        is_repeatable = isinstance(value, collections.abc.Collection)
        return member is None or not is_repeatable or all(map(member.allows, value))

    return Expected(allows_all, f"a sequence of {_bare(text)}")


def _bare(text: str) -> str:
    return text.removeprefix("an ").removeprefix("a ")


def _instance(kind: Any) -> Expected | None:
    if not isinstance(kind, type) or kind in (Any, object):
        return None
    if issubclass(kind, enum.StrEnum):
        values = {member.value for member in kind}
        return Expected(
            lambda value: isinstance(value, str) and value in values, " or ".join(map(repr, sorted(values)))
        )
    text = _with_article(kind.__name__)
    if getattr(kind, "_is_protocol", False):
        members = [name for name in vars(kind) if not name.startswith("_")]
        return Expected(lambda value: all(hasattr(value, name) for name in members), text)
    return Expected(lambda value: isinstance(value, kind), text)


def _with_article(name: str) -> str:
    return f"{'an' if name.startswith(('A', 'E', 'I', 'O', 'RTC')) else 'a'} {name}"
