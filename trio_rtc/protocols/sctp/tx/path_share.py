"""The window of data that shares a path with media.

A loss-based window fills the queue of the bottleneck, and the delay-based congestion control of media backs off from
that queue to a fraction of its share. So while media is sent, data has a second window, which keeps the queueing delay
at a target below that which media detects as overuse. Once a round trip it is multiplied by
``(base + target) / round trip``, as in FAST TCP (Wei, Jin, Low and Hegde, 2006): alone on a path it reaches the target
at once and never exceeds it, and it yields to the queues of others.

``base`` is the round trip without a queue. It is measured with almost nothing in flight, at first and again every
``_RENEWAL`` seconds, since a standing queue would otherwise be included in it (RFC 6817 section 4.2).

While media could use more bandwidth than its congestion control allows, the rate of data is at most that of media.
Without that limit the two would keep any shares of the path that they once had.
"""

import math
from typing import Final

from trio_rtc import _attrs as attrs

_MIN_TARGET: Final = 0.01
"""Seconds of queueing delay allowed on the shortest paths, where it is caused by scheduling on busy machines."""
_RENEWAL: Final = 10.0
"""Seconds between two measurements of ``base``."""
_MIN_PACKETS: Final = 2
"""Packets that may always be in flight: the peer acknowledges every second one at once (RFC 9260 section 6.2)."""
_SHORTEST: Final = 1e-6
"""Lower bound of a round trip in seconds: on a simulated network it may be zero."""
_MAX_STEP: Final = 1.1
_MIN_STEP: Final = 0.5
"""Limits of the factor for a round trip: media detects a sudden queue as overuse."""
_GROWTH_ABOVE: Final = 0.08
"""Relative growth a second of a window above media's share: as fast as media."""
_CONTENDED: Final = 0.3
"""Part of the target above which a queueing delay shows that the path is full."""
_YIELD: Final = 0.9
"""Factor for a window above media's share in a round trip while the path is full."""


@attrs.define
class PathShare:
    """Limits the data in flight by the queueing delay of the path and by a bitrate.

    Attributes:
        packet_size: Bytes of a full packet.
        target: Queueing delay in seconds that data may cause; less on paths with a shorter round trip.
        maximum: Upper bound of the window, in bytes.
        window: Bytes that may be in flight; infinite while no media shares the path.
    """

    packet_size: int
    target: float
    maximum: int
    window: float = attrs.field(default=math.inf, init=False)
    _max_bitrate: float | None = attrs.field(default=None, init=False)
    _by_delay: float = attrs.field(default=math.inf, init=False)
    _base: float = attrs.field(default=math.inf, init=False)
    _measures_base: bool = attrs.field(default=False, init=False)
    _renewed_at: float = attrs.field(default=-math.inf, init=False)

    def set_max_bitrate(self, max_bitrate: float | None, now: float) -> bool:
        """Set the bits a second that data may use, ``None`` while no media shares the path.

        Returns:
            Whether the window is larger than before.
        """
        before, shared = self.window, self._max_bitrate is not None
        self._max_bitrate = max_bitrate
        if max_bitrate is not None and not shared:
            self._by_delay = self._minimum
            self._begin_measurement(now)
        self._update()
        return self.window > before

    def round_trip_measured(self, round_trip: float, flight: int, now: float) -> None:
        """Update the window from a round trip and the bytes in flight at its start."""
        if self._max_bitrate is None:
            return
        round_trip = max(round_trip, _SHORTEST)
        if self._measures_base:
            if flight > self._minimum + self.packet_size:
                # It includes a queue of our own data.
                return
            self._base, self._measures_base = round_trip, False
        self._base = min(self._base, round_trip)
        window = self._by_delay * self._change(round_trip, in_use=2 * flight >= self.window)
        self._by_delay = min(max(window, self._minimum), self.maximum)
        if now >= self._renewed_at + _RENEWAL:
            self._begin_measurement(now)
        self._update()

    def _change(self, round_trip: float, *, in_use: bool) -> float:
        """Return the factor for the window."""
        assert self._max_bitrate is not None
        target = min(self.target, max(self._base, _MIN_TARGET))
        wanted = (self._base + target) / round_trip
        above = self._by_delay > self._max_bitrate * round_trip / 8
        if above and round_trip - self._base > _CONTENDED * target:
            return min(wanted, _YIELD)
        if wanted < 1:
            return max(wanted, _MIN_STEP)
        if not in_use:
            return 1.0
        return min(wanted, 1 + _GROWTH_ABOVE * round_trip if above else _MAX_STEP)

    @property
    def _minimum(self) -> int:
        return _MIN_PACKETS * self.packet_size

    def _begin_measurement(self, now: float) -> None:
        self._measures_base = True
        self._renewed_at = now

    def _update(self) -> None:
        if self._max_bitrate is None:
            self.window = math.inf
        else:
            self.window = self._minimum if self._measures_base else self._by_delay
