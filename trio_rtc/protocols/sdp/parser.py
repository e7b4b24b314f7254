"""The SDP parser: text to tree, in the grammar of RFC 8866 with the checks of RFC 9429 section 5.8.

The text is parsed line by line. ``v=``, ``o=`` and ``s=`` must come first and in this order (RFC 9429 section 5.8.1);
each ``m=`` begins a media section; every other line belongs to the current section.

A malformed attribute is an error only where JSEP needs it: ``_NEEDED_*`` below, at session level and in sections that
may be accepted. Other malformed lines, including attributes that only describe media (``rtcp-fb``, ``extmap``,
``ssrc``), are kept but ignored, and listed in ``SessionDescription.ignored``. So are lines of an unknown or misplaced
type. Sections that are rejected or of an unsupported kind are not checked.

Deviations from RFC 8866, all for interoperability: lines may end with LF alone, blank lines at the end are ignored,
white space may trail a line or be repeated within it, ``s=`` may be empty, ``t=`` may be missing, and lines within a
section may have any order.
"""

import re
from collections.abc import Iterable, Iterator

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .description import (
    Attribute,
    Field,
    IgnoredLine,
    MediaDescription,
    Origin,
    SessionDescription,
    make_attribute,
)
from .errors import SdpSyntaxError
from .fields import check_time, parse_media_line, parse_origin
from .grammar import BLANKS
from .options import SdpOptions
from .values import VALUE_PARSERS
from .views import is_data_section, is_rejected_offer, is_rtp_section

_FORBIDDEN = re.compile("[\0\ud800-\udfff]|\r(?!\n)")
_SESSION_FIELDS = frozenset("iuepcbtrzk")
_MEDIA_FIELDS = frozenset("icbk")
# Attributes that decide whether and over which transport a section works. Transport attributes are inherited from
# the session level; a=group exists only there.
_NEEDED_TRANSPORT = frozenset({"group", "ice-ufrag", "ice-pwd", "ice-options", "setup"})
_NEEDED_MEDIA = _NEEDED_TRANSPORT | {"mid"}
_NEEDED_DATA = _NEEDED_MEDIA | {"sctp-port", "max-message-size", "sctpmap"}
_DEFAULT_OPTIONS = SdpOptions()


def parse(text: str, options: SdpOptions = _DEFAULT_OPTIONS) -> SessionDescription:
    """Parse a session description.

    Args:
        text: The description; lines end with CRLF or LF.
        options: Bounds of the description.

    Raises:
        SdpSyntaxError: The text is malformed or too large; the error has the line's number and text.
    """
    if len(text) > options.maximum_length:
        raise SdpSyntaxError(
            1, text[:80], f"text has {len(text)} characters, more than {options.maximum_length}"
        )
    text = text.rstrip("\r\n")
    lines = text.split("\n")
    if len(lines) > options.maximum_lines:
        raise SdpSyntaxError(options.maximum_lines + 1, "", f"more than {options.maximum_lines} lines")
    parser = _Parser(options, is_clean=_FORBIDDEN.search(text) is None)
    for number, raw in enumerate(lines, 1):
        line = raw.removesuffix("\r")
        try:
            parser.add_line(number, line)
        except ProtocolError as error:
            raise SdpSyntaxError(number, line, str(error)) from None
    description = parser.finish()
    if description is None:
        raise SdpSyntaxError(len(lines) + 1, "", "description ends before its o= or s= line")
    ignored = [*parser.ignored, *parser.check_attributes(description)]
    return attrs.evolve(description, ignored=tuple(sorted(ignored, key=lambda line: line.number)))


@attrs.define
class _OpenSection:
    """A section to which lines are still being added."""

    fields: list[Field] = attrs.Factory(list)
    attributes: list[Attribute] = attrs.Factory(list)
    line_numbers: list[int] = attrs.Factory(list)


@attrs.define
class _Parser:
    """The state of ``parse``: the sections so far. ``is_clean`` means that no line has forbidden characters."""

    _options: SdpOptions
    _is_clean: bool = attrs.field(kw_only=True)
    ignored: list[IgnoredLine] = attrs.field(factory=list, init=False)
    _origin: Origin | None = attrs.field(default=None, init=False)
    _name: str | None = attrs.field(default=None, init=False)
    _session: _OpenSection = attrs.field(factory=_OpenSection, init=False)
    _media_lines: list[MediaDescription] = attrs.field(factory=list, init=False)
    _media: list[_OpenSection] = attrs.field(factory=list, init=False)
    _formats: int = attrs.field(default=0, init=False)

    def add_line(self, number: int, line: str) -> None:
        """Add one line; raise ``ProtocolError`` if it is malformed."""
        if not self._is_clean and _FORBIDDEN.search(line) is not None:
            raise ProtocolError("line must not contain NUL, a lone carriage return or a lone surrogate")
        line_type, equals, value = line[:1], line[1:2], line[2:]
        if equals != "=":
            raise ProtocolError("line must begin with a letter and an equals sign")
        if number <= len(_PREAMBLE):
            self._add_preamble(_PREAMBLE[number - 1], line_type, value)
        elif line_type == "m":
            self._open_media(value)
        elif number > self._options.maximum_session_lines and not self._media:
            raise ProtocolError(
                f"more than {self._options.maximum_session_lines} lines before the first media section"
            )
        elif line_type == "a":
            name, colon, text = value.partition(":")
            section = self._section()
            section.attributes.append(make_attribute(name.strip(BLANKS), text if colon else None))
            section.line_numbers.append(number)
        else:
            self._add_field(number, line_type, value)

    def _add_preamble(self, expected: str, line_type: str, value: str) -> None:
        if line_type != expected:
            raise ProtocolError(f"expected a {expected}= line")
        if expected == "v" and value.rstrip(BLANKS) != "0":
            raise ProtocolError("version must be 0")
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
            self.ignored.append(IgnoredLine(number, f"{field_type}= is unknown or misplaced"))
        elif field_type == "t":
            check_time(value)
        elif field_type == "b" and field.bandwidth is None:
            self.ignored.append(IgnoredLine(number, "b= is malformed"))
        self._section().fields.append(field)

    def _section(self) -> _OpenSection:
        return self._media[-1] if self._media else self._session

    def finish(self) -> SessionDescription | None:
        """Return the tree, ``None`` if the text ended within its first three lines."""
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

    def check_attributes(self, description: SessionDescription) -> Iterator[IgnoredLine]:
        """Yield the malformed attributes that are ignored.

        Raises:
            SdpSyntaxError: A needed attribute is malformed.
        """
        yield from _check_section(self._session, _NEEDED_TRANSPORT)
        for media, section in zip(description.media, self._media, strict=True):
            is_data = is_data_section(media)
            if (is_data or is_rtp_section(media)) and not is_rejected_offer(media):
                yield from _check_section(section, _NEEDED_DATA if is_data else _NEEDED_MEDIA)
                _require_fingerprint(section, self._session)


_PREAMBLE = ("v", "o", "s")


def _check_section(section: _OpenSection, needed: Iterable[str]) -> Iterator[IgnoredLine]:
    for number, attribute in zip(section.line_numbers, section.attributes, strict=True):
        if attribute.parsed is not None or attribute.name not in VALUE_PARSERS:
            continue
        # An empty mid is equivalent to none: the section is identified by its index.
        is_empty_mid = attribute.name == "mid" and not (attribute.value or "").strip(BLANKS)
        if attribute.name in needed and not is_empty_mid:
            raise _syntax_error(number, attribute)
        yield IgnoredLine(number, f"a={attribute.name} is malformed")


def _require_fingerprint(media: _OpenSection, session: _OpenSection) -> None:
    """Reject a section whose own and inherited fingerprints are all malformed."""
    lines = [
        (number, each)
        for section in (media, session)
        for number, each in zip(section.line_numbers, section.attributes, strict=True)
        if each.name == "fingerprint"
    ]
    if lines and all(each.parsed is None for _, each in lines):
        raise _syntax_error(*lines[0])


def _syntax_error(number: int, attribute: Attribute) -> SdpSyntaxError:
    line = attribute.name if attribute.value is None else f"{attribute.name}:{attribute.value}"
    try:
        VALUE_PARSERS[attribute.name](attribute.value or "")
    except ProtocolError as error:
        reason = str(error)
    else:
        reason = f"{attribute.name} is malformed"
    return SdpSyntaxError(number, f"a={line}", reason)
