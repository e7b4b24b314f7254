"""Sources of the peer that have no stream, or none any more, and are still remembered by SRTP.

SRTP keeps a replay window for every source of which an authentic packet has come. As long as it does, nobody can play
recorded packets of that source again; but a peer that sends from ever new sources must not fill the table. So sources
without a stream keep their window, and of more than a bound the one that was heard of longest ago loses it.
"""

from collections import OrderedDict


class IdleSources:
    """Says which source SRTP may forget.

    Args:
        limit: How many are kept.
    """

    __slots__ = ("_limit", "_sources")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sources: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sources)

    def note(self, ssrc: int) -> int | None:
        """Hear of a source without a stream; return the one to forget for it, ``None`` if there is room."""
        self._sources[ssrc] = None
        self._sources.move_to_end(ssrc)
        return self._sources.popitem(last=False)[0] if len(self._sources) > self._limit else None

    def discard(self, ssrc: int) -> None:
        """Hear that a source has a stream."""
        self._sources.pop(ssrc, None)
