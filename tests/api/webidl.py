"""A parser for the WebIDL of W3C's WebRTC interfaces: names of interfaces, dictionaries and members."""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

WEBIDL_FILES = sorted((Path(__file__).parents[1] / "data" / "webidl").glob("*.webidl"))

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_BLOCK = re.compile(
    r"(?:partial\s+)?(?P<kind>interface|dictionary)\s+(?P<name>\w+)(?:\s*:\s*(?P<parent>\w+))?\s*\{(?P<body>[^}]*)\}\s*;"
    r"|callback\s+[^;]*;"
)
_ATTRIBUTE = re.compile(r"(?:readonly\s+)?attribute\s+.*?(?P<name>\w+)", re.DOTALL)
_OPERATION = re.compile(r"(?:static\s+)?[^()]*?[\s>?](?P<name>\w+)\s*\(.*\)", re.DOTALL)
_FIELD = re.compile(r"(?:\[\w+\]\s*)?(?:required\s+)?.*?(?P<name>\w+)\s*(?:=[^=]*)?", re.DOTALL)
_EXTENDED_ATTRIBUTE = re.compile(r"^\s*\[\w+\]\s*")
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
    """An interface or dictionary with its partial definitions merged.

    Attributes:
        kind: ``interface`` or ``dictionary``.
        name: Name of the definition.
        parent: Name of its base, or ``None``.
        members: Distinct names of its own members in order (operations may be overloaded).
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


def _statements(text: str, kind: str) -> Iterator[tuple[str, str]]:
    for block in _BLOCK.finditer(_DEFAULT_DICTIONARY.sub("", _COMMENT.sub("", text))):
        if block["kind"] == kind:
            for raw in block["body"].split(";"):
                yield block["name"], _EXTENDED_ATTRIBUTE.sub("", raw).strip()


def parse(text: str) -> dict[str, Definition]:
    """Parse WebIDL.

    Raises:
        ValueError: It has unknown syntax.
    """
    text = _DEFAULT_DICTIONARY.sub("", _COMMENT.sub("", text))
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
    for raw in body.split(";"):
        statement = _EXTENDED_ATTRIBUTE.sub("", raw).strip()
        if not statement or statement.startswith("constructor"):
            continue
        forms = (_FIELD,) if kind == "dictionary" else (_ATTRIBUTE, _OPERATION)
        match = next((match for form in forms if (match := form.fullmatch(statement))), None)
        if match is None:
            raise ValueError(f"not understood: {statement!r}")
        yield match["name"]
