"""Outstanding chunks: sent, and not acknowledged by the cumulative TSN.

The usual case is cheap: a chunk is a pair of its bytes and the limits of its message in a dict by TSN, and a SACK
without gaps removes the chunks that it acknowledges. Side tables, which are empty while nothing is lost, hold the rest:
chunks acknowledged by gap ack blocks, reported missing, marked lost, retransmitted, abandoned. A chunk is *in flight*
if it is in none of ``gap_acked``, ``lost`` and ``abandoned``.

A chunk is marked lost after three miss indications, counted only from acknowledgements of chunks sent after it (RFC
9260 section 7.2.4, HTNA algorithm). Peers acknowledge a batch of packets with one SACK, so it counts as one indication
for each packet of bytes above the hole that it newly acknowledges: as many as if each packet had been acknowledged by
itself. Unlike in section 7.2.4, a retransmission can be marked lost again, but only by the acknowledgement of chunks
first sent after the retransmission: with heavy loss that saves a timeout for each lost retransmission.
"""

import heapq
from collections.abc import Iterable, Sequence
from typing import Final

from trio_rtc.protocols.sctp.packet.chunks import ForwardTsn

from .send_queue import PartialReliability

_MISSING_REPORTS: Final = 3
# Chunks that one SACK can report missing, the lowest ones first. The SACKs for their retransmissions report the rest:
# more of them would exceed any congestion window after a loss.
MAX_REPORTED: Final = 1024
# Chunks that one SACK can take back, the lowest ones first; the next SACK takes back the rest.
MAX_RENEGED: Final = 1024
# Streams that fit one FORWARD-TSN in the smallest packet allowed.
_MAX_SKIPPED_STREAMS: Final = 100

TsnRange = tuple[int, int]


def _subtract(ranges: Sequence[TsnRange], others: Sequence[TsnRange]) -> list[TsnRange]:
    """Return the parts of sorted ``ranges`` that are not in sorted ``others``; all are inclusive."""
    result = []
    index, end = 0, len(others)
    for first, last in ranges:
        while index < end and others[index][1] < first:
            index += 1
        rest = first
        while index < end and others[index][0] <= last:
            other_first, other_last = others[index]
            if other_first > rest:
                result.append((rest, other_first - 1))
            rest = other_last + 1
            if other_last > last:
                break  # it may overlap the next range as well
            index += 1
        if rest <= last:
            result.append((rest, last))
    return result


class Outstanding:
    """Outstanding chunks by unwrapped TSN.

    Attributes:
        next_tsn: TSN of the next new chunk.
        cumulative_tsn: The cumulative TSN acknowledged by the peer.
        chunks: The chunks above it.
        flight: Bytes of chunks in flight, chunk headers included.
        gap_acked: TSNs acknowledged by gap ack blocks, which the peer may renege.
        lost: TSNs to retransmit.
        abandoned: TSNs abandoned, which a FORWARD-TSN skips.
        retransmissions: Number of retransmissions, for TSNs that have any.
        messages_abandoned: Messages abandoned after a part of them was sent.
    """

    def __init__(self, initial_tsn: int, packet_size: int) -> None:
        self._packet_size = packet_size
        self.next_tsn = initial_tsn
        self.cumulative_tsn = initial_tsn - 1
        self.chunks: dict[int, tuple[bytes, PartialReliability | None]] = {}
        self.flight = 0
        self.gap_acked: set[int] = set()
        self.lost: set[int] = set()
        self.abandoned: set[int] = set()
        self.retransmissions: dict[int, int] = {}
        self.messages_abandoned = 0
        self._lost_heap: list[int] = []
        self._misses: dict[int, int] = {}
        self._resent_before: dict[int, int] = {}
        self._gap_ranges: list[TsnRange] = []
        self._peer_ack_point = initial_tsn - 1

    def is_unambiguous(self, tsn: int) -> bool:
        """Return whether an acknowledgement of this chunk measures a round trip (Karn's algorithm).

        It does not if the chunk was retransmitted, acknowledged by a gap block before, or abandoned.
        """
        return tsn not in self.retransmissions and tsn not in self.gap_acked and tsn not in self.abandoned

    def acknowledge(self, cumulative_tsn: int) -> int:
        """Remove the chunks up to ``cumulative_tsn``; return the bytes newly acknowledged."""
        acknowledged = 0
        pop = self.chunks.pop
        tsns = range(self.cumulative_tsn + 1, cumulative_tsn + 1)
        self.cumulative_tsn = cumulative_tsn
        if not (self.gap_acked or self.lost or self.abandoned or self.retransmissions or self._misses):
            for tsn in tsns:
                acknowledged += len(pop(tsn)[0])
            self.flight -= acknowledged
            return acknowledged
        for tsn in tsns:
            size = len(pop(tsn)[0])
            self._misses.pop(tsn, None)
            self.retransmissions.pop(tsn, None)
            self._resent_before.pop(tsn, None)
            if tsn in self.abandoned:
                self.abandoned.discard(tsn)
                self.gap_acked.discard(tsn)
            elif tsn in self.gap_acked:
                self.gap_acked.discard(tsn)
            else:
                acknowledged += size
                if tsn in self.lost:
                    self.lost.discard(tsn)
                else:
                    self.flight -= size
        return acknowledged

    def acknowledge_gaps(self, gap_ranges: list[TsnRange]) -> list[tuple[int, int]]:
        """Apply the gap ack blocks of a SACK, as inclusive ranges of TSNs above the cumulative TSN.

        Returns:
            Ranges newly acknowledged: the last TSN and the bytes of each.
        """
        previous = self._gap_ranges
        if gap_ranges == previous:
            return []
        not_yet = self._renege(_subtract(previous, gap_ranges))
        self._gap_ranges = sorted([*gap_ranges, *not_yet]) if not_yet else gap_ranges
        return [(last, self._mark_gap_acked(first, last)) for first, last in _subtract(gap_ranges, previous)]

    def report_missing(
        self, newly: Sequence[tuple[int, int]], highest: int, now: float, *, early: bool
    ) -> tuple[bool, list[PartialReliability]]:
        """Count miss indications for the holes below the TSN ``highest``, for at most ``MAX_REPORTED`` chunks.

        Args:
            newly: The result of ``acknowledge_gaps``.
            highest: The highest TSN that counts as newly acknowledged.
            now: The time.
            early: Whether no new data can be sent: then too few chunks may be outstanding for three indications, and
                fewer are enough (RFC 5827, Early Retransmit).

        Returns:
            Whether a chunk was marked lost, and the limits of messages that were abandoned by it.
        """
        threshold = _MISSING_REPORTS
        if early:
            threshold = min(threshold, max(1, len(self.chunks) - 1))
        bytes_above = sum(size for _, size in newly)
        position = 0
        lost_any = False
        abandoned: list[PartialReliability] = []
        first = self.cumulative_tsn + 1
        left = MAX_REPORTED
        for gap_first, gap_last in self._gap_ranges:
            while position < len(newly) and newly[position][0] < gap_first:
                bytes_above -= newly[position][1]
                position += 1
            reports = max(1, bytes_above // self._packet_size)
            end = min(gap_first, highest, first + left)
            left -= max(0, end - first)
            for tsn in range(first, end):
                if self._is_missed(tsn, highest) and self._count_misses(tsn, reports) >= threshold:
                    lost_any = True
                    abandoned += self._mark_lost(tsn, now)
            if gap_first >= highest or not left:
                break
            first = gap_last + 1
        return lost_any, abandoned

    def mark_all_lost(self, now: float) -> list[PartialReliability]:
        """Mark all chunks in flight as lost; return the limits of messages that were abandoned by it."""
        abandoned: list[PartialReliability] = []
        for tsn in range(self.cumulative_tsn + 1, self.next_tsn):
            if tsn not in self.gap_acked and tsn not in self.lost and tsn not in self.abandoned:
                abandoned += self._mark_lost(tsn, now)
        return abandoned

    def next_lost(self) -> int | None:
        """Return the lowest TSN to retransmit, None if there is none."""
        heap = self._lost_heap
        while heap:
            if heap[0] in self.lost:
                return heap[0]
            heapq.heappop(heap)
        return None

    def retransmit(self, tsn: int) -> bytes:
        """Return the bytes of a lost chunk to retransmit, and count it as in flight."""
        self.lost.discard(tsn)
        chunk = self.chunks[tsn][0]
        self.flight += len(chunk)
        self.retransmissions[tsn] = self.retransmissions.get(tsn, 0) + 1
        self._resent_before[tsn] = self.next_tsn
        return chunk

    def abandon(self, reliability: PartialReliability) -> None:
        """Abandon a message: its chunks are no longer in flight and will be skipped."""
        if reliability.abandoned:
            return
        reliability.abandoned = True
        self.messages_abandoned += 1
        for tsn in range(max(reliability.first_tsn, self.cumulative_tsn + 1), reliability.last_tsn + 1):
            size = len(self.chunks[tsn][0])
            if tsn in self.lost:
                self.lost.discard(tsn)
            elif tsn not in self.gap_acked:
                self.flight -= size
            self.abandoned.add(tsn)
            self._misses.pop(tsn, None)
            self.chunks[tsn] = (b"", reliability)

    def abandon_unsent(self, reliability: PartialReliability) -> None:
        """Abandon the unsent rest of a message.

        It uses one TSN, which is never sent. Without it, a peer that has acknowledged all the fragments sent would wait
        for the others indefinitely, because no FORWARD-TSN would pass them.
        """
        tsn = self.next_tsn
        self.next_tsn = tsn + 1
        self.chunks[tsn] = (b"", reliability)
        self.abandoned.add(tsn)

    def forward_tsn(self) -> ForwardTsn | None:
        """Return the FORWARD-TSN to send, None if there is nothing to skip (RFC 3758 section 3.5, C2)."""
        point = max(self._peer_ack_point, self.cumulative_tsn)
        while point + 1 in self.abandoned:
            point += 1
        self._peer_ack_point = point
        if point == self.cumulative_tsn:
            return None
        skipped: dict[int, int] = {}
        for tsn in range(self.cumulative_tsn + 1, point + 1):
            reliability = self.chunks[tsn][1]
            if reliability is None or not reliability.ordered:
                continue
            if reliability.stream_id not in skipped and len(skipped) == _MAX_SKIPPED_STREAMS:
                point = tsn - 1
                break
            skipped[reliability.stream_id] = reliability.ssn
        return ForwardTsn(point & 0xFFFFFFFF, tuple(skipped.items()))

    def _mark_gap_acked(self, first: int, last: int) -> int:
        """Record chunks acknowledged by a gap ack block; return the bytes newly acknowledged."""
        gap_acked, lost, abandoned, misses, chunks = (
            self.gap_acked,
            self.lost,
            self.abandoned,
            self._misses,
            self.chunks,
        )
        acknowledged = still_lost = 0
        for tsn in range(first, last + 1):
            if tsn in gap_acked:
                continue
            gap_acked.add(tsn)
            if misses:
                misses.pop(tsn, None)
            if tsn in abandoned:
                continue
            size = len(chunks[tsn][0])
            acknowledged += size
            if tsn in lost:
                lost.discard(tsn)
                still_lost += size
        self.flight -= acknowledged - still_lost
        return acknowledged

    def _is_missed(self, tsn: int, highest: int) -> bool:
        """Return whether a chunk is in flight and was sent before the highest TSN newly acknowledged."""
        if tsn in self.lost or tsn in self.abandoned:
            return False
        return self._resent_before.get(tsn, 0) <= highest

    def _count_misses(self, tsn: int, reports: int) -> int:
        misses = self._misses.get(tsn, 0) + reports
        self._misses[tsn] = misses
        return misses

    def _renege(self, ranges: Sequence[TsnRange]) -> list[TsnRange]:
        """Count chunks as in flight again that the peer no longer acknowledges (section 6.2.1); return the rest."""
        left, rest = MAX_RENEGED, []
        for first, last in ranges:
            begin = max(first, self.cumulative_tsn + 1)
            end = min(last + 1, begin + left)
            for tsn in range(begin, end):
                if tsn in self.gap_acked:
                    self.gap_acked.discard(tsn)
                    if tsn not in self.abandoned:
                        self.flight += len(self.chunks[tsn][0])
            if end > begin:
                left -= end - begin
            if end <= last:
                rest.append((end, last))
        return rest

    def _mark_lost(self, tsn: int, now: float) -> Iterable[PartialReliability]:
        """Mark a chunk in flight as lost, or abandon its message if its limits are reached."""
        self._misses.pop(tsn, None)
        chunk, reliability = self.chunks[tsn]
        if reliability is not None and (
            reliability.expires_at <= now or self.retransmissions.get(tsn, 0) >= reliability.max_retransmits
        ):
            self.abandon(reliability)
            return (reliability,)
        self.flight -= len(chunk)
        self.lost.add(tsn)
        heapq.heappush(self._lost_heap, tsn)
        return ()
