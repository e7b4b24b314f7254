"""The sequence numbers of our sources, which outlive their streams.

SRTP makes its nonce of source and sequence number (RFC 3711 section 9.1, RFC 7714 section 8.1), and the keys stay for
as long as the connection does. So a source that ends and begins again, because it was negotiated away and back, goes on
behind the numbers that it has had.
"""

import random
from typing import Final

_FIRST_NUMBERS: Final = 1 << 15


class SequenceCounter:
    """The numbers of one source.

    Attributes:
        next: The first one that was not used yet, unwrapped.
    """

    __slots__ = ("next",)

    def __init__(self, first: int) -> None:
        self.next = first

    def take(self, count: int = 1) -> int:
        """Return the first of some numbers that nothing else will have."""
        number = self.next
        self.next += count
        return number

    def nearest(self, wire_number: int) -> int:
        """Return the number nearest to the last one used that a number on the wire stands for."""
        newest = self.next - 1
        return newest + (wire_number - newest + 0x8000 & 0xFFFF) - 0x8000


class SequenceCounters:
    """The numbers of all sources that ever were.

    Args:
        rng: Source of the first numbers.
    """

    __slots__ = ("_rng", "_sources")

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._sources: dict[int, SequenceCounter] = {}

    def of(self, ssrc: int) -> SequenceCounter:
        """Return the numbers of a source."""
        numbers = self._sources.get(ssrc)
        if numbers is None:
            # RFC 3711 section 3.3.1: below 2^15, so that the first loss cannot mislead the peer about the roll-over.
            numbers = self._sources[ssrc] = SequenceCounter(self._rng.randrange(1, _FIRST_NUMBERS))
        return numbers
