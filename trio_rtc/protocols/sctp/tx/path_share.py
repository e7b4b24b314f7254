"""The window of data that shares its path with media.

A window that grows until packets are lost fills the queue of the bottleneck, and congestion control of media gives way
to that queue: it ends at a fraction of its share. So while media is sent, data has a second window, which keeps the
queue at a delay target below what media takes for overuse. Once a round trip it is multiplied by
``(base + target) / round trip``, as FAST TCP does (Wei, Jin, Low and Hegde, 2006): alone on a path this comes to the
target at once and never beyond it, and whatever others queue makes room for them.

``base`` is the round trip without a queue. It is measured with next to nothing in flight, at first and again every
``_RENEWAL`` seconds, since a queue that never drains would be taken for a part of the path (RFC 6817 section 4.2).

While media could use more than its congestion control lets it have, data has no higher rate than media. Without that
bound the two would stay at any shares of the path that they once had.
"""

import math
from typing import Final

import attrs

_MIN_TARGET: Final = 0.01
"""Seconds of queue on the shortest paths: there it is that of a busy machine, in which audio waits several times."""
_RENEWAL: Final = 10.0
"""Seconds between two measurements of the round trip without a queue."""
_MIN_PACKETS: Final = 2
"""Packets that may always be in flight: the peer acknowledges every second one at once (RFC 9260 section 6.2)."""
_SHORTEST: Final = 1e-6
"""Seconds that a round trip counts for at least: it may take no time on a simulated network."""
_MAX_STEP: Final = 1.1
_MIN_STEP: Final = 0.5
"""By what a window is multiplied in a round trip, at most and at least: media takes a sudden queue for overuse."""
_GROWTH_ABOVE: Final = 0.08
"""How fast a window above media's share grows, by this part of itself a second: as fast as media."""
_CONTENDED: Final = 0.3
"""Part of the target from which on a queue says that the path is full."""
_YIELD: Final = 0.9
"""By what a window above media's share is multiplied in a round trip while the path is full."""


@attrs.define
class PathShare:
    """Bounds what data has in flight, by the queue of the path and by a bitrate.

    Attributes:
        packet_size: Bytes of a full packet.
        target: Seconds by which data may make a round trip longer; less on paths that are shorter than that.
        maximum: Bytes that the window may have at most.
        window: Bytes that may be in flight; infinite while data has the path for itself.
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
        """Set how many bits a second data may take, ``None`` where no media shares the path.

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
        """Update the window from a round trip, and from what was in flight when it began."""
        if self._max_bitrate is None:
            return
        round_trip = max(round_trip, _SHORTEST)
        if self._measures_base:
            if flight > self._minimum + self.packet_size:
                # It began behind a queue of ours.
                return
            self._base, self._measures_base = round_trip, False
        self._base = min(self._base, round_trip)
        window = self._by_delay * self._change(round_trip, in_use=2 * flight >= self.window)
        self._by_delay = min(max(window, self._minimum), self.maximum)
        if now >= self._renewed_at + _RENEWAL:
            self._begin_measurement(now)
        self._update()

    def _change(self, round_trip: float, *, in_use: bool) -> float:
        """Return by what the window is to be multiplied."""
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
