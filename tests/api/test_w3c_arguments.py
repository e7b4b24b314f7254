"""Arguments of W3C's operations and defaults of its dictionaries, compared with the Python signatures."""

import inspect
import json
from enum import Enum
from operator import attrgetter
from typing import Any

import attrs
import pytest

import trio_rtc
from tests.api.w3c_coverage import DIFFERING_ARGUMENTS, DIFFERING_DEFAULTS, KEYWORDS_OF, MAPPINGS
from tests.api.webidl import WEBIDL_FILES, Argument, arguments, defaults
from trio_rtc._strict_names.spelling import python_name

TEXT = "\n".join(path.read_text(encoding="utf-8") for path in WEBIDL_FILES)
ARGUMENTS = [each for each in arguments(TEXT) if hasattr(trio_rtc, each.definition)]
DEFAULTS = [each for each in defaults(TEXT) if each[0] not in MAPPINGS]
PYTHON_VALUES = {"[]": ()}
"""Values of WebIDL that are not those of JSON; sequences are tuples."""


def path_of(argument: Argument) -> str:
    return f"{argument.definition}.{argument.operation}.{argument.name}"


def agrees(argument: Argument) -> bool:
    method = f"{argument.definition}.{python_name(argument.operation)}"
    if KEYWORDS_OF.get(argument.type) == method:
        # Its members are keywords, which the test of the members checks.
        return True
    parameter = inspect.signature(attrgetter(method)(trio_rtc)).parameters.get(python_name(argument.name))
    if parameter is None:
        return False
    is_variadic = parameter.kind is parameter.VAR_POSITIONAL
    is_optional = parameter.default is not parameter.empty
    return (is_variadic, is_optional) == (argument.variadic, argument.optional)


def test_arguments_have_their_names_and_are_optional_as_in_the_webidl() -> None:
    assert len(ARGUMENTS) > 40
    assert {path_of(each) for each in ARGUMENTS if not agrees(each)} == set(DIFFERING_ARGUMENTS)


def default_of(definition: str, member: str) -> object:
    owner = attrgetter(KEYWORDS_OF.get(definition, definition))(trio_rtc)
    default: Any
    if attrs.has(owner):
        default = next(each.default for each in attrs.fields(owner) if each.name == member)
    else:
        default = inspect.signature(owner).parameters[member].default
    return default.value if isinstance(default, Enum) else default


def test_defaults_are_those_of_the_webidl() -> None:
    assert len(DEFAULTS) > 20
    differing = set()
    for definition, member, default in DEFAULTS:
        value = PYTHON_VALUES[default] if default in PYTHON_VALUES else json.loads(default)
        if default_of(definition, python_name(member)) != value:
            differing.add(f"{definition}.{member}")
    assert differing == set(DIFFERING_DEFAULTS)


def test_the_parser_of_arguments_and_defaults() -> None:
    text = """
        interface A { Promise<B> send(C data, optional (D or sequence<E>) options = {}); undefined add(F... all); };
        dictionary G { required H h; boolean ordered = true; sequence<I> list = []; };
    """
    assert list(arguments(text)) == [
        Argument("A", "send", "data", "C", optional=False, variadic=False),
        Argument("A", "send", "options", "(D or sequence<E>)", optional=True, variadic=False),
        Argument("A", "add", "all", "F", optional=False, variadic=True),
    ]
    assert list(defaults(text)) == [("G", "ordered", "true"), ("G", "list", "[]")]


def test_the_parser_rejects_unknown_arguments() -> None:
    with pytest.raises(ValueError, match="not understood: 'what'"):
        list(arguments("interface A { undefined send(what); };"))
