"""What the lines look like that are no attributes (RFC 8866 sections 5 and 9).

JSEP wants their syntax checked even where it has no use for their value (RFC 9429 section 5.8.1). Each function
raises ``ProtocolError`` for a value that the grammar of its line does not know. E-mail addresses, telephone numbers
and keys are taken as any text: nothing here reads them, and ``k=`` has no meaning any more (section 5.12).
"""

import re
from collections.abc import Callable, Mapping

from trio_rtc.errors import ProtocolError

from .description import MediaDescription, Origin
from .grammar import integer, token, words
from .values import Bandwidth

# Section 9: non-ws-string, time, typed-time and repeat-interval.
_NO_WHITE_SPACE = re.compile(r"[!-~\x80-\U0010FFFF]+")
_TIME = re.compile(r"0|[1-9][0-9]{9,19}")
_DURATION = re.compile(r"[0-9]{1,20}[dhms]?")
_INTERVAL = re.compile(r"[1-9][0-9]{0,19}[dhms]?")


def parse_origin(value: str) -> Origin:
    """``o=``, section 5.2."""
    parts = words(value, "origin", minimum=6)
    if len(parts) != 6:
        raise ProtocolError("origin needs six words")
    username, session_id, session_version, network_type, address_type, address = parts
    integer(session_id, "session id", maximum=10**20)
    return Origin(
        username=_visible(username, "user name"),
        session_id=session_id,
        session_version=integer(session_version, "session version", maximum=10**20),
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


def check_text(value: str) -> None:
    """``s=`` and the lines of free text: at least one character, section 5.3."""
    if not value:
        raise ProtocolError("line has no value")


def _check_uri(value: str) -> None:
    """``u=``, section 5.5."""
    _visible(value, "URI")


def _check_connection(value: str) -> None:
    """``c=``, section 5.7."""
    parts = words(value, "connection", minimum=3)
    if len(parts) != 3:
        raise ProtocolError("connection needs three words")
    network_type, address_type, address = parts
    token(network_type, "network type")
    token(address_type, "address type")
    _visible(address, "address")


def _check_time(value: str) -> None:
    """``t=``, section 5.9: when it starts and stops, in seconds since 1900, or 0."""
    parts = words(value, "time", minimum=2)
    if len(parts) != 2:
        raise ProtocolError("time needs two words")
    for part in parts:
        _match(_TIME, part, "time is neither 0 nor seconds since 1900")


def _check_repeat(value: str) -> None:
    """``r=``, section 5.10."""
    interval, *durations = words(value, "repetition", minimum=3)
    _match(_INTERVAL, interval, "interval of repetition is no duration")
    for duration in durations:
        _match(_DURATION, duration, "repetition has what is no duration")


def _check_zones(value: str) -> None:
    """``z=``, section 5.11: pairs of a time and an offset."""
    parts = words(value, "time zones", minimum=2)
    if len(parts) % 2:
        raise ProtocolError("time zones need pairs of words")
    for time, offset in zip(parts[::2], parts[1::2], strict=True):
        _match(_TIME, time, "time is neither 0 nor seconds since 1900")
        _match(_DURATION, offset.removeprefix("-"), "offset of a time zone is no duration")


def _visible(text: str, what: str) -> str:
    _match(_NO_WHITE_SPACE, text, f"{what} has white space or control characters")
    return text


def _match(pattern: re.Pattern[str], text: str, reason: str) -> None:
    if pattern.fullmatch(text) is None:
        raise ProtocolError(reason)


FIELD_CHECKS: Mapping[str, Callable[[str], object]] = {
    "i": check_text,
    "u": _check_uri,
    "e": check_text,
    "p": check_text,
    "c": _check_connection,
    "b": Bandwidth.parse,
    "t": _check_time,
    "r": _check_repeat,
    "z": _check_zones,
    "k": check_text,
}
"""The check of every field that a section may have."""
