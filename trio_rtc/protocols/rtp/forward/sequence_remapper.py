"""Sequence numbers of forwarded packets: each packet once, and without gaps where no media is missing.

At some numbers of a stream there is no media to forward: the packet was padding, or a ULPFEC packet. A forwarder would
pass the gap on, and its receivers would request packets that never existed. So later numbers are decreased. That is
done only for packets in order: a packet that was forwarded keeps its number.
"""

from bisect import bisect_left

from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceWindow


class SequenceRemapper:
    """Maps the unwrapped numbers of a stream to those of its forwarded packets.

    Args:
        window: How far behind the highest a number may be; older packets are not forwarded.
        seen_up_to: The highest number that was forwarded before, ``None`` for none.
    """

    __slots__ = ("_empty", "_empty_before", "_highest", "_seen", "_window")

    def __init__(self, window: int, seen_up_to: int | None = None) -> None:
        self._seen = SequenceWindow(window, seen_up_to)
        self._window = window
        self._highest = seen_up_to
        # The numbers without media within the window, in order, and how many there were before it.
        self._empty: list[int] = []
        self._empty_before = 0

    def skip(self, number: int) -> None:
        """Record that there is no media at a number."""
        if (self._highest is None or number > self._highest) and self._seen.add(number):
            self._highest = number
            self._empty.append(number)
            while self._empty[0] <= number - self._window:
                del self._empty[0]
                self._empty_before += 1

    def remap(self, number: int) -> int | None:
        """Return the number with which a packet is forwarded, ``None`` if it was forwarded before or is too old."""
        if not self._seen.add(number):
            return None
        if self._highest is None or number > self._highest:
            self._highest = number
        if not self._empty:
            return number - self._empty_before
        return number - self._empty_before - bisect_left(self._empty, number)
