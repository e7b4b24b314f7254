"""The small words that the grammars share: tokens, numbers, and splitting into a fixed number of parts."""

import re

from trio_rtc.errors import ProtocolError

# RFC 8866 section 9: token-char.
_TOKEN = re.compile(r"[!#-'*+\-.0-9A-Z^-~]+")
_DIGITS = re.compile(r"[0-9]{1,20}")
_BLANKS = re.compile(r"[ \t]+")
BLANKS = " \t"
"""White space within a line."""


def token(text: str, what: str) -> str:
    """Return ``text`` if it is a token (RFC 8866 section 9), else raise ``ProtocolError``."""
    if _TOKEN.fullmatch(text) is None:
        raise ProtocolError(f"{what} is not a token")
    return text


def integer(text: str, what: str, *, minimum: int = 0, maximum: int) -> int:
    """Return a decimal number in a range. Python's ``int`` alone would accept ``1_0``, ``+1`` and foreign digits."""
    if _DIGITS.fullmatch(text) is None:
        raise ProtocolError(f"{what} is not a number")
    value = int(text)
    if not minimum <= value <= maximum:
        raise ProtocolError(f"{what} is not between {minimum} and {maximum}")
    return value


def words(text: str, what: str, *, minimum: int = 1, maximum: int | None = None) -> list[str]:
    """Split at white space into at least ``minimum`` words and at most ``maximum``, the last taking the rest.

    The grammars have single spaces. Agents in the field write several, and blanks at either end.
    """
    parts = _BLANKS.split(text.strip(BLANKS), 0 if maximum is None else maximum - 1)
    if len(parts) < minimum or not all(parts):
        raise ProtocolError(f"{what} needs at least {minimum} words")
    return parts
