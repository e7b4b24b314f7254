"""With whom to share an encoder, when those who send the same pictures have different bandwidths.

What is shared fits the narrowest of those who share it. So they share only while nobody takes much from the others:
who is much slower than the fastest of them parts after a moment, and gets an encoder of his own or one with those who
are as slow as he is. When the difference has been gone for a while they join again, the fewer the more numerous. There
are only so many encoders; when no other may be made, who is slow takes what is nearest.
"""

from collections.abc import Sequence
from typing import TypeAlias

import attrs

Group: TypeAlias = Sequence[float]
"""What each of those who share an encoder can send, in bits a second."""

MAX_GROUPS = 4
"""Encoders for one source, codec, size and rate of pictures."""
_TOO_SLOW = 0.7
_ALIKE = 0.85
"""Parts of a bitrate; less than the first parts, and at least the second lets join again."""
_PARTING_PATIENCE = 1.0
_JOINING_PATIENCE = 4.0
"""Seconds. Both cost a keyframe, and joining one that all others get, too."""


@attrs.define
class EncoderSelection:
    """The choice of one who sends. The encoders there are come as groups of their other users."""

    _slow_since: float | None = None
    _alike_since: float | None = None

    def first(self, bitrate: float, groups: Sequence[Group]) -> int:
        """Return which group to begin with; the number of groups for a new one.

        Args:
            bitrate: What this one can send, in bits a second.
            groups: Those that there are.
        """
        for index, group in enumerate(groups):
            if _fits(bitrate, group, _TOO_SLOW):
                return index
        if len(groups) < MAX_GROUPS:
            return len(groups)
        unharmed = [index for index, group in enumerate(groups) if min(group) <= bitrate]
        if unharmed:
            return max(unharmed, key=lambda index: min(groups[index]))
        return min(range(len(groups)), key=lambda index: min(groups[index]))

    def next(self, bitrate: float, groups: Sequence[Group], present: int, now: float) -> int:
        """Return which group to be in from now on; the number of groups for a new one.

        Args:
            bitrate: What this one can send, in bits a second.
            groups: Those that there are, of which an empty one is this one's alone.
            present: In which it is.
            now: The time.
        """
        others = groups[present]
        if others and bitrate < _TOO_SLOW * max(others):
            self._alike_since = None
            self._slow_since = now if self._slow_since is None else self._slow_since
            if now < self._slow_since + _PARTING_PATIENCE:
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
            if (len(group), -index) > size and _fits(bitrate, group, _ALIKE)
        ]
        if not alike:
            self._alike_since = None
            return present
        self._alike_since = now if self._alike_since is None else self._alike_since
        if now < self._alike_since + _JOINING_PATIENCE:
            return present
        self._alike_since = None
        return alike[0]


def _fits(bitrate: float, group: Group, part: float) -> bool:
    """Return whether neither would take much from the other."""
    return not group or (bitrate >= part * max(group) and min(group) >= part * bitrate)
