"""A parser for the WebIDL of W3C's WebRTC interfaces: interfaces, dictionaries and enumerations with their members."""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

WEBIDL_FILES = sorted((Path(__file__).parents[1] / "data" / "webidl").glob("*.webidl"))

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_BLOCK = re.compile(
    r"(?:partial\s+)?(?P<kind>interface|dictionary|enum)\s+(?:mixin\s+)?(?P<name>\w+)(?:\s*:\s*(?P<parent>\w+))?"
    r"\s*\{(?P<body>[^}]*)\}\s*;"
    r"|(?:callback|typedef)\s+[^;]*;|\w+\s+includes\s+\w+\s*;"
)
_ATTRIBUTE = re.compile(r"(?:readonly\s+)?attribute\s+.*?(?P<name>\w+)", re.DOTALL)
_OPERATION = re.compile(r"(?:static\s+)?[^()]*?[\s>?](?P<name>\w+)\s*\(.*\)", re.DOTALL)
_FIELD = re.compile(r"(?:\[\w+\]\s*)?(?:required\s+)?.*?(?P<name>\w+)\s*(?:=[^=]*)?", re.DOTALL)
_EXTENDED_ATTRIBUTES = re.compile(r"\[[^\[\]]+\]\s*")
_ENUM_VALUE = re.compile(r'"(?P<name>[^"]*)"')
_SPACE = re.compile(r"\s+|(?<=[()<>,])|(?=[()<>,])")
_ARGUMENTS = re.compile(
    r"(?:static\s+)?[\w<>?,\s]*?(?P<name>\w+)\s*\((?P<arguments>(?:[^()]|\([^()]*\))*)\)", re.DOTALL
)
_ARGUMENT = re.compile(
    r"(?P<optional>optional\s+)?(?P<type>.+?)(?P<variadic>\.\.\.)?\s+(?P<name>\w+)(?:\s*=\s*(?P<default>\S+))?",
    re.DOTALL,
)
_DEFAULT = re.compile(r".*\s(?P<name>\w+)\s*=\s*(?P<default>.+)", re.DOTALL)
_SEPARATOR = re.compile(r",(?![^<(]*[>)])")
_DEFAULT_DICTIONARY = re.compile(r"=\s*\{\}")


@attrs.frozen
class Definition:
    """An interface, dictionary or enumeration with its partial definitions merged.

    Attributes:
        kind: ``interface``, ``dictionary`` or ``enum``.
        name: Name of the definition.
        parent: Name of its base, or ``None``.
        members: Distinct names of its own members in order (operations may be overloaded); values of an enumeration.
    """

    kind: str
    name: str
    parent: str | None
    members: tuple[str, ...]


@attrs.frozen
class Argument:
    """An argument of an operation.

    Attributes:
        definition: Name of the interface.
        operation: Name of the operation.
        name: Name of the argument.
        type: Its type.
        optional: Whether it may be omitted.
        variadic: Whether it stands for any number of arguments.
    """

    definition: str
    operation: str
    name: str
    type: str
    optional: bool
    variadic: bool


def arguments(text: str) -> Iterator[Argument]:
    """Return the arguments of all operations of interfaces."""
    for definition, statement in _statements(text, "interface"):
        match = _ARGUMENTS.fullmatch(statement)
        if match is None or match["name"] == "constructor":
            continue
        for each in filter(None, map(str.strip, _SEPARATOR.split(match["arguments"]))):
            found = _ARGUMENT.fullmatch(each)
            if found is None:
                raise ValueError(f"not understood: {each!r}")
            yield Argument(
                definition,
                match["name"],
                found["name"],
                found["type"],
                found["optional"] is not None,
                found["variadic"] is not None,
            )


def defaults(text: str) -> Iterator[tuple[str, str, str]]:
    """Return dictionary, member and default value of all members of dictionaries that have one."""
    for definition, statement in _statements(text, "dictionary"):
        match = _DEFAULT.fullmatch(statement)
        if match is not None:
            yield definition, match["name"], match["default"].strip()


def declarations(text: str) -> set[tuple[str, str, str]]:
    """Return definition, name and text of all members, constructors and enumeration values.

    The text has neither extended attributes nor default dictionaries, and one space between tokens. A definition
    itself has an empty name and its base as the text.
    """
    found = set()
    for definition in parse(text).values():
        found.add((definition.name, "", f"{definition.kind} : {definition.parent}"))
        if definition.kind == "enum":
            found |= {(definition.name, value, "") for value in definition.members}
    for kind in ("interface", "dictionary"):
        for definition_name, statement in _statements(text, kind):
            if statement:
                name = next(_statement_names(kind, statement), "constructor")
                found.add((definition_name, name, " ".join(_SPACE.sub(" ", statement).split())))
    return found


def _without_noise(text: str) -> str:
    """Return the text without comments, default dictionaries and extended attributes."""
    return _EXTENDED_ATTRIBUTES.sub("", _DEFAULT_DICTIONARY.sub("", _COMMENT.sub("", text)))


def _statements(text: str, kind: str) -> Iterator[tuple[str, str]]:
    for block in _BLOCK.finditer(_without_noise(text)):
        if block["kind"] == kind:
            for raw in block["body"].split(";"):
                yield block["name"], raw.strip()


def parse(text: str) -> dict[str, Definition]:
    """Parse WebIDL.

    Raises:
        ValueError: It has unknown syntax.
    """
    text = _without_noise(text)
    rest = _BLOCK.sub("", text).strip()
    if rest:
        raise ValueError(f"not understood: {rest[:80]!r}")
    definitions: dict[str, Definition] = {}
    for block in _BLOCK.finditer(text):
        if block["kind"] is None:
            continue
        new = tuple(_member_names(block["kind"], block["body"]))
        known = definitions.get(block["name"])
        members = dict.fromkeys((known.members if known else ()) + new)
        parent = block["parent"] or (known.parent if known else None)
        definitions[block["name"]] = Definition(block["kind"], block["name"], parent, tuple(members))
    return definitions


def _member_names(kind: str, body: str) -> Iterator[str]:
    if kind == "enum":
        yield from _ENUM_VALUE.findall(body)
        return
    for raw in body.split(";"):
        yield from _statement_names(kind, raw.strip())


def _statement_names(kind: str, statement: str) -> Iterator[str]:
    """Return the name of the member that a statement declares; nothing for a constructor or a map-like interface."""
    if not statement or statement.startswith(("constructor", "readonly maplike")):
        return
    forms = (_FIELD,) if kind == "dictionary" else (_ATTRIBUTE, _OPERATION)
    match = next((match for form in forms if (match := form.fullmatch(statement))), None)
    if match is None:
        raise ValueError(f"not understood: {statement!r}")
    yield match["name"]
