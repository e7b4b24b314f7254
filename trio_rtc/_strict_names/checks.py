"""Errors that name the right attribute or argument where a wrong one was used.

Python allows any attribute to be set on an object, so ``pc.onicecandidate = f`` would set one that no code reads.
:func:`strict_class` makes that an ``AttributeError`` that suggests the right name, as does reading a wrong one: for
W3C's camelCase, for ``on_icecandidate`` and the like, and for typing errors. It also checks the names and types of
arguments.

A subclass may have attributes of its own, unless they are a member of the base class in another spelling. Names that
begin with an underscore are not checked.
"""

import difflib
import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

import attrs

from .argument_types import Check, Expected, check_types, expected_types, first_wrong, validator_sentence

ClassT = TypeVar("ClassT", bound=type)
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_CHECKED = "_checks_arguments"
_FOR_EACH_MESSAGE = frozenset({"receive", "send", "send_nowait", "send_rtp"})
"""Methods that are called once per message. They check their arguments themselves."""
_SIMILARITY = 0.75
_OTHER_LIBRARIES = {"on": "add_event_listener", "once": "add_event_listener", "emit": "dispatch_event"}
"""Methods of pyee's event emitters, the base of aiortc's objects, and their counterparts here."""


def strict_class(cls: ClassT) -> ClassT:
    """Check names of attributes, and names and types of arguments of a public class (a decorator).

    It stands above the decorator of attrs. A class of which each packet makes an object does not have it.
    """
    _check_attribute_names(cls)
    if not attrs.has(cls):
        _check_methods(cls)
    return strict_arguments(cls)


def _check_attribute_names(cls: type) -> None:
    # Without the check of a base class, which this one replaces.
    set_attribute: Any = getattr(cls.__setattr__, "__wrapped__", cls.__setattr__)

    @functools.wraps(set_attribute)
    def set_known(self: Any, name: str, value: Any) -> None:
        kind = type(self)
        is_unknown = name[0] != "_" and not hasattr(kind, name)
        if is_unknown and (kind is cls or _spelled_otherwise(name, _members(kind)) is not None):
            raise AttributeError(_no_attribute(kind, name))
        set_attribute(self, name, value)

    def get_missing(self: Any, name: str) -> Any:
        if hasattr(type(self), name):
            # A property that has raised AttributeError itself: raise that error again.
            return object.__getattribute__(self, name)
        raise AttributeError(_no_attribute(type(self), name))

    # Not in the class's body: type checkers would accept any name as an attribute then.
    setattr(cls, "__setattr__", set_known)  # noqa: B010
    setattr(cls, "__getattr__", get_missing)  # noqa: B010


class _Signature:
    """The parameters of a function, read at its first call, when all modules have been imported."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.called = function.__qualname__.removesuffix(".__init__")
        self._function = function
        self._positional: list[str] = []
        self._names: list[str] = []
        self._options: list[str] = []
        self._rest: list[str] = []
        self._expected: dict[str, Expected] | None = None
        self._allow: list[Check | None] = []
        self._allow_named: dict[str, Check | None] = {}

    def _read(self) -> dict[str, Expected]:
        parameters = inspect.signature(self._function).parameters.values()
        plain = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
        named = plain | {inspect.Parameter.KEYWORD_ONLY}
        self._positional = [each.name for each in parameters if each.kind in plain]
        self._names = [each.name for each in parameters if each.kind in named]
        self._options = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
        self._rest = [each.name for each in parameters if each.kind is each.VAR_POSITIONAL]
        expected = expected_types(self._function, self._names + self._rest)
        checks = {name: each.allows for name, each in expected.items()}
        self._allow_named = {name: checks.get(name) for name in self._names}
        self._allow = [self._allow_named[name] for name in self._positional]
        return expected

    def _are_right(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        for allows, value in zip(self._allow, args, strict=False):
            if allows is not None and not allows(value):
                return False
        for name, value in kwargs.items():
            if name not in self._allow_named:
                return False
            allows = self._allow_named[name]
            if allows is not None and not allows(value):
                return False
        return True

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise ``TypeError`` for an argument that is unknown, or of another type."""
        if self._expected is None:
            self._expected = self._read()
        expected = self._expected
        if len(args) <= len(self._positional) and self._are_right(args, kwargs):
            return
        called, positional, rest = self.called, self._positional, self._rest
        for name in kwargs:
            if name not in self._names:
                others = [known for known in self._names if known != "self"]
                raise TypeError(f"{called}() has no argument {name!r}{suggestion(name, others, 'it takes')}")
        arguments = {**dict(zip(positional, args, strict=False)), **kwargs}
        if len(args) > len(positional) or first_wrong(expected, arguments) is not None:
            if self._options and not rest:
                _refuse_dictionary(called, args, positional, expected, self._options)
            check_types(called, expected, arguments)
        for further in args[len(positional) :] if rest else ():
            check_types(called, self._expected, {rest[0]: further})


def strict_arguments(function: FunctionT) -> FunctionT:
    """Check names and types of the arguments of a function or of a class's constructor (a decorator).

    The ``TypeError`` names the argument and what would be right.
    """
    if isinstance(function, type):
        initialize = vars(function).get("__init__")
        if inspect.isfunction(initialize) and not hasattr(initialize, _CHECKED):
            setattr(function, "__init__", strict_arguments(initialize))  # noqa: B010
        return cast("FunctionT", function)
    signature = _Signature(function)
    check = signature.check

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            check(args, kwargs)
            return await function(*args, **kwargs)

        return _mark_checked(call_async, function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        check(args, kwargs)
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError) as error:
            # A validator of attrs, of this class or of an object that the function constructs.
            sentence = validator_sentence(signature.called, error)
            if sentence is None:
                raise
            raise type(error)(sentence) from None

    return _mark_checked(call, function)


def check_public_arguments(module: dict[str, Any]) -> None:
    """Check names and types of the arguments of the functions and classes in a module's ``__all__``.

    Calls inside the package use the functions unchecked and cost nothing more.
    """
    for name in module["__all__"]:
        public = module[name]
        is_class = isinstance(public, type) and not issubclass(public, BaseException | str | tuple)
        if (is_class and not getattr(public, "_is_protocol", False)) or inspect.isfunction(public):
            module[name] = strict_arguments(public)


def warn_obsolete(member: str, replacement: str) -> None:
    """Warn of an obsolete member, at the application's line that uses it."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("trio_rtc."):
        frame, level = frame.f_back, level + 1
    warnings.warn(f"{member} is obsolete; use {replacement}", DeprecationWarning, stacklevel=level)


def _check_methods(cls: type) -> None:
    """Check types of the arguments of public methods, and of the values of public attributes."""
    for name, member in list(vars(cls).items()):
        if name.startswith("_") or name in _FOR_EACH_MESSAGE:
            continue
        if isinstance(member, property) and member.fset is not None:
            set_checked = _strict_setter(member.fset)
            setattr(cls, name, property(member.fget, set_checked, member.fdel, member.__doc__))
        elif inspect.isfunction(member) and not hasattr(member, _CHECKED):
            setattr(cls, name, strict_arguments(member))
        elif isinstance(member, staticmethod):
            setattr(cls, name, staticmethod(strict_arguments(member.__func__)))


def _refuse_dictionary(
    called: str,
    args: tuple[Any, ...],
    positional: list[str],
    expected: Mapping[str, Expected],
    options: list[str],
) -> None:
    """Raise ``TypeError`` for options in W3C's form, a dictionary, where Python has keyword arguments."""
    for index, value in enumerate(args):
        wanted = expected.get(positional[index]) if index < len(positional) else None
        is_taken = index < len(positional) and (wanted is None or wanted.allows(value))
        if is_taken or not isinstance(value, Mapping):
            continue
        named = {_spelled_otherwise(str(name), options): each for name, each in value.items()}
        if not named or None in named:
            if index < len(positional):
                continue
            keywords = ", ".join(f"{name}=..." for name in options)
        else:
            keywords = ", ".join(f"{name}={each!r:.60}" for name, each in named.items())
        raise TypeError(
            f"{called}() takes its options as keyword arguments, {keywords}, not as {value!r:.100}"
        )


def _strict_setter(set_value: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    expected: dict[str, Expected] | None = None

    @functools.wraps(set_value)
    def set_checked(self: Any, value: Any) -> None:
        nonlocal expected
        if expected is None:
            _, name = inspect.signature(set_value).parameters
            expected = expected_types(set_value, [name])
        wanted = next(iter(expected.values()), None)
        if wanted is not None and not wanted.allows(value):
            raise TypeError(f"{set_value.__qualname__} must be {wanted.text}, not {value!r:.100}")
        set_value(self, value)

    return set_checked


def _mark_checked(call: Callable[..., Any], function: FunctionT) -> FunctionT:
    setattr(call, _CHECKED, True)
    return cast("FunctionT", call)


def _members(kind: type) -> list[str]:
    return [name for name in dir(kind) if name[0] != "_"]


def _no_attribute(kind: type, name: str) -> str:
    text = f"{kind.__name__!r} object has no attribute {name!r}"
    return text if name.startswith("_") else text + suggestion(name, _members(kind))


def suggestion(name: str, known: list[str], listed: str | None = None) -> str:
    """Return the end of a message: the known name that is most similar, or else, if ``listed``, all of them."""
    other = _OTHER_LIBRARIES.get(name)
    meant = _spelled_otherwise(name, known) or (other if other in known else None)
    if meant is None:
        close = difflib.get_close_matches(name, known, 1, _SIMILARITY)
        meant = close[0] if close else None
    if meant is not None:
        return f"; did you mean {meant!r}?"
    return f"; {listed}: {', '.join(known)}" if listed else ""


def _spelled_otherwise(name: str, known: Iterable[str]) -> str | None:
    """Return the name that differs in case and underscores only: ``on_ice_candidate`` for ``onicecandidate``."""
    bare = name.replace("_", "").lower()
    return next((each for each in known if each.replace("_", "").lower() == bare), None)
