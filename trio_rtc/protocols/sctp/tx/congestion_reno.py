"""The congestion controller of RFC 9260 section 7.2: slow start, congestion avoidance, halving."""

import random

from trio_rtc import _attrs as attrs

from .congestion import DeliverySample


@attrs.define
class RenoController:
    """The default :class:`.CongestionController`. It does not pace.

    Slow start increases the window by all bytes acknowledged, where the RFC limits it to one packet for each SACK:
    WebRTC peers acknowledge a whole batch with one SACK, and counting bytes prevents attacks by split acknowledgements
    as well (RFC 9002 section 7.3.1 does the same).

    Attributes:
        packet_size: Bytes of a full packet.
        congestion_window: Bytes that may be in flight.
        maximum_window: Upper bound of the window, in bytes.
        slow_start_threshold: Window above which congestion avoidance replaces slow start (ssthresh).
        measures_delivery: ``False``.
        pacing_rate: ``None``.
    """

    packet_size: int
    congestion_window: int
    maximum_window: int
    slow_start_threshold: int = attrs.field(init=False)
    measures_delivery: bool = attrs.field(default=False, init=False)
    pacing_rate: float | None = attrs.field(default=None, init=False)
    _partial_bytes_acked: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.slow_start_threshold = self.maximum_window

    def on_sent(self, size: int, flight: int, application_limited: bool, now: float) -> None:
        """Do nothing: the window follows from acknowledgements and loss alone."""

    def on_acknowledged(
        self,
        size: int,
        *,
        flight_before: int,
        cumulative_advanced: bool,
        in_recovery: bool,
        smoothed_round_trip: float | None,
        sample: DeliverySample | None,
        now: float,
    ) -> None:
        """Increase a window that was in use, outside of fast recovery, if the cumulative TSN has advanced."""
        window = self.congestion_window
        if flight_before + self.packet_size < window or in_recovery or not cumulative_advanced:
            return
        if window <= self.slow_start_threshold:
            self.congestion_window = min(window + size, self.maximum_window)
            return
        self._partial_bytes_acked += size
        if self._partial_bytes_acked >= window:
            self._partial_bytes_acked -= window
            self.congestion_window = min(window + self.packet_size, self.maximum_window)

    def on_lost(self, size: int, begins_recovery: bool, now: float) -> None:
        """Halve the window once for each fast recovery (section 7.2.3)."""
        if begins_recovery:
            self.slow_start_threshold = max(self.congestion_window // 2, 4 * self.packet_size)
            self.congestion_window = self.slow_start_threshold
            self._partial_bytes_acked = 0

    def on_timeout(self, size: int, expirations: int, now: float) -> None:
        """Reduce the window to one packet (section 7.2.3).

        Consecutive timeouts do not reduce the threshold again (RFC 5681, equation 4).
        """
        if expirations == 1:
            self.slow_start_threshold = max(self.congestion_window // 2, 4 * self.packet_size)
            self.congestion_window = self.packet_size
            self._partial_bytes_acked = 0

    def on_idle(self, periods: int) -> None:
        """Halve the window for each RTO without data (section 7.2.1)."""
        floor = 4 * self.packet_size
        for _ in range(min(periods, 32)):
            if self.congestion_window <= floor:
                break
            self.congestion_window = max(self.congestion_window // 2, floor)


def make_reno_controller(
    packet_size: int, initial_window: int, maximum_window: int, _rng: random.Random
) -> RenoController:
    """Make a controller, which draws nothing at random."""
    return RenoController(packet_size, initial_window, maximum_window)
