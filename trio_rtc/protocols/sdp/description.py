"""Session descriptions as trees: a session-level section and media sections, each with fields and attributes.

Values are kept as written. :mod:`.values` implements the grammar of each attribute, applied at the first access;
:mod:`.views` computes what JSEP needs from a section. Parsed attributes and views are cached in the description,
because an offer/answer exchange reads the same views a dozen times.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .grammar import BLANKS
from .values import VALUE_PARSERS, Bandwidth

_T = TypeVar("_T")
_UNPARSED = object()
# The attributes that most descriptions have in common, none of them secret.
_SHARED_NAMES = frozenset(
    {
        "extmap",
        "fmtp",
        "ice-options",
        "max-message-size",
        "mid",
        "rtcp",
        "rtcp-fb",
        "rtpmap",
        "sctp-port",
        "setup",
    }
)
_SHARED_LENGTH = 256


@attrs.frozen
class Attribute:
    """An ``a=`` line.

    Attributes:
        name: The text before the colon.
        value: The text after the colon, ``None`` for a property (``a=rtcp-mux``).
    """

    name: str
    value: str | None = None
    _parsed: object = attrs.field(default=_UNPARSED, init=False, eq=False, repr=False)

    @property
    def parsed(self) -> object:
        """The value parsed by the attribute's grammar; ``None`` if it is malformed or the grammar is unknown."""
        if self._parsed is _UNPARSED:
            parser = VALUE_PARSERS.get(self.name)
            try:
                parsed = None if parser is None else parser(self.value or "")
            except ProtocolError:
                parsed = None
            object.__setattr__(self, "_parsed", parsed)
        return self._parsed


def make_attribute(name: str, value: str | None = None) -> Attribute:
    """Return an attribute; equal ones that most descriptions have are the same object, which is parsed only once.

    Up to 1,024 attributes of at most 256 characters are kept.
    """
    if name in _SHARED_NAMES and value is not None and len(value) <= _SHARED_LENGTH:
        return _shared_attribute(name, value)
    return Attribute(name, value)


_shared_attribute = functools.lru_cache(maxsize=1024)(Attribute)


@attrs.frozen
class Field:
    """A line other than ``v=``, ``o=``, ``s=``, ``m=`` and ``a=``; for example ``c=``, ``b=`` or ``t=``."""

    type: str
    value: str

    @functools.cached_property
    def bandwidth(self) -> Bandwidth | None:
        """The parsed value of a ``b=`` line; ``None`` if it is malformed or another line."""
        try:
            return Bandwidth.parse(self.value) if self.type == "b" else None
        except ProtocolError:
            return None


@attrs.frozen
class IgnoredLine:
    """A line that is unknown or malformed and not needed: its number, counted from 1, and the reason."""

    number: int
    reason: str


@attrs.frozen
class Origin:
    """The ``o=`` line, RFC 8866 section 5.2.

    A peer's values are not interpreted. ``session_id`` is kept as text, since peers write numbers of more than 64 bits,
    and some cameras a sign or hexadecimal digits. A ``session_version`` that is not a number is kept as text, too.
    """

    username: str
    session_id: str
    session_version: int | str
    network_type: str
    address_type: str
    address: str


@attrs.frozen
class MediaDescription:
    """A media section: its ``m=`` line, RFC 8866 section 5.14, and the lines after it.

    ``port_count`` is the number after the slash in ``m=video 49170/2``; WebRTC never uses it.
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
        """The attributes by name, each list in order."""
        return _by_name(self.attributes)


@attrs.frozen
class SessionDescription:
    """A session description. ``version`` (``v=``) is always 0 and not kept.

    ``ignored`` lists the unknown or malformed lines that the parser accepted because they are not needed.
    """

    origin: Origin
    name: str = "-"
    fields: tuple[Field, ...] = (Field("t", "0 0"),)
    attributes: tuple[Attribute, ...] = ()
    media: tuple[MediaDescription, ...] = ()
    ignored: tuple[IgnoredLine, ...] = attrs.field(default=(), eq=False, repr=False)

    @functools.cached_property
    def by_name(self) -> Mapping[str, Sequence[Attribute]]:
        """The session-level attributes by name, each list in order."""
        return _by_name(self.attributes)

    @functools.cached_property
    def views(self) -> dict[tuple[object, int], Any]:
        """The cache of ``view``, by function and index of the section."""
        return {}


def view(compute: Callable[[SessionDescription, int], _T], description: SessionDescription, index: int) -> _T:
    """Return the result of a function for the section at ``index``, computed once per description."""
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
    """Yield the value of every attribute ``name`` in order, stripped of blanks; a property yields ``""``."""
    for attribute in section.by_name.get(name, ()):
        yield (attribute.value or "").strip(BLANKS)


def parsed_values(section: Section, name: str, kind: type[_T]) -> tuple[_T, ...]:
    """Return the parsed values of all well-formed attributes ``name`` of a section, in order."""
    attributes = section.by_name.get(name)
    if attributes is None:
        return ()
    return tuple([parsed for each in attributes if isinstance(parsed := each.parsed, kind)])


def parsed_value(section: Section, name: str, kind: type[_T]) -> _T | None:
    """Return the parsed value of the first well-formed attribute ``name``, ``None`` without one."""
    for attribute in section.by_name.get(name, ()):
        if isinstance(parsed := attribute.parsed, kind):
            return parsed
    return None


def attribute_value(section: Section, name: str) -> str | None:
    """Return the value of the first attribute ``name``, ``""`` for a property, ``None`` if there is none."""
    return next(attribute_values(section, name), None)


def has_attribute(section: Section, name: str) -> bool:
    """Return whether a section has an attribute ``name``."""
    return name in section.by_name


def field_value(section: Section, field_type: str) -> str | None:
    """Return the value of the first field of a type (``"c"``), ``None`` if there is none."""
    return next((field.value.strip(BLANKS) for field in section.fields if field.type == field_type), None)
