"""Loss-based control by receiver reports (GCC section 6), for peers without transport-wide feedback.

Up to 2 % of loss the rate grows by 8 % a second, above 10 % it falls by half of the loss, in between it is held.
"""

import math

from .options import BandwidthEstimationOptions

_INCREASE_INTERVAL = 1.0
_INCREASE_OFFSET = 1000.0
# Seconds of growth for one report at most: the RTCP interval may be five seconds (RFC 3550 section 6.2).
_MAX_INCREASES = 5.0


class ReceiverReportLoss:
    """Increases and decreases a bitrate, in bits a second, by two thresholds of loss.

    ``fraction`` is that of the last report, from 0 to 1.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._options = options
        self.bitrate = options.start_bitrate
        self.fraction = 0.0
        self.any_loss = False
        self._decreased_at = -math.inf
        self._increased_at: float | None = None

    def reported(self, fraction: float, round_trip: float, now: float) -> float:
        """Update the rate from the fraction lost of one report, and return it."""
        options = self._options
        self.fraction = fraction
        self.any_loss = self.any_loss or fraction > 0
        if self._increased_at is None:
            self._increased_at = now
        if fraction <= options.report_low_loss:
            elapsed = min((now - self._increased_at) / _INCREASE_INTERVAL, _MAX_INCREASES)
            if elapsed > 0:
                self.bitrate = self.bitrate * options.increase_factor**elapsed + _INCREASE_OFFSET * elapsed
        elif (
            fraction > options.report_high_loss
            and now >= self._decreased_at + options.report_decrease_interval + round_trip
        ):
            self.bitrate *= 1 - fraction / 2
            self._decreased_at = now
        self._increased_at = now
        return self.bitrate
