"""Sources that have said goodbye, or whose place another one has taken: of these late packets begin nothing anew."""

from typing import Final

_LATE: Final = 0.5
"""Seconds for which packets of a source are late ones."""
_MAX_SOURCES: Final = 64


class DepartedSources:
    """Tells late packets from a source that has come back.

    Of more than 64 sources the one that went first is forgotten: its late packets would begin a stream.
    """

    __slots__ = ("_departed",)

    def __init__(self) -> None:
        self._departed: dict[int, float] = {}

    def add(self, ssrc: int, now: float) -> None:
        """Hear that a source has gone."""
        self._departed[ssrc] = now
        if len(self._departed) > _MAX_SOURCES:
            del self._departed[next(iter(self._departed))]

    def is_late(self, ssrc: int, now: float) -> bool:
        """Return whether a packet that comes now is a late one."""
        departed = self._departed.get(ssrc)
        return departed is not None and now < departed + _LATE

    def discard(self, ssrc: int) -> None:
        """Hear that a source is back."""
        self._departed.pop(ssrc, None)
