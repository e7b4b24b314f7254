"""The description as a tree: a session part and its media sections, each a list of fields and attributes.

Values are kept as written. :mod:`.values` has the grammar of each attribute, which is applied when an attribute is
first looked at and then kept; :mod:`.views` has what JSEP asks of a section. What is computed from a whole section is
kept, too: a description owns its parse, because an exchange asks for the same views a dozen times.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import attrs

from trio_rtc.errors import ProtocolError

from .grammar import BLANKS
from .values import VALUE_PARSERS, Bandwidth

_T = TypeVar("_T")


@attrs.frozen
class Attribute:
    """An ``a=`` line. ``value`` is ``None`` for a property (``a=rtcp-mux``), else what follows the colon.

    ``line_number`` is where it stands in the text that it was parsed from.
    """

    name: str
    value: str | None = None
    line_number: int | None = attrs.field(default=None, eq=False, repr=False)

    @functools.cached_property
    def parsed(self) -> object:
        """The value by the grammar of its attribute, ``None`` if it is malformed or the attribute has no grammar."""
        parser = VALUE_PARSERS.get(self.name)
        if parser is None:
            return None
        try:
            return parser(self.value or "")
        except ProtocolError:
            return None


@attrs.frozen
class Field:
    """Any line that is neither an attribute nor one that gives a section its shape: ``c=``, ``b=``, ``t=``."""

    type: str
    value: str

    @functools.cached_property
    def bandwidth(self) -> Bandwidth | None:
        """What a ``b=`` line says, ``None`` if it is malformed or another line."""
        try:
            return Bandwidth.parse(self.value) if self.type == "b" else None
        except ProtocolError:
            return None


@attrs.frozen
class IgnoredLine:
    """A line that has no meaning here or a malformed value that is not needed: its number, from 1, and the reason."""

    number: int
    reason: str


@attrs.frozen
class Origin:
    """The ``o=`` line, RFC 8866 section 5.2.

    Nothing depends on a peer's. ``session_id`` is kept as written: digits, often more than 64 bits allow, and of some
    cameras a sign or hexadecimal. So is a ``session_version`` that is no number.
    """

    username: str
    session_id: str
    session_version: int | str
    network_type: str
    address_type: str
    address: str


@attrs.frozen
class MediaDescription:
    """A media section: its ``m=`` line, RFC 8866 section 5.14, and what follows it.

    ``port_count`` is the number behind the slash of ``m=video 49170/2``; WebRTC never uses it.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    fields: tuple[Field, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    port_count: int = 1

    @functools.cached_property
    def by_name(self) -> Mapping[str, Sequence[Attribute]]:
        """The attributes by their names, each in order."""
        return _by_name(self.attributes)


@attrs.frozen
class SessionDescription:
    """A whole description. ``version`` (``v=``) is always 0 and therefore not kept.

    ``ignored`` has the malformed lines that the parser accepted because nothing depends on them.
    """

    origin: Origin
    name: str = "-"
    fields: tuple[Field, ...] = (Field("t", "0 0"),)
    attributes: tuple[Attribute, ...] = ()
    media: tuple[MediaDescription, ...] = ()
    ignored: tuple[IgnoredLine, ...] = attrs.field(default=(), eq=False, repr=False)

    @functools.cached_property
    def by_name(self) -> Mapping[str, Sequence[Attribute]]:
        """The attributes of the session part by their names, each in order."""
        return _by_name(self.attributes)

    @functools.cached_property
    def views(self) -> dict[tuple[object, int], Any]:
        """What ``view`` has computed: by the function, and the index of the section."""
        return {}


def view(compute: Callable[[SessionDescription, int], _T], description: SessionDescription, index: int) -> _T:
    """Return what a function computes of the section at ``index``, computed once in the life of a description."""
    key = (compute, index)
    try:
        return cast(_T, description.views[key])
    except KeyError:
        computed = description.views[key] = compute(description, index)
        return computed


def _by_name(attributes: Iterable[Attribute]) -> Mapping[str, Sequence[Attribute]]:
    named: dict[str, list[Attribute]] = {}
    for attribute in attributes:
        named.setdefault(attribute.name, []).append(attribute)
    return named


Section = SessionDescription | MediaDescription


def attribute_values(section: Section, name: str) -> Iterator[str]:
    """Yield the value of every attribute ``name`` without blanks around it, in order; a property yields ``""``."""
    for attribute in section.by_name.get(name, ()):
        yield (attribute.value or "").strip(BLANKS)


def parsed_values(section: Section, name: str, kind: type[_T]) -> Iterator[_T]:
    """Yield what every well-formed attribute ``name`` of a section says, in order."""
    for attribute in section.by_name.get(name, ()):
        if isinstance(attribute.parsed, kind):
            yield attribute.parsed


def parsed_value(section: Section, name: str, kind: type[_T]) -> _T | None:
    """Return what the first well-formed attribute ``name`` says, ``None`` if there is none."""
    return next(parsed_values(section, name, kind), None)


def attribute_value(section: Section, name: str) -> str | None:
    """Return the value of the first attribute ``name``, ``""`` for a property, ``None`` if there is none."""
    return next(attribute_values(section, name), None)


def has_attribute(section: Section, name: str) -> bool:
    """Return whether the section carries the attribute."""
    return name in section.by_name


def field_value(section: Section, field_type: str) -> str | None:
    """Return the value of the first field of a type (``"c"``), ``None`` if there is none."""
    return next((field.value.strip(BLANKS) for field in section.fields if field.type == field_type), None)
