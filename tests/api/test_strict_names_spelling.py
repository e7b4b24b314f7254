"""Every member of W3C's interfaces exists under its rule-given name, or is listed as missing."""

import inspect
import re
from collections.abc import Iterator
from typing import get_args, get_origin, get_type_hints

import pytest

import trio_rtc
from tests.api.w3c_conformance import exists, has
from tests.api.w3c_coverage import (
    KEYWORDS_OF,
    LEFT_OUT,
    MAPPINGS,
    NOT_KNOWN,
    Member,
    Status,
    definitions,
    members,
)
from tests.api.webidl import parse
from trio_rtc._strict_names.spelling import EVENT_NAMES, handler_name, python_name

DEFINITIONS = definitions()
MEMBERS = [
    member
    for definition in DEFINITIONS.values()
    if definition.name not in MAPPINGS
    for member in members(definition)
]
EVENT_TARGETS = [definition.name for definition in DEFINITIONS.values() if definition.parent == "EventTarget"]


def is_handler(idl_name: str) -> bool:
    return idl_name.startswith("on") and idl_name.removeprefix("on") in EVENT_NAMES


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: f"{member.definition}.{member.idl_name}")
def test_member_exists_or_is_listed_as_missing(member: Member) -> None:
    assert exists(member) == (member.status is Status.PRESENT)


@pytest.mark.parametrize("name", EVENT_TARGETS)
def test_events_and_handlers_agree(name: str) -> None:
    target = getattr(trio_rtc, name)
    handlers = {
        member.python_name
        for member in members(DEFINITIONS[name])
        if member.status is Status.PRESENT and is_handler(member.idl_name)
    }
    assert {handler_name(event) for event in target.EVENTS} == handlers
    for method in DEFINITIONS["EventTarget"].members:
        assert has(name, python_name(method))


def test_members_listed_as_missing_exist_in_the_webidl() -> None:
    for name, idl_names in NOT_KNOWN.items():
        assert idl_names.keys() <= set(DEFINITIONS[name].members)


def test_attributes_that_stand_for_left_out_members_exist() -> None:
    names = re.findall(r"`(RTC\w+|EncodedFrame)\.(\w+)`", "\n".join(LEFT_OUT.values()))
    assert len(names) > 15
    assert [name for name in names if not has(*name)] == []


def test_every_class_is_in_the_public_names() -> None:
    present = {member.definition for member in MEMBERS if member.status is Status.PRESENT}
    assert present - KEYWORDS_OF.keys() <= set(trio_rtc.__all__)


def classes_in(annotation: object) -> Iterator[type]:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        yield annotation
    for argument in get_args(annotation):
        yield from classes_in(argument)


@pytest.mark.parametrize("name", [name for name in trio_rtc.__all__ if name.startswith("RTC")])
def test_return_types_have_public_names(name: str) -> None:
    for member_name, member in inspect.getmembers_static(getattr(trio_rtc, name)):
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if member_name.startswith("_") or not inspect.isfunction(function):
            continue
        # Names imported only for type checking are public, too.
        returned = get_type_hints(function, localns=vars(trio_rtc)).get("return")
        ours = {each.__name__ for each in classes_in(returned) if each.__module__.startswith("trio_rtc")}
        assert ours <= set(trio_rtc.__all__), member_name


def test_every_event_handler_of_the_webidl_is_in_the_table() -> None:
    handlers = {
        idl_name.removeprefix("on")
        for definition in DEFINITIONS.values()
        if definition.kind == "interface"
        for idl_name in definition.members
        if idl_name.startswith("on")
    }
    assert handlers == set(EVENT_NAMES)


def test_parser_merges_partial_definitions_and_overloads() -> None:
    parsed = parse(
        """
        // a comment; with a semicolon
        interface A : B { constructor(); readonly attribute unsigned short? maxCount; undefined send(C c); };
        callback F = undefined (A a);
        partial interface A { static Promise<D> send(sequence<E> e, optional G g = {}); attribute F onopen; };
        dictionary G { required (H or sequence<H>) urls; [EnforceRange] octet size = 0; sequence<H> list = []; };
        """
    )
    assert parsed["A"].members == ("maxCount", "send", "onopen")
    assert parsed["A"].parent == "B"
    assert parsed["G"].members == ("urls", "size", "list")


@pytest.mark.parametrize("text", ["interface A { what };", "namespace A { };", "interface A { attribute; }"])
def test_parser_rejects_unknown_syntax(text: str) -> None:
    with pytest.raises(ValueError, match="not understood"):
        parse(text)
