"""The sequence numbers of what is handed on to those who want packets: once each, and without needless gaps.

At some numbers there is nothing to hand on: the packet was only padding, or repairs others (ULPFEC). Whoever forwards
would pass such a gap on, and be asked again and again for what never was. So the numbers behind move up. That is done
only for what comes in its turn: what has been handed on keeps the number that it had.
"""

from bisect import bisect_left

from trio_rtc.protocols.rtp.packet.sequence_window import SequenceWindow


class SequenceRemapper:
    """Numbers what is handed on.

    Args:
        window: How far behind the highest a number may be; of what is older nothing is handed on.
        seen_up_to: The highest number that was there before, ``None`` for none.
    """

    __slots__ = ("_before", "_empty", "_highest", "_seen", "_window")

    def __init__(self, window: int, seen_up_to: int | None = None) -> None:
        self._seen = SequenceWindow(window, seen_up_to)
        self._window = window
        self._highest = seen_up_to
        self._empty: list[int] = []
        """Numbers within the window at which there is nothing, in order."""
        self._before = 0
        """How many there were before the window."""

    def skip(self, number: int) -> None:
        """Hear that there is nothing at an unwrapped number."""
        if (self._highest is None or number > self._highest) and self._seen.take(number):
            self._highest = number
            self._empty.append(number)
            while self._empty[0] <= number - self._window:
                del self._empty[0]
                self._before += 1

    def remap(self, number: int) -> int | None:
        """Return the number under which an unwrapped number is handed on, ``None`` if it was there before."""
        if not self._seen.take(number):
            return None
        if self._highest is None or number > self._highest:
            self._highest = number
        if not self._empty:
            return number - self._before
        return number - self._before - bisect_left(self._empty, number)
