"""Errors that name the right attribute or argument where a wrong one was used.

Python lets any attribute be set on an object, so ``pc.onicecandidate = f`` would set one that nobody reads.
:func:`strict_names` makes that an ``AttributeError`` that suggests the right name, as does reading a wrong one: for
W3C's camelCase, for ``on_icecandidate`` and the like, and for typing errors.

A subclass may have attributes of its own, unless they are a member of ours in another spelling. Names that begin with
an underscore are not checked.
"""

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

ClassT = TypeVar("ClassT", bound=type)
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_SIMILARITY = 0.75
_OTHER_LIBRARIES = {"on": "add_event_listener", "once": "add_event_listener", "emit": "dispatch_event"}
"""What pyee's emitters call it, on which aiortc's objects are based."""


def strict_names(cls: ClassT) -> ClassT:
    """Refuse attributes that a class does not have, with the one in the message that was meant (a decorator)."""
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
            # A property that has raised AttributeError itself: let it say why.
            return object.__getattribute__(self, name)
        raise AttributeError(_no_attribute(type(self), name))

    # Not in the class's body: type checkers would take any name for an attribute then.
    setattr(cls, "__setattr__", set_known)  # noqa: B010
    setattr(cls, "__getattr__", get_missing)  # noqa: B010
    return cls


def strict_arguments(function: FunctionT) -> FunctionT:
    """Let a wrong keyword argument raise a ``TypeError`` that names the one that was meant (a decorator)."""
    names = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind not in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}
        and parameter.name != "self"
    ]

    def check(arguments: Iterable[str]) -> None:
        for name in arguments:
            if name not in names:
                called = function.__qualname__.removesuffix(".__init__")
                raise TypeError(f"{called}() has no argument {name!r}{_suggestion(name, names, 'it takes')}")

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            check(kwargs)
            return await function(*args, **kwargs)

        return cast("FunctionT", call_async)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        check(kwargs)
        return function(*args, **kwargs)

    return cast("FunctionT", call)


def _members(kind: type) -> list[str]:
    return [name for name in dir(kind) if name[0] != "_"]


def _no_attribute(kind: type, name: str) -> str:
    text = f"{kind.__name__!r} object has no attribute {name!r}"
    return text if name.startswith("_") else text + _suggestion(name, _members(kind))


def _suggestion(name: str, known: list[str], listed: str | None = None) -> str:
    """Return what to add to a message: the name that was meant, or else (if wanted) all there are."""
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
