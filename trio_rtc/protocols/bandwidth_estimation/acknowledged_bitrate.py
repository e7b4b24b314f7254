"""The acknowledged bitrate: what arrives at the peer, by the peer's clock."""

from collections.abc import Sequence

from .options import BandwidthEstimationOptions
from .sent_packets import ReceivedPacket

# goog_cc's constants of the Bayesian average, in kbit/s: how uncertain a sample is in proportion to its distance
# from the estimate, and how much the estimate itself may have moved since the last sample.
_UNCERTAINTY = 10.0
_DRIFT = 5.0
_INITIAL_VARIANCE = 50.0
# A window with less than this part of the average, or with more than this multiple, is not noise any more.
_FALLING = 0.7
_RISING = 2.0
# What a window that is not over yet needs to be believed: so many packets, and less than this part of the average.
_ENOUGH_PACKETS = 5
_COLLAPSED = 0.5


class AcknowledgedBitrateEstimator:
    """Measures rates over short windows and averages them, the less the further they are off.

    Attributes:
        bitrate: In bits a second; ``None`` before the first window has passed.
        sample: What the last window alone says.
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
        """Take packets in order of arrival."""
        # Hot path: of every packet that is sent comes word here.
        started, last, total, count = self._started, self._last, self._bytes, self._packets
        window = self._first_window if self.bitrate is None else self._window
        for _, _, arrival_time, size, _ in packets:
            if started is None or abs(arrival_time - last) > self._max_jump:
                # The first one begins the window and is not part of it; so does one after a jump of the clock.
                started = last = arrival_time
                total = count = 0
                continue
            if arrival_time < started:
                # Of a window that is over: the feedback was overtaken.
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
        """Hear that some of what arrived is not known, as where feedback was lost: begin another window."""
        self._started = None

    @property
    def latest(self) -> float | None:
        """The average, or what the last window alone says where that is so different that the average lags behind.

        Of a window that is not over yet half of it is enough to tell that much less arrives, if that is some packets.
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
