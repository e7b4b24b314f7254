"""Parsers of the ``o=``, ``m=`` and ``t=`` lines (RFC 8866 sections 5 and 9).

RFC 9429 section 5.8.1 requires a syntax check of every line, even of values that JSEP does not use. Cameras and
gateways violate exactly these grammars, so only the number of words of ``o=`` and ``t=`` is checked; the values of all
other lines except ``b=`` are ignored. Each function raises ``ProtocolError``.
"""

import re

from trio_rtc.errors import ProtocolError

from .description import MediaDescription, Origin
from .grammar import integer, token, words

# Section 9: non-ws-string.
_NO_WHITE_SPACE = re.compile(r"[^\x00-\x20\x7F]+")


def parse_origin(value: str) -> Origin:
    """Parse ``o=``, section 5.2."""
    parts = words(value, "origin", minimum=6)
    if len(parts) != 6:
        raise ProtocolError(f"origin must have 6 words, not {len(parts)}")
    username, session_id, session_version, network_type, address_type, address = parts
    return Origin(
        username=_visible(username, "user name"),
        session_id=_visible(session_id, "session id"),
        session_version=_number_or_text(_visible(session_version, "session version")),
        network_type=token(network_type, "network type"),
        address_type=token(address_type, "address type"),
        address=_visible(address, "address"),
    )


def parse_media_line(value: str) -> MediaDescription:
    """Parse ``m=``, section 5.14."""
    kind, port, protocol, *formats = words(value, "media line", minimum=4)
    number, slash, count = port.partition("/")
    return MediaDescription(
        kind=token(kind, "media type"),
        port=integer(number, "port", maximum=65535),
        protocol="/".join(token(part, "protocol") for part in protocol.split("/")),
        formats=tuple(token(media_format, "format") for media_format in formats),
        port_count=integer(count, "number of ports", minimum=1, maximum=65535) if slash else 1,
    )


def check_time(value: str) -> None:
    """Check that ``t=``, section 5.9, has two words; their values are ignored."""
    if (count := len(words(value, "time", minimum=2))) != 2:
        raise ProtocolError(f"time must have 2 words, not {count}")


def _visible(text: str, name: str) -> str:
    if _NO_WHITE_SPACE.fullmatch(text) is None:
        raise ProtocolError(f"{name} must not contain control characters")
    return text


def _number_or_text(text: str) -> int | str:
    is_plain = text.isascii() and text.isdigit() and len(text) <= 20 and (text[0] != "0" or text == "0")
    return int(text) if is_plain else text
