"""The table of the peer's SSRCs: one record for each SSRC of which an authentic packet has arrived.

A record is in one of four states:

* ``IDLE``: it has no stream. Its SSRC retransmits or protects another one, or no packet of it belonged to a section, or
  its stream has ended.
* ``ACTIVE``: its stream receives its packets.
* ``REROUTED``: its packets name another section or layer than before. The next media packet confirms its stream or
  ends it.
* ``DEPARTED``: its stream was ended by a BYE or replaced by another SSRC. Packets that are late start no new stream; a
  packet after that starts one.

Bound and eviction: at most ``max_idle`` records have no stream. When there is one more, the record without a stream
whose SSRC was used longest ago is evicted, whatever its state, and SRTP forgets its replay window. As long as SRTP
keeps that window, recorded packets of the SSRC cannot be replayed. Records with a stream are never evicted; the
receiver limits their number and refuses further ones.
"""

import enum
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

from trio_rtc.protocols.rtp.codec import Codec

from .sections import ReceiveSections, Route

StreamT = TypeVar("StreamT")

_LATE: Final = 0.5
"""Seconds after the end of a stream in which packets of its SSRC are late ones."""
_NO_CODECS: Final[Mapping[int, Codec]] = {}


class SsrcState(enum.Enum):
    """The state of a record; see the module."""

    IDLE = "idle"
    ACTIVE = "active"
    REROUTED = "rerouted"
    DEPARTED = "departed"


class SsrcEntry(Generic[StreamT]):
    """The record of one SSRC.

    Attributes:
        route: The destination of its packets; ``None`` before one was found since the last negotiation.
        learned: The route that its packets have determined, other than the announced one; outlives negotiations.
        codecs: The codecs of the section by payload type.
        identifiers: The MID and RID elements of its packets so far: id → bytes.
        departed_at: When its stream ended; used in state ``DEPARTED``.
    """

    __slots__ = ("codecs", "departed_at", "identifiers", "learned", "route", "ssrc", "state", "stream")

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.state = SsrcState.IDLE
        self.route: Route | None = None
        self.learned: Route | None = None
        self.codecs = _NO_CODECS
        self.identifiers: dict[int, bytes] = {}
        self.stream: StreamT | None = None
        self.departed_at = 0.0

    def is_late(self, now: float) -> bool:
        """Return whether a packet that arrives now is a late one of a stream that has ended."""
        return self.state is SsrcState.DEPARTED and now < self.departed_at + _LATE

    def clear_route(self) -> None:
        self.route = self.learned = None
        self.codecs = _NO_CODECS
        self.identifiers = {}


class SsrcTable(Generic[StreamT]):
    """The records of all SSRCs.

    Args:
        max_idle: How many records without a stream are kept, at least 1.

    Attributes:
        streams: The streams by SSRC, in the order in which they started.
        evicted: SSRCs whose records were evicted; some may have a record again.
    """

    __slots__ = ("_idle", "_max_idle", "entries", "evicted", "streams")

    def __init__(self, max_idle: int) -> None:
        self._max_idle = max_idle
        self._idle: OrderedDict[int, None] = OrderedDict()
        self.entries: dict[int, SsrcEntry[StreamT]] = {}
        self.streams: dict[int, StreamT] = {}
        self.evicted: list[int] = []

    def record_use(self, ssrc: int) -> SsrcEntry[StreamT]:
        """Record an authentic packet of an SSRC, and return the record; it may evict another one."""
        entry = self.entries.get(ssrc)
        if entry is None:
            entry = self.entries[ssrc] = SsrcEntry(ssrc)
        if entry.stream is None:
            self._record_idle(ssrc)
        return entry

    def activate(self, entry: SsrcEntry[StreamT], stream: StreamT) -> None:
        """Set the stream of a record. The record may have been evicted while streams before it ended."""
        entry.stream = self.streams[entry.ssrc] = stream
        entry.state = SsrcState.ACTIVE
        self.entries[entry.ssrc] = entry
        self._idle.pop(entry.ssrc, None)

    def release(self, ssrc: int, departed_at: float | None = None) -> None:
        """Remove the stream of a record, and its route.

        ``departed_at`` is the present time if late packets of the stream may arrive.
        """
        del self.streams[ssrc]
        entry = self.entries[ssrc]
        entry.stream = None
        entry.clear_route()
        entry.state = SsrcState.IDLE
        if departed_at is not None:
            entry.state, entry.departed_at = SsrcState.DEPARTED, departed_at
        self._record_idle(ssrc)

    def reset_routes(self, sections: ReceiveSections) -> None:
        """Determine all routes again. Learned ones are kept as far as their section is."""
        for entry in self.entries.values():
            learned = entry.learned
            entry.clear_route()
            if learned is not None and (section := sections.by_mid.get(learned.section.mid)) is not None:
                entry.learned = Route(section, learned.rid)

    def take_evicted(self) -> list[int]:
        """Return the SSRCs whose records were evicted since the last call, and which have no record again."""
        evicted, self.evicted = self.evicted, []
        return [ssrc for ssrc in evicted if ssrc not in self.entries]

    def _record_idle(self, ssrc: int) -> None:
        idle = self._idle
        idle[ssrc] = None
        idle.move_to_end(ssrc)
        if len(idle) > self._max_idle:
            evicted, _ = idle.popitem(last=False)
            del self.entries[evicted]
            self.evicted.append(evicted)
