"""Groups of packets sent together, and the inter-arrival delay variation between groups (GCC section 5.2)."""

from typing import NamedTuple

from trio_rtc import _attrs as attrs

from .options import BandwidthEstimationOptions

# goog_cc: so many consecutive groups that seem to arrive before their predecessors mean a jump of the peer's clock.
_MAX_REORDERED_GROUPS = 3


class GroupDelta(NamedTuple):
    """The differences between two consecutive groups.

    ``send_time`` and ``arrival_time`` (on the peer's clock) are those of the later one.
    """

    send_delta: float
    arrival_delta: float
    send_time: float
    arrival_time: float

    @property
    def delay(self) -> float:
        """One-way delay of the later group, plus the offset between the clocks."""
        return self.arrival_time - self.send_time


@attrs.define
class _Group:
    first_send_time: float
    last_send_time: float
    first_arrival_time: float
    last_arrival_time: float


class InterArrival:
    """Groups packets in order of arrival, and computes the deltas between complete groups."""

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._burst_time = options.burst_time
        self._max_burst = options.max_burst_duration
        self._max_jump = options.max_arrival_jump
        self._current: _Group | None = None
        self._previous: _Group | None = None
        self._reordered = 0

    def reset(self) -> None:
        """Discard all groups, because later ones cannot be compared with them."""
        self._current = None
        self._previous = None
        self._reordered = 0

    def add(self, send_time: float, arrival_time: float) -> GroupDelta | None:
        """Add a packet; return a delta if it starts a new group and two complete ones precede it."""
        group = self._current
        if group is None:
            self._current = _Group(send_time, send_time, arrival_time, arrival_time)
            return None
        jump = (arrival_time - group.last_arrival_time) - (send_time - group.last_send_time)
        if abs(jump) > self._max_jump:
            self.reset()
            self._current = _Group(send_time, send_time, arrival_time, arrival_time)
            return None
        if send_time < group.first_send_time:
            # Sent before the current group: it was reordered, its delay is not that of the queue.
            return None
        if self._belongs(group, send_time, arrival_time):
            group.last_send_time = max(group.last_send_time, send_time)
            group.last_arrival_time = max(group.last_arrival_time, arrival_time)
            return None
        delta = self._complete(group)
        self._current = _Group(send_time, send_time, arrival_time, arrival_time)
        return delta

    def _belongs(self, group: _Group, send_time: float, arrival_time: float) -> bool:
        if send_time - group.first_send_time <= self._burst_time:
            return True
        # Sent later, but arrived together: a hop has delayed them and sent them as a burst (GCC section 5.2).
        arrival_delta = arrival_time - group.last_arrival_time
        propagation = arrival_delta - (send_time - group.last_send_time)
        return (
            propagation < 0
            and arrival_delta <= self._burst_time
            and arrival_time - group.first_arrival_time < self._max_burst
        )

    def _complete(self, group: _Group) -> GroupDelta | None:
        previous = self._previous
        if previous is None:
            self._previous = group
            return None
        arrival_delta = group.last_arrival_time - previous.last_arrival_time
        if arrival_delta < 0:
            self._reordered += 1
            if self._reordered >= _MAX_REORDERED_GROUPS:
                self.reset()
            return None
        self._reordered = 0
        self._previous = group
        return GroupDelta(
            group.last_send_time - previous.last_send_time,
            arrival_delta,
            group.last_send_time,
            group.last_arrival_time,
        )
