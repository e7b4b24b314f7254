"""The selection of a shared encoder by senders with different bandwidths.

A shared encoder is limited to the lowest bitrate of its users. Senders share an encoder only while their bitrates are
similar: a sender with a much lower bitrate than the highest of the group leaves after a second, for an encoder of its
own or of senders with a similar bitrate. When a sender's bitrate has been similar to those of a larger group for four
seconds, it joins that group. The number of encoders is bounded; at the bound, a sender joins the nearest group.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from trio_rtc import _attrs as attrs

Group: TypeAlias = Sequence[float]
"""The bitrates of an encoder's users, in bits per second."""

MAX_GROUPS: Final = 4
"""Maximum number of encoders for one source, codec, size and frame rate."""
_LEAVE_BELOW: Final = 0.7
_JOIN_ABOVE: Final = 0.85
"""Ratios of two bitrates: a sender leaves a group below ``_LEAVE_BELOW``, and may join one above ``_JOIN_ABOVE``."""
_LEAVE_DELAY: Final = 1.0
_JOIN_DELAY: Final = 4.0
"""Seconds. Leaving costs one keyframe; joining costs a keyframe for all users of the encoder."""


@attrs.define
class EncoderSelection:
    """Encoder selection of one sender. An encoder is represented by the group of its other users."""

    _slow_since: float | None = None
    _similar_since: float | None = None

    def first(self, bitrate: float, groups: Sequence[Group]) -> int:
        """Return the index of the group to begin with; the number of groups means a new encoder.

        Args:
            bitrate: The bitrate of this sender, in bits per second.
            groups: The groups of all encoders.
        """
        for index, group in enumerate(groups):
            if _fits(bitrate, group, _LEAVE_BELOW):
                return index
        if len(groups) < MAX_GROUPS:
            return len(groups)
        not_limited = [index for index, group in enumerate(groups) if min(group) <= bitrate]
        if not_limited:
            return max(not_limited, key=lambda index: min(groups[index]))
        return min(range(len(groups)), key=lambda index: min(groups[index]))

    def next(self, bitrate: float, groups: Sequence[Group], present: int, now: float) -> int:
        """Return the index of the group to use from now on; the number of groups means a new encoder.

        Args:
            bitrate: The bitrate of this sender, in bits per second.
            groups: The groups of all encoders; an empty group has no other user than this sender.
            present: Index of its present group.
            now: The time, in seconds.
        """
        others = groups[present]
        if others and bitrate < _LEAVE_BELOW * max(others):
            self._similar_since = None
            self._slow_since = now if self._slow_since is None else self._slow_since
            if now < self._slow_since + _LEAVE_DELAY:
                return present
            self._slow_since = None
            return self.first(bitrate, groups)
        self._slow_since = None
        return self._joined(bitrate, groups, present, now)

    def _joined(self, bitrate: float, groups: Sequence[Group], present: int, now: float) -> int:
        size = (len(groups[present]) + 1, -present)
        similar = [
            index
            for index, group in enumerate(groups)
            if (len(group), -index) > size and _fits(bitrate, group, _JOIN_ABOVE)
        ]
        if not similar:
            self._similar_since = None
            return present
        self._similar_since = now if self._similar_since is None else self._similar_since
        if now < self._similar_since + _JOIN_DELAY:
            return present
        self._similar_since = None
        return similar[0]


def _fits(bitrate: float, group: Group, ratio: float) -> bool:
    """Return whether the bitrates of a sender and a group differ by less than a ratio."""
    return not group or (bitrate >= ratio * max(group) and min(group) >= ratio * bitrate)
