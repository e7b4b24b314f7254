"""Spreads packets in time at the congestion controller's pacing rate.

Each packet has a departure time: that of the packet before it, and the time which that one takes at the pacing rate.
A timer for each packet would be too expensive at high rates, so the packets of one millisecond leave together. A sender
that its timer wakes too late may catch up for as long; after a pause of the application there is nothing to catch up
with.
"""

import math
from typing import Final

import attrs

_QUANTUM: Final = 0.001
"""Seconds between two bursts by timer, at least. Below 1 MB/s each packet leaves by itself."""


@attrs.define
class Pacer:
    """Computes how many packets may leave now, and when the next ones may.

    Attributes:
        packet_size: Bytes of a full packet.
        departure: When the next packet may leave, absolute; in the past while nothing holds it back.
    """

    packet_size: int
    departure: float = attrs.field(default=-math.inf, init=False)
    _last_burst: float = attrs.field(default=-math.inf, init=False)
    _credit: float = attrs.field(default=0.0, init=False)

    def count_due(self, rate: float, now: float) -> int:
        """Return how many full packets may leave now at ``rate`` bytes a second."""
        behind = now - max(self.departure, now - self._credit)
        return 0 if behind < 0 else 1 + int(behind * rate / self.packet_size)

    def record_sent(self, size: int, rate: float, application_limited: bool, now: float) -> None:
        """Advance the departure time by a burst of ``size`` bytes at ``rate`` bytes a second."""
        self.departure = max(self.departure, now - self._credit) + size / rate
        self._last_burst = now
        self._credit = 0.0 if application_limited else _QUANTUM

    @property
    def next_burst(self) -> float:
        """When the next burst will leave, absolute."""
        return max(self.departure, self._last_burst + _QUANTUM)
