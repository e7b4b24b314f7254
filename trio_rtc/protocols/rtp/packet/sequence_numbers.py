"""Sequence numbers: the counters of the SSRCs that we send, and a window of numbers already seen."""

import random
from typing import Final

_FIRST_NUMBERS: Final = 1 << 15


class SequenceCounter:
    """The sequence numbers of one SSRC.

    Attributes:
        next: The first unused number, unwrapped.
    """

    __slots__ = ("next",)

    def __init__(self, first: int) -> None:
        self.next = first

    def allocate(self, count: int = 1) -> int:
        """Return the first of ``count`` unused numbers, which are used from now on."""
        number = self.next
        self.next += count
        return number

    def nearest(self, wire_number: int) -> int:
        """Return the unwrapped number of 16 bits on the wire that is nearest to the last used one."""
        newest = self.next - 1
        return newest + (wire_number - newest + 0x8000 & 0xFFFF) - 0x8000


class SequenceCounters:
    """The sequence numbers of all SSRCs that were ever sent, which outlive their streams.

    SRTP derives its nonce from SSRC and sequence number (RFC 3711 section 9.1, RFC 7714 section 8.1), and its keys last
    as long as the connection. So an SSRC that ends and starts again, because its section was removed and added again,
    continues behind the numbers that it has used.

    Args:
        rng: Source of the first numbers.
    """

    __slots__ = ("_counters", "_rng")

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._counters: dict[int, SequenceCounter] = {}

    def of(self, ssrc: int) -> SequenceCounter:
        counter = self._counters.get(ssrc)
        if counter is None:
            # RFC 3711 section 3.3.1: below 2^15, so that the first loss cannot mislead the peer about the roll-over.
            counter = self._counters[ssrc] = SequenceCounter(self._rng.randrange(1, _FIRST_NUMBERS))
        return counter


class SequenceWindow:
    """A sliding window of the sequence numbers that were seen, one bit each.

    Args:
        window: How far a number may be behind the highest; older ones count as seen.
        seen_up_to: The highest number that counts as seen, with all below it; ``None`` for none.
    """

    __slots__ = ("_bits", "_highest", "_mask", "_window")

    def __init__(self, window: int, seen_up_to: int | None = None) -> None:
        self._window = window
        self._mask = (1 << window) - 1
        self._highest = seen_up_to
        # The lowest bit is the highest number.
        self._bits = 1 if seen_up_to is None else self._mask

    def add(self, number: int) -> bool:
        """Record an unwrapped number, and return whether it is new."""
        highest = self._highest
        if highest is None:
            self._highest = number
            return True
        ahead = number - highest
        if ahead > 0:
            self._highest = number
            self._bits = (self._bits << min(ahead, self._window) | 1) & self._mask
            return True
        if -ahead >= self._window or self._bits >> -ahead & 1:
            return False
        self._bits |= 1 << -ahead
        return True
