"""Paces packets at the congestion controller's rate.

The departure time of a packet is that of the previous packet plus its size divided by the rate. A timer for each packet
would be too expensive at high rates, so the packets of one millisecond leave together. A late timer may be compensated
by as much; idle time of the application is not.
"""

import math
from typing import Final

from trio_rtc import _attrs as attrs

_QUANTUM: Final = 0.001
"""Seconds between two bursts by timer, at least. Below 1 MB/s each packet leaves by itself."""


@attrs.define
class Pacer:
    """Computes how many packets may leave now, and when the next ones may.

    Attributes:
        packet_size: Bytes of a full packet.
        departure: Departure time of the next packet, absolute.
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
        return max(self.departure, self._last_burst + _QUANTUM)
