"""The times at which outstanding chunks were sent: chunks sent together share one entry."""

import bisect
from collections import deque

_Burst = tuple[int, float, bool]
"""Last TSN, time of sending, whether the burst was limited by the application."""


class SentBursts:
    """Bursts of new chunks, the oldest first; at most as many as there are outstanding chunks."""

    def __init__(self) -> None:
        self._bursts: deque[_Burst] = deque()

    def record(self, last_tsn: int, now: float, application_limited: bool) -> None:
        self._bursts.append((last_tsn, now, application_limited))

    def discard_before(self, tsn: int) -> None:
        bursts = self._bursts
        while bursts and bursts[0][0] < tsn:
            bursts.popleft()

    def find(self, tsn: int) -> tuple[float, bool] | None:
        """Return when a chunk was sent and whether its burst was application-limited; ``None`` if unknown."""
        bursts = self._bursts
        if not bursts:
            return None
        # A SACK usually ends in the oldest burst that is left.
        index = 0 if bursts[0][0] >= tsn else bisect.bisect_left(bursts, (tsn,))
        return bursts[index][1:] if index < len(bursts) else None
