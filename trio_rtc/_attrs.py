"""attrs, with classes that are created in half the time: of their methods, only ``__init__`` is compiled.

``__eq__`` and ``__hash__`` are closures over the attributes' names, and ``__repr__`` is one function for all. Compiling
those that attrs generates would take a fifth of the time in which this package is imported. A class that is compared or
hashed for each packet must use attrs itself, whose methods are faster; so must an exception, and a class with an
option that is not supported here, which raises ``TypeError``.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

import attrs
from attrs import Attribute, Factory, asdict, astuple, evolve, field, fields, validators

if TYPE_CHECKING:
    from attrs import define, frozen
else:

    def define(cls: type | None = None, **options: Any) -> Any:
        """Do what ``attrs.define`` does."""
        return _decorate(attrs.define, cls, options)

    def frozen(cls: type | None = None, **options: Any) -> Any:
        """Do what ``attrs.frozen`` does."""
        return _decorate(attrs.frozen, cls, options)


__all__ = [
    "Attribute",
    "Factory",
    "asdict",
    "astuple",
    "define",
    "evolve",
    "field",
    "fields",
    "frozen",
    "validators",
]


_UNSUPPORTED = frozenset(
    {"auto_detect", "auto_exc", "cache_hash", "cmp", "frozen", "hash", "order", "str", "unsafe_hash"}
)
"""Options of attrs that change the methods which are not compiled here."""


def _decorate(decorator: Any, cls: type | None, options: dict[str, Any]) -> Any:
    unsupported = sorted(_UNSUPPORTED & options.keys())
    if unsupported:
        raise TypeError(f"options {', '.join(unsupported)} require a decorator of attrs itself")

    def build(cls: type) -> Any:
        if issubclass(cls, BaseException):
            raise TypeError(f"exception {cls.__name__} requires a decorator of attrs itself")
        own = vars(cls)
        built = decorator(cls, **{**options, "eq": False, "repr": False})
        if options.get("eq", True) and "__eq__" not in own:
            built.__eq__, hash_value = _comparison(built)
            if "__hash__" not in own:
                built.__hash__ = hash_value if decorator is attrs.frozen else None
        if options.get("repr", True) and "__repr__" not in own:
            built.__repr__ = _repr
        return built

    return build if cls is None else build(cls)


def _comparison(cls: Any) -> tuple[Callable[[Any, Any], bool], Callable[[Any], int]]:
    attributes = fields(cls)
    for each in attributes:
        if each.eq_key is not None:
            raise TypeError(
                f"{cls.__name__}.{each.name} has a key for comparison, which requires attrs itself"
            )
    compared = _getter(each.name for each in attributes if each.eq)
    hashed = _getter(each.name for each in attributes if (each.eq if each.hash is None else each.hash))

    def equals(self: object, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return compared(self) == compared(other)

    def hash_value(self: object) -> int:
        return hash((self.__class__, hashed(self)))

    return equals, hash_value


def _getter(names: Iterable[str]) -> Callable[[object], object]:
    names = tuple(names)
    return attrgetter(*names) if names else lambda _: ()


@recursive_repr("...")
def _repr(self: Any) -> str:
    shown = [
        f"{each.name}={(repr if each.repr is True else each.repr)(getattr(self, each.name, attrs.NOTHING))}"
        for each in fields(self.__class__)
        if each.repr
    ]
    return f"{self.__class__.__qualname__.rsplit('>.', 1)[-1]}({', '.join(shown)})"
