"""The acknowledged bitrate: the rate at which packets arrive at the peer, by the peer's clock."""

from collections.abc import Sequence

from .options import BandwidthEstimationOptions
from .sent_packets import ReceivedPacket

# goog_cc's constants of the Bayesian estimate, in kbit/s: the uncertainty of a sample in proportion to its distance
# from the estimate, and the variance that the estimate gains between two samples.
_UNCERTAINTY = 10.0
_DRIFT = 5.0
_INITIAL_VARIANCE = 50.0
# A sample below this part of the estimate, or above this multiple, is no noise.
_FALLING = 0.7
_RISING = 2.0
# A window in progress is used if it has so many packets and is below this part of the estimate.
_ENOUGH_PACKETS = 5
_COLLAPSED = 0.5


class AcknowledgedBitrateEstimator:
    """Bayesian estimate of the rates of short windows, in bits a second: outliers have less weight.

    ``bitrate`` and ``sample``, the rate of the last window, are ``None`` before the end of the first window.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._first_window = options.acknowledged_first_window
        self._window = options.acknowledged_window
        self._max_jump = options.max_arrival_jump
        self._variance = _INITIAL_VARIANCE
        self._started: float | None = None
        self._last = 0.0
        self._bytes = 0
        self._packets = 0
        self.bitrate: float | None = None
        self.sample: float | None = None

    def received(self, packets: Sequence[ReceivedPacket]) -> None:
        # Hot path: called for every packet sent.
        started, last, total, count = self._started, self._last, self._bytes, self._packets
        window = self._first_window if self.bitrate is None else self._window
        for _, _, arrival_time, size, _ in packets:
            if started is None or abs(arrival_time - last) > self._max_jump:
                # The first packet starts the window and is not counted; so does one after a jump of the clock.
                started = last = arrival_time
                total = count = 0
                continue
            if arrival_time < started:
                # It belongs to a finished window: the feedback was reordered.
                continue
            last = max(last, arrival_time)
            total += size
            count += 1
            if last - started >= window:
                self._sample(8 * total / (last - started))
                window = self._window
                started = last
                total = count = 0
        self._started, self._last, self._bytes, self._packets = started, last, total, count

    def interrupted(self) -> None:
        """Start another window, because arrivals are unknown, as when feedback was lost."""
        self._started = None

    @property
    def latest(self) -> float | None:
        """The estimate, or the rate of the last window if that is so different that the estimate lags behind.

        Half of a window in progress, with enough packets, suffices to detect a collapse of the rate.
        """
        if self.bitrate is None or self.sample is None or self._started is None:
            return self.bitrate
        elapsed = self._last - self._started
        if elapsed >= self._window / 2 and self._packets >= _ENOUGH_PACKETS:
            begun = 8 * self._bytes / elapsed
            if begun < _COLLAPSED * min(self.sample, self.bitrate):
                return begun
        same = _FALLING * self.bitrate <= self.sample <= _RISING * self.bitrate
        return self.bitrate if same else self.sample

    def _sample(self, bitrate: float) -> None:
        self.sample = bitrate
        if self.bitrate is None:
            self.bitrate = bitrate
            return
        estimate = self.bitrate / 1000
        sample = bitrate / 1000
        uncertainty = _UNCERTAINTY * abs(estimate - sample) / max(estimate, 1.0)
        sample_variance = uncertainty * uncertainty
        predicted = self._variance + _DRIFT
        total = sample_variance + predicted
        self.bitrate = 1000 * (sample_variance * estimate + predicted * sample) / total
        self._variance = sample_variance * predicted / total
