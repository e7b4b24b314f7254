"""Computation of the delays that synchronize the streams of one sender (RFC 3550 section 6.4.1).

The sender reports of a stream map its timestamps to the sender's clock. Two streams that are mapped to one clock can
be compared: the one that plays a moment of capture later makes the other wait. Video waits only until it is ahead of
the audio by the tolerance: viewers do not notice that, and each frame would be later by it.
"""

from collections import deque
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.options import AvSyncOptions

StreamT = TypeVar("StreamT", bound=Hashable)


class ClockMap:
    """Maps the timestamps of one stream to its sender's clock, by a line fitted to its sender reports."""

    __slots__ = ("_clock_rate", "_expected_shift", "_line", "_options", "_outliers", "_reports")

    def __init__(self, clock_rate: int, options: AvSyncOptions | None = None) -> None:
        self._options = options or AvSyncOptions()
        self._clock_rate = clock_rate
        self._reports: deque[tuple[int, float]] = deque(maxlen=self._options.max_reports)
        self._outliers = 0
        self._expected_shift: float | None = None
        # The timestamp and the time of a point on the line, and the seconds per clock unit.
        self._line: tuple[float, float, float] | None = None

    @property
    def is_doubtful(self) -> bool:
        """Whether the next report must first confirm the line."""
        return self._expected_shift is not None

    def expect_shift(self, shift: float) -> None:
        """Record that frames arrive later than before by ``shift`` seconds.

        Either the timestamps have stood still for that time, or the network is slower: the next report shows which.
        """
        if self._line is not None:
            self._expected_shift = shift + (self._expected_shift or 0.0)

    def handle_sender_report(self, timestamp: int, ntp_time: float) -> None:
        """Update the line from an unwrapped RTP timestamp, and its NTP time in seconds of the sender's clock."""
        expected = self.ntp_time(timestamp)
        if expected is not None and self._expected_shift is not None:
            deviation = ntp_time - expected
            if abs(deviation - self._expected_shift) < abs(deviation):
                self._reports.clear()
                expected = None
            self._expected_shift = None
        if expected is not None and abs(expected - ntp_time) > self._options.max_deviation:
            self._outliers += 1
            if self._outliers < self._options.max_outliers:
                return
            # After so many outliers the line is wrong: the sender's clock was set, or its timestamps restarted.
            self._reports.clear()
        self._outliers = 0
        if self._reports and timestamp <= self._reports[-1][0]:
            return
        self._reports.append((timestamp, ntp_time))
        self._fit()

    def ntp_time(self, timestamp: int) -> float | None:
        """Return the capture time of a timestamp in the sender's clock; ``None`` before the first report."""
        if self._line is None:
            return None
        origin, time, slope = self._line
        return time + (timestamp - origin) * slope

    def _fit(self) -> None:
        """Fit the line to the reports by least squares."""
        nominal = 1 / self._clock_rate
        first, first_time = self._reports[0]
        count = len(self._reports)
        mean_x = sum(x - first for x, _ in self._reports) / count
        mean_y = sum(y - first_time for _, y in self._reports) / count
        spread = sum((x - first - mean_x) ** 2 for x, _ in self._reports)
        slope = nominal
        # A slope over less than five seconds is noise, and no crystal is off by more than a thousandth.
        if self._reports[-1][0] - first > 5 * self._clock_rate:
            measured = (
                sum((x - first - mean_x) * (y - first_time - mean_y) for x, y in self._reports) / spread
            )
            if abs(measured / nominal - 1) < 1e-3:
                slope = measured
        self._line = (first + mean_x, first_time + mean_y, slope)


@attrs.frozen
class StreamTiming:
    """The playout position of a stream.

    Attributes:
        timestamp: The unwrapped timestamp of a frame.
        play_time: When that frame is, or was, played with the delay that its own stream needs.
    """

    timestamp: int
    play_time: float


class SyncGroup(Generic[StreamT]):
    """Computes the extra delay of each stream of one MediaStream."""

    __slots__ = ("_extra", "_leaders", "_maps", "_options")

    def __init__(self, options: AvSyncOptions | None = None) -> None:
        self._options = options or AvSyncOptions()
        self._maps: dict[StreamT, ClockMap] = {}
        self._extra: dict[StreamT, float] = {}
        # Streams that may be ahead of others by the tolerance, in order.
        self._leaders: dict[StreamT, None] = {}

    def add_stream(self, stream: StreamT, clock_rate: int, *, may_lead: bool = False) -> None:
        """Add a stream. The caller bounds how many there are.

        If it may lead, it is played ahead of slower streams by the tolerance, as video is ahead of audio.
        """
        self._maps[stream] = ClockMap(clock_rate, self._options)
        self._extra[stream] = 0.0
        self._leaders.pop(stream, None)
        if may_lead:
            self._leaders[stream] = None

    def remove_stream(self, stream: StreamT) -> None:
        self._maps.pop(stream, None)
        self._extra.pop(stream, None)
        self._leaders.pop(stream, None)

    def handle_sender_report(self, stream: StreamT, timestamp: int, ntp_time: float) -> None:
        """Handle a sender report; the timestamp is unwrapped, the time in seconds of the sender's clock."""
        if stream in self._maps:
            self._maps[stream].handle_sender_report(timestamp, ntp_time)

    def expect_shift(self, stream: StreamT, shift: float) -> None:
        """Record that the frames of a stream arrive later than before by ``shift`` seconds."""
        if stream in self._maps:
            self._maps[stream].expect_shift(shift)

    def ntp_time(self, stream: StreamT, timestamp: int) -> float | None:
        """Return the capture time of a timestamp in the sender's clock, ``None`` if that is not known."""
        clock = self._maps.get(stream)
        return None if clock is None else clock.ntp_time(timestamp)

    def extra_delays(self, timings: Mapping[StreamT, StreamTiming]) -> dict[StreamT, float]:
        """Return the delay of each stream beyond its own, in seconds.

        It changes by at most a step at a time, so that the change is not noticed. Streams whose clock is not known, or
        that are too far from the others to be of the same clock, do not wait; differences below the tolerance are
        ignored. Streams that may lead wait for the difference beyond the tolerance. While it is not known whether a
        clock has stood still, all delays stay.
        """
        if any(stream in self._maps and self._maps[stream].is_doubtful for stream in timings):
            return {stream: self._extra.get(stream, 0.0) for stream in timings}
        lags: dict[StreamT, float] = {}
        for stream, timing in timings.items():
            captured = self.ntp_time(stream, timing.timestamp)
            if captured is not None:
                lags[stream] = timing.play_time - captured
        slowest = max(lags.values(), default=0.0)
        if lags and slowest - min(lags.values()) > self._options.max_extra_delay:
            lags.clear()
        step = self._options.step
        for stream in timings:
            if stream not in self._extra:
                continue
            wanted = self._wait(stream, slowest - lags[stream]) if stream in lags else 0.0
            current = self._extra[stream]
            self._extra[stream] = min(max(wanted, current - step), current + step)
        return {stream: self._extra.get(stream, 0.0) for stream in timings}

    def _wait(self, stream: StreamT, lead: float) -> float:
        """Return the extra delay of a stream that is ahead of the slowest by ``lead`` seconds."""
        tolerance = self._options.tolerance
        if stream in self._leaders:
            return max(lead - tolerance, 0.0)
        return lead if lead >= (tolerance / 2 if self._extra[stream] else tolerance) else 0.0
