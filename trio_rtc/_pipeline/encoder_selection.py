"""The selection of a shared encoder by senders with different bandwidths.

A shared encoder is limited to the lowest bitrate of its users. Senders share one only while none of them takes much
from the others: a sender that is much slower than the fastest user leaves after a moment, for an encoder of its own or
one of equally slow senders. When the difference has been gone for a while, the smaller group joins the larger one. The
number of encoders is bounded; when no other may be opened, a slow sender takes the nearest.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import attrs

Group: TypeAlias = Sequence[float]
"""The bitrates of an encoder's users, in bits per second."""

MAX_GROUPS: Final = 4
"""Encoders for one source, codec, size and frame rate."""
_LEAVE_BELOW: Final = 0.7
_JOIN_ABOVE: Final = 0.85
"""Ratios of two bitrates: a sender leaves a group below the first, and may join one above the second."""
_LEAVE_DELAY: Final = 1.0
_JOIN_DELAY: Final = 4.0
"""Seconds. Both cost a keyframe; joining costs one for all users."""


@attrs.define
class EncoderSelection:
    """The selection by one sender. Encoders are given as the groups of their other users."""

    _slow_since: float | None = None
    _alike_since: float | None = None

    def first(self, bitrate: float, groups: Sequence[Group]) -> int:
        """Return the index of the first group; the number of groups for a new encoder.

        Args:
            bitrate: The bitrate of this sender, in bits per second.
            groups: The groups of all encoders.
        """
        for index, group in enumerate(groups):
            if _fits(bitrate, group, _LEAVE_BELOW):
                return index
        if len(groups) < MAX_GROUPS:
            return len(groups)
        unharmed = [index for index, group in enumerate(groups) if min(group) <= bitrate]
        if unharmed:
            return max(unharmed, key=lambda index: min(groups[index]))
        return min(range(len(groups)), key=lambda index: min(groups[index]))

    def next(self, bitrate: float, groups: Sequence[Group], present: int, now: float) -> int:
        """Return the index of the group to use from now on; the number of groups for a new encoder.

        Args:
            bitrate: The bitrate of this sender, in bits per second.
            groups: The groups of all encoders; an empty one has only this sender.
            present: The index of its group.
            now: Seconds.
        """
        others = groups[present]
        if others and bitrate < _LEAVE_BELOW * max(others):
            self._alike_since = None
            self._slow_since = now if self._slow_since is None else self._slow_since
            if now < self._slow_since + _LEAVE_DELAY:
                return present
            self._slow_since = None
            return self.first(bitrate, groups)
        self._slow_since = None
        return self._joined(bitrate, groups, present, now)

    def _joined(self, bitrate: float, groups: Sequence[Group], present: int, now: float) -> int:
        size = (len(groups[present]) + 1, -present)
        alike = [
            index
            for index, group in enumerate(groups)
            if (len(group), -index) > size and _fits(bitrate, group, _JOIN_ABOVE)
        ]
        if not alike:
            self._alike_since = None
            return present
        self._alike_since = now if self._alike_since is None else self._alike_since
        if now < self._alike_since + _JOIN_DELAY:
            return present
        self._alike_since = None
        return alike[0]


def _fits(bitrate: float, group: Group, part: float) -> bool:
    """Return whether neither the sender nor the group would lose much by sharing."""
    return not group or (bitrate >= part * max(group) and min(group) >= part * bitrate)
