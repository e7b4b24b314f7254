"""Sequence numbers: counters of the SSRCs that we send, unwrapping and a window of the numbers already seen.

Received numbers and timestamps are unwrapped to integers that do not wrap, so that nothing else deals with the wrap.
"""

import random
from typing import Final

from trio_rtc import _attrs as attrs

_FIRST_NUMBERS: Final = 1 << 15
_MASK: Final = 0xFFFF
_HALF: Final = 0x8000


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
        return newest + ((wire_number - newest + _HALF) & _MASK) - _HALF


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


@attrs.define
class Unwrapper:
    """Maps wrapping serial numbers to integers near the last one.

    Attributes:
        bits: Width of the serial number.
        last: The integer returned last, relative to which numbers are unwrapped.
    """

    bits: int
    last: int = 0

    def unwrap(self, value: int) -> int:
        """Return the integer congruent to ``value`` nearest to ``last``, which it becomes."""
        # As ``peek``, without the calls: this runs for every packet.
        half = 1 << (self.bits - 1)
        last = self.last
        self.last = last = last + ((value - last + half) & (2 * half - 1)) - half
        return last

    def peek(self, value: int) -> int:
        """Return the result of ``unwrap`` without changing ``last``."""
        half = 1 << (self.bits - 1)
        return self.last + ((value - self.last + half) & (2 * half - 1)) - half


class SequenceUnwrapper:
    """Unwraps the sequence numbers of one SSRC, which may start anywhere, and may restart (RFC 3550 appendix A.1).

    A packet that is far from the others is rejected; when the next one follows it, the sender has restarted, and the
    unwrapped numbers continue above all those before, so that order is kept. Numbers of retransmitted or recovered
    packets are unwrapped with :meth:`nearest`: they may be far behind without a restart.

    Args:
        max_dropout: A number this much ahead, or more, is a jump.
        max_misorder: A number this much behind, or more, is a jump.
        min_sequential: Consecutive packets that an SSRC must send before one is accepted. 1 for SSRCs that were
            announced and are authenticated, where the first packet may begin a keyframe.

    Attributes:
        highest: The highest number so far, ``None`` before the first.
        restarts: How often the sender has restarted.
        rejected: How many packets were rejected.
    """

    __slots__ = (
        "_confirming",
        "_max_dropout",
        "_max_misorder",
        "_min_sequential",
        "_probation",
        "highest",
        "rejected",
        "restarts",
    )

    def __init__(self, *, max_dropout: int = 3000, max_misorder: int = 100, min_sequential: int = 1) -> None:
        self._max_dropout = max_dropout
        self._max_misorder = max_misorder
        self._min_sequential = min_sequential
        self._probation = min_sequential - 1
        # The number after the last rejected one: it would end the probation, or confirm a jump.
        self._confirming: int | None = None
        self.highest: int | None = None
        self.restarts = 0
        self.rejected = 0

    def unwrap(self, value: int) -> int | None:
        """Return the unwrapped number of a packet, ``None`` if it is rejected."""
        highest = self.highest
        if highest is None:
            return self._begin(value)
        difference = ((value - highest + _HALF) & _MASK) - _HALF
        if -self._max_misorder < difference < self._max_dropout:
            if difference > 0:
                self._confirming = None
                self.highest = highest + difference
            return highest + difference
        if value != self._confirming:
            self._confirming = (value + 1) & _MASK
            self.rejected += 1
            return None
        self._confirming = None
        self.restarts += 1
        self.highest = highest + ((value - highest) & _MASK)
        return self.highest

    def nearest(self, value: int) -> int | None:
        """Return the number nearest to the highest so far, without recording it; ``None`` before the first."""
        highest = self.highest
        return None if highest is None else highest + ((value - highest + _HALF) & _MASK) - _HALF

    def _begin(self, value: int) -> int | None:
        if self._probation:
            if self._confirming is not None and value != self._confirming:
                self._probation = self._min_sequential - 1
            elif self._confirming is not None:
                self._probation -= 1
            self._confirming = (value + 1) & _MASK
            if self._probation:
                self.rejected += 1
                return None
        self._confirming = None
        self.highest = value
        return value


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
