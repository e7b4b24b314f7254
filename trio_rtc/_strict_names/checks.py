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
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar, cast

from .argument_types import Expected, check_types, expected_types, validator_sentence

ClassT = TypeVar("ClassT", bound=type)
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_CHECKED = "_checks_arguments"
_FOR_EACH_MESSAGE = frozenset({"receive", "send", "send_nowait", "send_rtp"})
"""Methods that are called too often for it. They check what they are given themselves."""
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


class _Signature:
    """What a function may be called with.

    Attributes:
        called: What it is called in messages.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.called = function.__qualname__.removesuffix(".__init__")
        parameters = inspect.signature(function).parameters.values()
        plain = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
        named = plain | {inspect.Parameter.KEYWORD_ONLY}
        self._function = function
        self._positional = [each.name for each in parameters if each.kind in plain]
        self._names = [each.name for each in parameters if each.kind in named]
        self._options = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
        self._rest = [each.name for each in parameters if each.kind is each.VAR_POSITIONAL]
        # Read at the first call, when all modules have been imported.
        self._expected: dict[str, Expected] | None = None

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise ``TypeError`` for an argument that is unknown, or of another type."""
        called, positional, rest = self.called, self._positional, self._rest
        for name in kwargs:
            if name not in self._names:
                others = [known for known in self._names if known != "self"]
                raise TypeError(f"{called}() has no argument {name!r}{suggestion(name, others, 'it takes')}")
        if self._expected is None:
            self._expected = expected_types(self._function, self._names + rest)
        if self._options and not rest:
            _refuse_dictionary(called, args, positional, self._expected, self._options)
        check_types(called, self._expected, {**dict(zip(positional, args, strict=False)), **kwargs})
        for further in args[len(positional) :] if rest else ():
            check_types(called, self._expected, {rest[0]: further})


def strict_arguments(function: FunctionT) -> FunctionT:
    """Check names and types of arguments (a decorator); a ``TypeError`` says which is wrong and what is right."""
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
            # A validator of attrs, of the class itself or of one that the function makes.
            sentence = validator_sentence(signature.called, error)
            if sentence is None:
                raise
            raise type(error)(sentence) from None

    return _mark_checked(call, function)


def check_public_arguments(module: dict[str, Any], left_out: Collection[object] = ()) -> None:
    """Let the public functions and classes of a module check the names and types of their arguments.

    It is done here and not where they are defined: type checkers keep the signatures that attrs makes, and calls inside
    the package cost nothing more. What is made for each packet has no time for it.

    Args:
        module: The module's names, with ``__all__``.
        left_out: What is not to check them.
    """
    for name in module["__all__"]:
        public = module[name]
        if public in left_out or getattr(public, "_is_protocol", False):
            continue
        if inspect.isfunction(public):
            module[name] = strict_arguments(public)
        elif isinstance(public, type) and not issubclass(public, BaseException | str | tuple):
            initialize = vars(public).get("__init__")
            if inspect.isfunction(initialize) and not hasattr(initialize, _CHECKED):
                setattr(public, "__init__", strict_arguments(initialize))  # noqa: B010


def check_method_arguments(cls: type) -> None:
    """Let the public methods and attributes of a class check the types of what they are given."""
    for name, member in list(vars(cls).items()):
        if name.startswith("_") or name in _FOR_EACH_MESSAGE:
            continue
        if isinstance(member, property) and member.fset is not None:
            setattr(
                cls, name, property(member.fget, _strict_setter(member.fset), member.fdel, member.__doc__)
            )
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
    _, name = inspect.signature(set_value).parameters
    expected: dict[str, Expected] | None = None

    @functools.wraps(set_value)
    def set_checked(self: Any, value: Any) -> None:
        nonlocal expected
        if expected is None:
            expected = expected_types(set_value, [name])
        wanted = expected.get(name)
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
