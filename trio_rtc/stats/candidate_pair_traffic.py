"""The traffic of each candidate pair: a transport's bytes and packets while the pair was selected."""

from typing import Protocol

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.ice import Candidate, CandidatePair

_MAX_PAIRS = 64

PairKey = tuple[tuple[str, int], tuple[str, int], str | None]
"""Local base, remote address and local username fragment of a pair; an ICE restart may use the addresses again."""


@attrs.frozen
class Traffic:
    """Bytes and packets of the layers above ICE, in both directions, and those that the socket discarded."""

    bytes_sent: int = 0
    bytes_received: int = 0
    packets_sent: int = 0
    packets_received: int = 0
    packets_discarded: int = 0
    bytes_discarded: int = 0

    def plus(self, other: "Traffic", *, sign: int = 1) -> "Traffic":
        """Return the sum with ``other``, or the difference for ``sign=-1``."""
        mine, theirs = attrs.astuple(self), attrs.astuple(other)
        return Traffic(*(a + sign * b for a, b in zip(mine, theirs, strict=True)))


@attrs.frozen
class LastPackets:
    """Times of the last packets of the layers above ICE, by trio's clock in seconds; ``None`` before the first."""

    sent_at: float | None = None
    received_at: float | None = None


class TrafficCounter(Protocol):
    """The counters of a transport: ICE's shell, its one implementer, which is in a higher layer."""

    bytes_sent: int
    bytes_received: int
    packets_sent: int
    packets_received: int
    packets_discarded: int
    bytes_discarded: int
    last_sent_at: float | None
    last_received_at: float | None


_NOTHING = Traffic(), LastPackets()


def key_of(local_base: tuple[str, int], remote_address: tuple[str, int], local: Candidate) -> PairKey:
    """Return the key of a pair."""
    return local_base, remote_address, local.username_fragment


@attrs.define(eq=False)
class CandidatePairTraffic:
    """The traffic of the last 64 selected pairs of a transport.

    ``counter`` is ``None`` before it exists; ``changes`` is the number of selections, including those of no pair.
    """

    counter: TrafficCounter | None = None
    _selected: PairKey | None = None
    _total_at_selection: Traffic = Traffic()
    _before: dict[PairKey, tuple[Traffic, LastPackets]] = attrs.field(factory=dict)
    changes: int = 0

    def select(self, pair: CandidatePair | None) -> None:
        self.changes += 1
        if self._selected is not None:
            self._before[self._selected] = self.of(self._selected), self.last_packets_of(self._selected)
            if len(self._before) > _MAX_PAIRS:
                del self._before[next(iter(self._before))]
        self._selected = None if pair is None else key_of(pair.local_base, pair.remote_address, pair.local)
        self._total_at_selection = self._total()

    def of(self, key: PairKey) -> Traffic:
        """Return the traffic while a pair was selected."""
        before, _ = self._before.get(key, _NOTHING)
        if key != self._selected:
            return before
        return before.plus(self._total()).plus(self._total_at_selection, sign=-1)

    def last_packets_of(self, key: PairKey) -> LastPackets:
        """Return the times of the last packets while a pair was selected."""
        (_, before), counter = self._before.get(key, _NOTHING), self.counter
        if key != self._selected or counter is None:
            return before
        total = self.of(key)
        earlier, _ = self._before.get(key, _NOTHING)
        return LastPackets(
            counter.last_sent_at if total.packets_sent > earlier.packets_sent else before.sent_at,
            counter.last_received_at
            if total.packets_received > earlier.packets_received
            else before.received_at,
        )

    def _total(self) -> Traffic:
        counter = self.counter
        if counter is None:
            return Traffic()
        return Traffic(
            counter.bytes_sent,
            counter.bytes_received,
            counter.packets_sent,
            counter.packets_received,
            counter.packets_discarded,
            counter.bytes_discarded,
        )
