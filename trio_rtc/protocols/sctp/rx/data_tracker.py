"""Tracks received TSNs: the cumulative TSN, the ranges above it, the duplicates to report."""

import bisect
from typing import Final

from trio_rtc.protocols.serial import serial_difference

# Gap ack blocks have offsets of 16 bits, so nothing further ahead could be acknowledged.
WINDOW: Final = 0xFFFF
# Duplicate TSNs of a SACK at most; the sender only needs to know that there are some.
MAX_DUPLICATES: Final = 16
MAX_GAP_BLOCKS: Final = 20
"""Gap ack blocks of a SACK at most, as many as libwebrtc's dcSCTP reports.

dcSCTP counts a missing report for every hole below a newly acknowledged TSN, also for a chunk that it has just
retransmitted, where RFC 9260 section 7.2.4 allows one fast retransmission. After a full queue has dropped a hundred
packets, a SACK that reports all the holes makes it send the same chunks again after every third SACK: four of five
packets are then duplicates, and crowd audio and video out of the path. Chunks after the last reported block count as in
flight, and keep the congestion window closed.
"""


class DataTracker:
    """The received TSNs, as integers that do not wrap.

    Attributes:
        cumulative_tsn: The highest TSN up to which all have been received.
        ranges: TSNs received above it: ``[first, last]``, sorted, neither adjacent nor overlapping.
        duplicates: TSNs received again since the last SACK, at most ``MAX_DUPLICATES``.
    """

    __slots__ = ("cumulative_tsn", "duplicates", "ranges")

    def __init__(self, initial_tsn: int) -> None:
        self.cumulative_tsn = initial_tsn - 1
        self.ranges: list[list[int]] = []
        self.duplicates: list[int] = []

    @property
    def highest_tsn(self) -> int:
        return self.ranges[-1][1] if self.ranges else self.cumulative_tsn

    def unwrap(self, wire_tsn: int) -> int:
        """Return the unwrapped TSN nearest to the cumulative TSN for one of 32 bits."""
        cumulative = self.cumulative_tsn
        return cumulative + serial_difference(wire_tsn, cumulative & 0xFFFFFFFF, 32)

    def is_new(self, tsn: int) -> bool:
        """Return whether ``tsn`` is inside the window and new; record it if it is a duplicate."""
        if tsn > self.cumulative_tsn + WINDOW:
            return False
        if tsn > self.cumulative_tsn:
            index = bisect.bisect_right(self.ranges, [tsn, WINDOW + tsn]) - 1
            if index < 0 or self.ranges[index][1] < tsn:
                return True
        if len(self.duplicates) < MAX_DUPLICATES:
            self.duplicates.append(tsn)
        return False

    def add(self, tsn: int) -> None:
        ranges = self.ranges
        if tsn == self.cumulative_tsn + 1:
            self.cumulative_tsn = tsn
            self._absorb()
            return
        index = bisect.bisect_left(ranges, [tsn, tsn])
        touches_left = index > 0 and ranges[index - 1][1] == tsn - 1
        touches_right = index < len(ranges) and ranges[index][0] == tsn + 1
        if touches_left and touches_right:
            ranges[index - 1][1] = ranges[index][1]
            del ranges[index]
        elif touches_left:
            ranges[index - 1][1] = tsn
        elif touches_right:
            ranges[index][0] = tsn
        else:
            ranges.insert(index, [tsn, tsn])

    def forward(self, new_cumulative_tsn: int) -> bool:
        """Advance the cumulative TSN for a FORWARD-TSN; return whether it has changed."""
        if new_cumulative_tsn <= self.cumulative_tsn:
            return False
        self.cumulative_tsn = new_cumulative_tsn
        self._absorb()
        return True

    def gap_blocks(self) -> tuple[tuple[int, int], ...]:
        """Return the gap ack blocks of a SACK: offsets from the cumulative TSN, the lowest ones first."""
        base = self.cumulative_tsn
        return tuple((first - base, last - base) for first, last in self.ranges[:MAX_GAP_BLOCKS])

    def take_duplicates(self) -> tuple[int, ...]:
        """Return the duplicates as TSNs of 32 bits, and clear them."""
        duplicates = tuple(tsn & 0xFFFFFFFF for tsn in self.duplicates)
        self.duplicates.clear()
        return duplicates

    def _absorb(self) -> None:
        """Advance the cumulative TSN over the ranges that it has reached."""
        ranges, cumulative = self.ranges, self.cumulative_tsn
        if not ranges or ranges[0][0] > cumulative + 1:
            return
        # The ranges are neither adjacent nor overlapping, so at most the last one reached ends above the TSN. A
        # FORWARD-TSN may reach thousands: they are deleted in one slice, since each deletion moves all later ranges.
        reached = bisect.bisect_left(ranges, [cumulative + 2])
        self.cumulative_tsn = max(cumulative, ranges[reached - 1][1])
        del ranges[:reached]
