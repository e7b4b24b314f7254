"""Congestion control behind a small interface, and the controller of RFC 9260 section 7.2.

All sizes are bytes of DATA chunks with their headers. The transmitter decides *when* something was lost or
acknowledged; a controller only decides how large the window is.
"""

from collections.abc import Callable
from typing import Protocol

import attrs


class CongestionController(Protocol):
    """What the transmitter asks of a congestion controller.

    Attributes:
        congestion_window: How many bytes may be in flight.
        slow_start_threshold: Where slow start ends; for statistics.
    """

    congestion_window: int
    slow_start_threshold: int

    def acknowledged(self, size: int, flight_before: int, now: float) -> None:
        """Take that ``size`` bytes were newly acknowledged, outside of fast recovery.

        ``flight_before`` is what was in flight before that acknowledgement.
        """

    def packet_lost(self, now: float) -> None:
        """Take that loss was detected by missing reports: once for each fast recovery."""

    def timed_out(self, now: float) -> None:
        """Take that the retransmission timer expired."""

    def idle(self, periods: int) -> None:
        """Take that nothing was sent for ``periods`` retransmission time-outs."""


CongestionControllerFactory = Callable[[int, int, int], CongestionController]
"""Makes a controller from the packet size, the initial and the maximal window, all in bytes."""


@attrs.define
class RenoController:
    """Slow start, congestion avoidance and halving, as RFC 9260 section 7.2 has them.

    Slow start grows by all bytes acknowledged, where the RFC bounds it by one packet for each SACK: our peers
    acknowledge a whole batch with one SACK, and counting bytes guards against split acknowledgements just as
    well (RFC 9002 section 7.3.1 does the same).
    """

    packet_size: int
    congestion_window: int
    maximum_window: int
    slow_start_threshold: int = attrs.field(init=False)
    _partial_bytes_acked: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.slow_start_threshold = self.maximum_window

    def acknowledged(self, size: int, flight_before: int, now: float) -> None:
        """Grow the window, if it was in use."""
        window = self.congestion_window
        if flight_before + self.packet_size < window:
            return
        if window <= self.slow_start_threshold:
            self.congestion_window = min(window + size, self.maximum_window)
            return
        self._partial_bytes_acked += size
        if self._partial_bytes_acked >= window:
            self._partial_bytes_acked -= window
            self.congestion_window = min(window + self.packet_size, self.maximum_window)

    def packet_lost(self, now: float) -> None:
        """Halve the window (section 7.2.3)."""
        self.slow_start_threshold = max(self.congestion_window // 2, 4 * self.packet_size)
        self.congestion_window = self.slow_start_threshold
        self._partial_bytes_acked = 0

    def timed_out(self, now: float) -> None:
        """Start again with one packet (section 7.2.3)."""
        self.slow_start_threshold = max(self.congestion_window // 2, 4 * self.packet_size)
        self.congestion_window = self.packet_size
        self._partial_bytes_acked = 0

    def idle(self, periods: int) -> None:
        """Halve the window for each time-out of silence (section 7.2.1)."""
        floor = 4 * self.packet_size
        for _ in range(min(periods, 32)):
            if self.congestion_window <= floor:
                break
            self.congestion_window = max(self.congestion_window // 2, floor)
