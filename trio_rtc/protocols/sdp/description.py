"""The description as a tree: a session part and its media sections, each a list of fields and attributes.

Nothing is interpreted here. What an attribute means is told by :mod:`.values` (its grammar) and
:mod:`.views` (what JSEP asks of a section).
"""

from collections.abc import Iterator

import attrs


@attrs.frozen
class Attribute:
    """An ``a=`` line. ``value`` is ``None`` for a property (``a=rtcp-mux``), else what follows the colon."""

    name: str
    value: str | None = None


@attrs.frozen
class Field:
    """Any line that is neither an attribute nor one that gives a section its shape: ``c=``, ``b=``, ``t=``."""

    type: str
    value: str


@attrs.frozen
class Origin:
    """The ``o=`` line, RFC 8866 section 5.2.

    ``session_id`` is kept as written: it is an opaque string of digits, often longer than 64 bits allow.
    """

    username: str
    session_id: str
    session_version: int
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


@attrs.frozen
class SessionDescription:
    """A whole description. ``version`` (``v=``) is always 0 and therefore not kept."""

    origin: Origin
    name: str = "-"
    fields: tuple[Field, ...] = (Field("t", "0 0"),)
    attributes: tuple[Attribute, ...] = ()
    media: tuple[MediaDescription, ...] = ()


Section = SessionDescription | MediaDescription


def attribute_values(section: Section, name: str) -> Iterator[str]:
    """Yield the value of every attribute ``name`` of a section, in order; a property yields ``""``."""
    for attribute in section.attributes:
        if attribute.name == name:
            yield attribute.value or ""


def attribute_value(section: Section, name: str) -> str | None:
    """Return the value of the first attribute ``name``, ``""`` for a property, ``None`` if there is none."""
    return next(attribute_values(section, name), None)


def has_attribute(section: Section, name: str) -> bool:
    """Return whether the section carries the attribute."""
    return attribute_value(section, name) is not None


def field_value(section: Section, field_type: str) -> str | None:
    """Return the value of the first field of a type (``"c"``), ``None`` if there is none."""
    return next((field.value for field in section.fields if field.type == field_type), None)
