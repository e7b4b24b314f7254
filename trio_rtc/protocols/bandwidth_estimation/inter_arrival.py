"""Groups of packets that were sent together, and how the time between groups changed on the way (GCC section 5.2)."""

from typing import NamedTuple

import attrs

from .options import BandwidthEstimationOptions

# goog_cc: so many groups in a row that seem to arrive before the one before them mean a jump of the peer's clock.
_MAX_REORDERED_GROUPS = 3


class GroupDelta(NamedTuple):
    """The difference between two consecutive groups.

    ``send_time`` and ``arrival_time`` (on the peer's clock) are those of the later one; ``delay`` their difference:
    an offset between two clocks plus the time on the way.
    """

    send_delta: float
    arrival_delta: float
    send_time: float
    arrival_time: float

    @property
    def delay(self) -> float:
        """Time on the way of the later group, plus the offset between the clocks."""
        return self.arrival_time - self.send_time


@attrs.define
class _Group:
    first_send_time: float
    last_send_time: float
    first_arrival_time: float
    last_arrival_time: float


class InterArrival:
    """Forms groups from packets in order of arrival, and gives the deltas between complete groups."""

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._burst_time = options.burst_time
        self._max_burst = options.max_burst_duration
        self._max_jump = options.max_arrival_jump
        self._current: _Group | None = None
        self._previous: _Group | None = None
        self._reordered = 0

    def reset(self) -> None:
        """Begin anew: nothing before is comparable with what follows."""
        self._current = None
        self._previous = None
        self._reordered = 0

    def add(self, send_time: float, arrival_time: float) -> GroupDelta | None:
        """Take a packet; return a delta when it is the first of a new group and two complete ones lie behind it."""
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
            # Sent before the group that is being formed: it was overtaken, its delay is not the queue's.
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
        # Sent later, and yet arrived together: some hop held them back and let them go at once (GCC section 5.2).
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
