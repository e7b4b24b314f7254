"""Sequence numbers that count on over the wrap, and survive jumps (RFC 3550 appendix A.1)."""

from typing import Final

from trio_rtc.protocols.rtp.options import StatisticsOptions

_BITS: Final = 16
_MASK: Final = (1 << _BITS) - 1
_HALF: Final = 1 << (_BITS - 1)


class SequenceUnwrapper:
    """Unwraps the sequence numbers of one source, which may start anywhere, and may start again.

    A packet that is far from the others is not taken; when the next one follows it, the sender has started again, and
    numbers go on above all those before, so that order is kept. Numbers of retransmitted or recovered packets are
    unwrapped with :meth:`nearest`: they may be far behind in good faith.

    Attributes:
        highest: The highest number so far, ``None`` before the first.
        restarts: How often the source has started again.
        rejected: How many packets were not taken.
    """

    __slots__ = ("_next_expected", "_options", "_probation", "highest", "rejected", "restarts")

    def __init__(self, options: StatisticsOptions | None = None) -> None:
        self._options = options or StatisticsOptions()
        self._probation = self._options.min_sequential - 1
        # The number that would show that a jump, or the probation, is over: that after the last one not taken.
        self._next_expected: int | None = None
        self.highest: int | None = None
        self.restarts = 0
        self.rejected = 0

    def unwrap(self, value: int) -> int | None:
        """Return the unwrapped number of a packet, ``None`` if it is not to be taken."""
        highest = self.highest
        if highest is None:
            return self._begin(value)
        difference = ((value - highest + _HALF) & _MASK) - _HALF
        if -self._options.max_misorder < difference < self._options.max_dropout:
            if difference > 0:
                self._next_expected = None
                self.highest = highest + difference
            return highest + difference
        if value != self._next_expected:
            self._next_expected = (value + 1) & _MASK
            self.rejected += 1
            return None
        self._next_expected = None
        self.restarts += 1
        self.highest = highest + ((value - highest) & _MASK)
        return self.highest

    def nearest(self, value: int) -> int | None:
        """Return the number nearest to the highest so far, without remembering it; ``None`` before the first."""
        highest = self.highest
        return None if highest is None else highest + ((value - highest + _HALF) & _MASK) - _HALF

    def _begin(self, value: int) -> int | None:
        if self._probation:
            if self._next_expected is not None and value != self._next_expected:
                self._probation = self._options.min_sequential - 1
            elif self._next_expected is not None:
                self._probation -= 1
            self._next_expected = (value + 1) & _MASK
            if self._probation:
                self.rejected += 1
                return None
        self._next_expected = None
        self.highest = value
        return value
