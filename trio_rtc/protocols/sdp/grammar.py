"""Parsers that the grammars share: tokens, integers, and words separated by white space."""

import re

from trio_rtc.errors import ProtocolError

# RFC 8866 section 9: token-char.
_TOKEN = re.compile(r"[!#-'*+\-.0-9A-Z^-~]+")
_DIGITS = re.compile(r"[0-9]{1,20}")
_BLANKS = re.compile(r"[ \t]+")
BLANKS = " \t"
"""White space within a line."""


def token(text: str, name: str) -> str:
    """Return ``text`` if it is a token (RFC 8866 section 9); ``name`` is its name in the error message.

    Raises:
        ProtocolError: ``text`` is not a token.
    """
    if _TOKEN.fullmatch(text) is None:
        raise ProtocolError(f"{name} must be a token")
    return text


def integer(text: str, name: str, *, minimum: int = 0, maximum: int) -> int:
    """Return a decimal integer in a range. Python's ``int`` also accepts ``1_0``, ``+1`` and non-ASCII digits."""
    if _DIGITS.fullmatch(text) is None:
        raise ProtocolError(f"{name} must be a decimal number of at most 20 digits")
    value = int(text)
    if not minimum <= value <= maximum:
        raise ProtocolError(f"{name} must be {minimum} to {maximum}, not {value}")
    return value


def words(text: str, name: str, *, minimum: int = 1, maximum: int | None = None) -> list[str]:
    """Split at white space into at least ``minimum`` and at most ``maximum`` words; the last one keeps the rest.

    The grammars use single spaces. Implementations in the field write several, and blanks at either end.
    """
    parts = _BLANKS.split(text.strip(BLANKS), 0 if maximum is None else maximum - 1)
    if len(parts) < minimum or not all(parts):
        raise ProtocolError(f"{name} must have at least {minimum} word{'s' * (minimum > 1)}")
    return parts
