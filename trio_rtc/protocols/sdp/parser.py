"""From the text to the tree.

The text is walked line by line. ``v=``, ``o=`` and ``s=`` must come first and in this order (RFC 9429 section
5.8.1); every ``m=`` opens a section; any other line belongs to the section that is open.

A malformed attribute is an error only where JSEP needs it: ``_NEEDED`` below, in the session part and in sections
that may be accepted. Everywhere else, and in whatever only describes media (``rtcp-fb``, ``extmap``, ``ssrc``), the
line is kept, ignored and noted in ``SessionDescription.ignored``. Lines of a type that is unknown or does not belong
where it stands are treated the same. Sections that are rejected, or of a kind that is never used here, are not
looked into.

Departures from the letter of RFC 8866, all towards what is in the field: lines may end with LF alone, blank
lines at the end are ignored, white space may stand at the end of a line and be doubled within it, ``s=`` may be
empty, a missing ``t=`` is forgiven, and lines within a section may come in any order.
"""

import re
from collections.abc import Iterable, Iterator

import attrs

from trio_rtc.errors import ProtocolError

from .description import (
    Attribute,
    Field,
    IgnoredLine,
    MediaDescription,
    Origin,
    Section,
    SessionDescription,
)
from .errors import SdpSyntaxError
from .fields import check_time, parse_media_line, parse_origin
from .grammar import BLANKS
from .options import SdpOptions
from .values import VALUE_PARSERS
from .views import is_data_section, is_rejected_offer, is_rtp_section

_FORBIDDEN = re.compile("[\0\r\ud800-\udfff]")
_SESSION_FIELDS = frozenset("iuepcbtrzk")
_MEDIA_FIELDS = frozenset("icbk")
# What decides whether and over which transport a section works. The transport's own attributes are inherited from
# the session; a group stands only there.
_NEEDED_TRANSPORT = frozenset({"group", "ice-ufrag", "ice-pwd", "ice-options", "setup"})
_NEEDED_MEDIA = _NEEDED_TRANSPORT | {"mid"}
_NEEDED_DATA = _NEEDED_MEDIA | {"sctp-port", "max-message-size", "sctpmap"}
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
            parser.add_line(number, line)
        except ProtocolError as error:
            raise SdpSyntaxError(number, line, str(error)) from None
    description = parser.finish()
    if description is None:
        raise SdpSyntaxError(len(lines) + 1, "", "description ends before its o= or s= line")
    ignored = [*parser.ignored, *_judge(description)]
    return attrs.evolve(description, ignored=tuple(sorted(ignored, key=lambda line: line.number)))


@attrs.define
class _OpenSection:
    """The section that lines are being added to."""

    fields: list[Field] = attrs.Factory(list)
    attributes: list[Attribute] = attrs.Factory(list)


@attrs.define
class _Parser:
    _options: SdpOptions
    ignored: list[IgnoredLine] = attrs.field(factory=list, init=False)
    _origin: Origin | None = attrs.field(default=None, init=False)
    _name: str | None = attrs.field(default=None, init=False)
    _session: _OpenSection = attrs.field(factory=_OpenSection, init=False)
    _media_lines: list[MediaDescription] = attrs.field(factory=list, init=False)
    _media: list[_OpenSection] = attrs.field(factory=list, init=False)
    _formats: int = attrs.field(default=0, init=False)

    def add_line(self, number: int, line: str) -> None:
        """Add one line; raises ``ProtocolError`` saying what is wrong with it."""
        if _FORBIDDEN.search(line) is not None:
            raise ProtocolError("line contains NUL, a lone carriage return or a lone surrogate")
        line_type, equals, value = line[:1], line[1:2], line[2:]
        if equals != "=":
            raise ProtocolError("line does not begin with a letter and an equals sign")
        if number <= len(_PREAMBLE):
            self._add_preamble(_PREAMBLE[number - 1], line_type, value)
        elif line_type == "m":
            self._open_media(value)
        elif number > self._options.maximum_session_lines and not self._media:
            raise ProtocolError(
                f"more than {self._options.maximum_session_lines} lines before the first section"
            )
        elif line_type == "a":
            name, colon, text = value.partition(":")
            attribute = Attribute(name.strip(BLANKS), text if colon else None, number)
            self._section().attributes.append(attribute)
        else:
            self._add_field(number, line_type, value)

    def _add_preamble(self, expected: str, line_type: str, value: str) -> None:
        if line_type != expected:
            raise ProtocolError(f"{expected}= line expected")
        if expected == "v" and value.rstrip(BLANKS) != "0":
            raise ProtocolError("version is not 0")
        if expected == "o":
            self._origin = parse_origin(value)
        elif expected == "s":
            self._name = value

    def _open_media(self, value: str) -> None:
        if len(self._media) >= self._options.maximum_sections:
            raise ProtocolError(f"more than {self._options.maximum_sections} media sections")
        media = parse_media_line(value)
        self._formats += len(media.formats)
        if self._formats > self._options.maximum_formats:
            raise ProtocolError(f"more than {self._options.maximum_formats} formats in all media sections")
        self._media_lines.append(media)
        self._media.append(_OpenSection())

    def _add_field(self, number: int, field_type: str, value: str) -> None:
        field = Field(field_type, value)
        if field_type not in (_MEDIA_FIELDS if self._media else _SESSION_FIELDS):
            self.ignored.append(IgnoredLine(number, f"{field_type}= line is unknown or does not belong here"))
        elif field_type == "t":
            check_time(value)
        elif field_type == "b" and field.bandwidth is None:
            self.ignored.append(IgnoredLine(number, "b= is malformed"))
        self._section().fields.append(field)

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


def _judge(description: SessionDescription) -> Iterator[IgnoredLine]:
    """Yield the malformed attributes that are ignored.

    Raises:
        SdpSyntaxError: A malformed attribute is needed.
    """
    yield from _judge_section(description, _NEEDED_TRANSPORT)
    for media in description.media:
        is_data = is_data_section(media)
        if (is_data or is_rtp_section(media)) and not is_rejected_offer(media):
            yield from _judge_section(media, _NEEDED_DATA if is_data else _NEEDED_MEDIA)
            _require_fingerprint(media, description)


def _judge_section(section: Section, needed: Iterable[str]) -> Iterator[IgnoredLine]:
    for attribute in section.attributes:
        if attribute.name not in VALUE_PARSERS or attribute.parsed is not None:
            continue
        reason = f"a={attribute.name} is malformed"
        # An empty mid says as much as none: the section is known by its place.
        is_empty_mid = attribute.name == "mid" and not (attribute.value or "").strip(BLANKS)
        if attribute.name in needed and not is_empty_mid:
            raise _syntax_error(attribute)
        yield IgnoredLine(attribute.line_number or 0, reason)


def _require_fingerprint(media: MediaDescription, description: SessionDescription) -> None:
    """Refuse a section that has fingerprints, or inherits them, of which none can be read."""
    lines = [*media.by_name.get("fingerprint", ()), *description.by_name.get("fingerprint", ())]
    if lines and all(each.parsed is None for each in lines):
        raise _syntax_error(lines[0])


def _syntax_error(attribute: Attribute) -> SdpSyntaxError:
    line = attribute.name if attribute.value is None else f"{attribute.name}:{attribute.value}"
    try:
        VALUE_PARSERS[attribute.name](attribute.value or "")
    except ProtocolError as error:
        reason = str(error)
    else:
        reason = f"{attribute.name} is malformed"
    return SdpSyntaxError(attribute.line_number or 0, f"a={line}", reason)
