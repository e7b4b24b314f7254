"""From the text to the tree.

The text is walked line by line. ``v=``, ``o=`` and ``s=`` must come first and in this order (RFC 9429 section
5.8.1); every ``m=`` opens a section; any other line belongs to the section that is open. Every line is checked
against its grammar here, unknown attributes apart, while the line number is at hand, so that the views can rely on it.

Departures from the letter of RFC 8866, all towards what is in the field: lines may end with LF alone, blank
lines at the end are ignored, a missing ``t=`` is forgiven, and lines within a section may come in any order.
"""

import re

import attrs

from trio_rtc.errors import ProtocolError

from .description import Attribute, Field, MediaDescription, Origin, SessionDescription
from .errors import SdpSyntaxError
from .fields import FIELD_CHECKS, check_text, parse_media_line, parse_origin
from .grammar import token
from .options import SdpOptions
from .values import VALUE_PARSERS

_FORBIDDEN = re.compile("[\0\r\ud800-\udfff]")
_SESSION_FIELDS = frozenset("iuepcbtrzk")
_MEDIA_FIELDS = frozenset("icbk")
# RFC 8866 section 9. A media section may name several connections.
_SINGLE_SESSION_FIELDS = frozenset("iuck")
_SINGLE_MEDIA_FIELDS = frozenset("ik")
_DEFAULT_OPTIONS = SdpOptions()


def parse(text: str, options: SdpOptions = _DEFAULT_OPTIONS) -> SessionDescription:
    """Parse a session description.

    Args:
        text: The description, its lines ended by CRLF or LF.
        options: Bounds of what is accepted.

    Raises:
        SdpSyntaxError: The text is malformed or too large; carries the line's number and content.
    """
    if len(text) > options.maximum_length:
        raise SdpSyntaxError(1, text[:80], f"text is longer than {options.maximum_length} characters")
    lines = text.rstrip("\r\n").split("\n")
    if len(lines) > options.maximum_lines:
        raise SdpSyntaxError(options.maximum_lines + 1, "", f"more than {options.maximum_lines} lines")
    parser = _Parser(options)
    for number, raw in enumerate(lines, 1):
        line = raw.removesuffix("\r")
        try:
            parser.take(number, line)
        except SdpSyntaxError:
            raise
        except ProtocolError as error:
            raise SdpSyntaxError(number, line, str(error)) from None
    description = parser.finish()
    if description is None:
        raise SdpSyntaxError(len(lines) + 1, "", "description ends before its o= or s= line")
    return description


@attrs.define
class _OpenSection:
    """The section that lines are being added to."""

    fields: list[Field] = attrs.Factory(list)
    attributes: list[Attribute] = attrs.Factory(list)


@attrs.define
class _Parser:
    _options: SdpOptions
    _origin: Origin | None = attrs.field(default=None, init=False)
    _name: str | None = attrs.field(default=None, init=False)
    _session: _OpenSection = attrs.field(factory=_OpenSection, init=False)
    _media_lines: list[MediaDescription] = attrs.field(factory=list, init=False)
    _media: list[_OpenSection] = attrs.field(factory=list, init=False)

    def take(self, number: int, line: str) -> None:
        """Add one line; raises ``ProtocolError`` saying what is wrong with it."""
        if _FORBIDDEN.search(line) is not None:
            raise ProtocolError("line contains NUL, a lone carriage return or a lone surrogate")
        line_type, equals, value = line[:1], line[1:2], line[2:]
        if equals != "=":
            raise ProtocolError("line does not begin with a letter and an equals sign")
        if number <= len(_PREAMBLE):
            self._take_preamble(_PREAMBLE[number - 1], line_type, value)
        elif line_type == "m":
            self._open_media(value)
        elif number > self._options.maximum_session_lines and not self._media:
            raise ProtocolError(
                f"more than {self._options.maximum_session_lines} lines before the first section"
            )
        elif line_type == "a":
            self._take_attribute(value)
        else:
            self._take_field(line_type, value)

    def _take_preamble(self, expected: str, line_type: str, value: str) -> None:
        if line_type != expected:
            raise ProtocolError(f"{expected}= line expected")
        if expected == "v" and value != "0":
            raise ProtocolError("version is not 0")
        if expected == "o":
            self._origin = parse_origin(value)
        elif expected == "s":
            check_text(value)
            self._name = value

    def _open_media(self, value: str) -> None:
        if len(self._media) >= self._options.maximum_sections:
            raise ProtocolError(f"more than {self._options.maximum_sections} media sections")
        self._media_lines.append(parse_media_line(value))
        self._media.append(_OpenSection())

    def _take_attribute(self, text: str) -> None:
        name, colon, value = text.partition(":")
        token(name, "attribute name")
        value_parser = VALUE_PARSERS.get(name)
        if value_parser is not None:
            value_parser(value)
        self._section().attributes.append(Attribute(name, value if colon else None))

    def _take_field(self, field_type: str, value: str) -> None:
        if field_type not in (_MEDIA_FIELDS if self._media else _SESSION_FIELDS):
            raise ProtocolError("line of this type does not belong here")
        FIELD_CHECKS[field_type](value)
        fields = self._section().fields
        single = _SINGLE_MEDIA_FIELDS if self._media else _SINGLE_SESSION_FIELDS
        if field_type in single and any(field.type == field_type for field in fields):
            raise ProtocolError("section has a line of this type already")
        fields.append(Field(field_type, value))

    def _section(self) -> _OpenSection:
        return self._media[-1] if self._media else self._session

    def finish(self) -> SessionDescription | None:
        """Return the tree, ``None`` if its first three lines have not all come."""
        if self._origin is None or self._name is None:
            return None
        media = tuple(
            attrs.evolve(line, fields=tuple(section.fields), attributes=tuple(section.attributes))
            for line, section in zip(self._media_lines, self._media, strict=True)
        )
        session = self._session
        return SessionDescription(
            self._origin, self._name, tuple(session.fields), tuple(session.attributes), media
        )


_PREAMBLE = ("v", "o", "s")
