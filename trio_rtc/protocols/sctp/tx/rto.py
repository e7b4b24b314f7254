"""The retransmission timeout (RTO) from measured round trips (RFC 9260 section 6.3.1)."""

from trio_rtc import _attrs as attrs


@attrs.define
class RetransmissionTimeout:
    """The smoothed round-trip time (SRTT) and the RTO computed from it, in seconds.

    Attributes:
        value: The current RTO.
        minimum: RTO.Min.
        maximum: RTO.Max.
        variance_floor: Least difference of RTO and SRTT, for the peer's delayed acknowledgement, which a measurement
            may or may not include.
        smoothed: SRTT; None before the first measurement.
    """

    value: float
    minimum: float
    maximum: float
    variance_floor: float
    smoothed: float | None = None
    _variance: float = 0.0
    _measured: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._measured = self.value

    def update(self, round_trip: float) -> None:
        """Update SRTT and RTO from a round trip of a packet sent exactly once (Karn's algorithm)."""
        if self.smoothed is None:
            self.smoothed = round_trip
            self._variance = round_trip / 2
        else:
            self._variance += (abs(self.smoothed - round_trip) - self._variance) / 4
            self.smoothed += (round_trip - self.smoothed) / 8
        allowance = max(4 * self._variance, self.variance_floor)
        self._measured = min(max(self.smoothed + allowance, self.minimum), self.maximum)
        self.value = self._measured

    def back_off(self) -> None:
        """Double the RTO after a timeout (section 6.3.3, E2)."""
        self.value = min(self.value * 2, self.maximum)

    def reset_back_off(self) -> None:
        """Restore the measured RTO, because new data was acknowledged."""
        self.value = self._measured
