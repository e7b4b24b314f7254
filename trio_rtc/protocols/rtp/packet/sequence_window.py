"""Which of the last sequence numbers have been there: repairs and padding bring packets again."""


class SequenceWindow:
    """Tells numbers that are new from those that were there before, a bit each.

    Args:
        window: How far behind the highest a number may be. What is older counts as seen: nobody waits for it.
        seen_up_to: The highest number that counts as seen, with all below it; ``None`` for none.
    """

    __slots__ = ("_bits", "_highest", "_mask", "_window")

    def __init__(self, window: int, seen_up_to: int | None = None) -> None:
        self._window = window
        self._mask = (1 << window) - 1
        self._highest = seen_up_to
        # The highest number is the lowest bit.
        self._bits = 1 if seen_up_to is None else self._mask

    def take(self, number: int) -> bool:
        """Return whether an unwrapped number is new, and remember it."""
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
