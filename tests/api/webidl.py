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
