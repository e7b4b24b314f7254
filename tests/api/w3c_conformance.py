"""Comparison of the package with WebIDL: members, arguments, defaults and values of enumerations."""

import inspect
import json
from enum import Enum, StrEnum
from operator import attrgetter
from typing import Any

import attrs

import trio_rtc
from tests.api.w3c_coverage import KEYWORDS_OF, MAPPINGS, Member, is_left_out
from tests.api.webidl import Argument, arguments, defaults
from trio_rtc._strict_names.spelling import python_name

PYTHON_VALUES = {"[]": ()}
"""Values of WebIDL that are not those of JSON; sequences are tuples."""


def has(owner: str, name: str) -> bool:
    """Return whether a public class has a member."""
    cls = getattr(trio_rtc, owner)
    # An exception's attributes are set by its constructor, with parameters of the same names.
    return hasattr(cls, name) or (issubclass(cls, Exception) and name in inspect.signature(cls).parameters)


def exists(member: Member) -> bool:
    """Return whether a member exists under its rule-given name."""
    if member.definition in KEYWORDS_OF:
        owner = attrgetter(KEYWORDS_OF[member.definition])(trio_rtc)
        return member.python_name in inspect.signature(owner).parameters
    return hasattr(trio_rtc, member.definition) and has(member.definition, member.python_name)


def differing_arguments(text: str) -> set[str]:
    """Return the arguments of operations of WebIDL that differ in name, or in whether they are optional."""
    return {
        f"{each.definition}.{each.operation}.{each.name}"
        for each in arguments(text)
        if not is_left_out(each.definition, each.operation) and not _agrees(each)
    }


def _agrees(argument: Argument) -> bool:
    method = f"{argument.definition}.{python_name(argument.operation)}"
    if KEYWORDS_OF.get(argument.type) == method:
        # Its members are keywords, which the test of the members checks.
        return True
    parameters = inspect.signature(attrgetter(method)(trio_rtc)).parameters
    parameter = parameters.get(python_name(argument.name))
    if parameter is None:
        return False
    is_variadic = parameter.kind is parameter.VAR_POSITIONAL
    is_optional = parameter.default is not parameter.empty
    return (is_variadic, is_optional) == (argument.variadic, argument.optional)


def differing_defaults(text: str) -> set[str]:
    """Return the members of dictionaries of WebIDL that have another default."""
    return {
        f"{definition}.{member}"
        for definition, member, default in defaults(text)
        if definition not in MAPPINGS
        and not is_left_out(definition, member)
        and _default_of(definition, python_name(member))
        != (PYTHON_VALUES[default] if default in PYTHON_VALUES else json.loads(default))
    }


def _default_of(definition: str, member: str) -> object:
    owner = attrgetter(KEYWORDS_OF.get(definition, definition))(trio_rtc)
    default: Any
    if attrs.has(owner):
        default = next(each.default for each in attrs.fields(owner) if each.name == member)
    else:
        default = inspect.signature(owner).parameters[member].default
    return default.value if isinstance(default, Enum) else default


def values_of(enumeration: str) -> tuple[str, ...]:
    """Return the values of a public enumeration, each of which has its W3C spelling in capitals as its name."""
    cls = getattr(trio_rtc, enumeration)
    assert issubclass(cls, StrEnum)
    return tuple(each.value for each in cls)
