"""The RTP clock of a stream that we send: which timestamp belongs to a time (RFC 3550 section 6.4.1).

Sender reports state this relation, by which receivers play audio and video together. A frame can be late, because a
task ran late or because a network delayed a forwarded packet, but it is hardly ever early. The relation therefore
follows the least delayed frames of the last seconds. A report by a late frame would be wrong by its lateness, and for
long: libwebrtc fits a line to the last twenty reports.
"""

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.serial import serial_difference

_WINDOW = 1.0
"""Seconds after which a less delayed frame is forgotten, because the source's clock may run slower than ours."""
_MAX_LATENESS = 1.0
"""Seconds by which a frame can be late. If it is later, the source has been stopped or replaced."""


@attrs.frozen
class TimestampPoint:
    """A timestamp of the RTP clock at some time.

    Attributes:
        timestamp: 32 bits.
        at: The time in seconds.
        clock_rate: Units of the timestamp per second.
    """

    timestamp: int
    at: float
    clock_rate: int

    def extrapolate(self, at: float) -> int:
        return (self.timestamp + round((at - self.at) * self.clock_rate)) & 0xFFFFFFFF

    def lateness_of(self, other: "TimestampPoint") -> float:
        """Return by how many seconds another point comes later than this clock states."""
        elapsed = serial_difference(other.timestamp, self.timestamp, 32) / self.clock_rate
        return other.at - self.at - elapsed


class RtpClock:
    """Estimates the RTP clock of a stream from the timestamps and the capture times of its frames.

    Attributes:
        last: The last recorded point; ``None`` before the first.
    """

    def __init__(self) -> None:
        self.last: TimestampPoint | None = None
        self._reference: TimestampPoint | None = None
        self._next: TimestampPoint | None = None
        self._window_end = 0.0

    @property
    def is_running(self) -> bool:
        return self.last is not None

    def record(self, point: TimestampPoint) -> None:
        self.last = point
        if self._restarts(point):
            self._begin_window(point, point.at)
            return
        if self._next is None or self._next.lateness_of(point) <= 0:
            self._next = point
        if point.at >= self._window_end:
            self._begin_window(self._next, point.at)

    def extrapolate(self, at: float) -> int | None:
        """Return the timestamp at a time; ``None`` before the first point."""
        return None if self._reference is None else self._reference.extrapolate(at)

    def _restarts(self, point: TimestampPoint) -> bool:
        reference = self._reference
        if reference is None or reference.clock_rate != point.clock_rate:
            return True
        return not 0 < reference.lateness_of(point) <= _MAX_LATENESS

    def _begin_window(self, reference: TimestampPoint, now: float) -> None:
        self._reference, self._next, self._window_end = reference, None, now + _WINDOW
