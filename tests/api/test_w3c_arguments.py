"""Arguments of W3C's operations and defaults of its dictionaries, compared with the Python signatures."""

import pytest

from tests.api.w3c_conformance import differing_arguments, differing_defaults
from tests.api.w3c_coverage import DIFFERING_ARGUMENTS, DIFFERING_DEFAULTS, OWN_TEXT
from tests.api.webidl import Argument, arguments, defaults


def test_arguments_have_their_names_and_are_optional_as_in_the_webidl() -> None:
    assert len(list(arguments(OWN_TEXT))) > 40
    assert differing_arguments(OWN_TEXT) == set(DIFFERING_ARGUMENTS)


def test_defaults_are_those_of_the_webidl() -> None:
    assert len(list(defaults(OWN_TEXT))) > 20
    assert differing_defaults(OWN_TEXT) == set(DIFFERING_DEFAULTS)


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
