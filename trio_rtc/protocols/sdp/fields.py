"""The lines that give a description its shape (RFC 8866 sections 5 and 9).

RFC 9429 section 5.8.1 asks for a syntax check of every line, those included whose value JSEP has no use for. Cameras
and gateways break the grammar of exactly these, so only their form is checked: the number of words of ``o=`` and
``t=``. The values of the other lines are not checked at all. Each function raises ``ProtocolError``.
"""

import re

from trio_rtc.errors import ProtocolError

from .description import MediaDescription, Origin
from .grammar import integer, token, words

# Section 9: non-ws-string.
_NO_WHITE_SPACE = re.compile(r"[!-~\x80-\U0010FFFF]+")


def parse_origin(value: str) -> Origin:
    """``o=``, section 5.2."""
    parts = words(value, "origin", minimum=6)
    if len(parts) != 6:
        raise ProtocolError("origin needs six words")
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
    """``m=``, section 5.14."""
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
    """``t=``, section 5.9: two words, whatever they say."""
    if len(words(value, "time", minimum=2)) != 2:
        raise ProtocolError("time needs two words")


def _visible(text: str, what: str) -> str:
    if _NO_WHITE_SPACE.fullmatch(text) is None:
        raise ProtocolError(f"{what} has white space or control characters")
    return text


def _number_or_text(text: str) -> int | str:
    is_plain = text.isascii() and text.isdigit() and len(text) <= 20 and (text[0] != "0" or text == "0")
    return int(text) if is_plain else text
