"""Getting back packets from those that have come and from sums over them, for FlexFEC and ULPFEC alike.

A repair packet of which one packet is missing gives that one. One of which several are missing waits for all but one of
them, which may be got back with others: each packet that comes is struck off what waits for it.
"""

import sys
from collections import OrderedDict
from typing import Final

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.buffer_budget import PACKET_OVERHEAD, BufferBudget, largest
from trio_rtc.protocols.rtp.options import FecOptions
from trio_rtc.protocols.rtp.stats import FecCounters

from .fec_packet import FecPacket, MediaKey, media_bits, media_key, restore_packet, zero_elements

_KEY_OVERHEAD: Final = 256
"""Bytes that a repair packet counts for each packet that it protects: the objects by which it is found."""


class _Repair:
    """A repair packet that cannot be used yet."""

    __slots__ = ("born", "counters", "missing", "row")

    def __init__(
        self, row: FecPacket, missing: set[MediaKey], counters: FecCounters | None, born: int
    ) -> None:
        self.row = row
        self.missing = missing
        self.counters = counters
        self.born = born


class FecDecoder:
    """Gets back packets from those that have come and sums over them.

    Args:
        options: How much is kept.
        mutable_extensions: Header extension elements whose bytes are not protected.
        budget: For the packets that all streams of the session keep; ``None`` for a stream by itself.

    Attributes:
        recovered: How many packets were got back.
        repairs: How many repair packets came.
        unused: How many of them were of no use: nothing was missing, or too much for too long.
    """

    __slots__ = (
        "_budget",
        "_count",
        "_media",
        "_mutable",
        "_options",
        "_repairs",
        "_waiting",
        "recovered",
        "repairs",
        "unused",
    )

    def __init__(
        self,
        options: FecOptions | None = None,
        *,
        mutable_extensions: frozenset[int] = frozenset(),
        budget: BufferBudget | None = None,
    ) -> None:
        self._budget = budget or BufferBudget(sys.maxsize, largest)
        self._options = options or FecOptions()
        self._mutable = mutable_extensions
        # Its front is at hand even when much was taken from there, unlike that of a plain dictionary.
        self._media: OrderedDict[MediaKey, bytes] = OrderedDict()
        self._count = 0
        # In order of arrival, with what each counts in the budget; a dictionary, so that any can be taken out.
        self._repairs: dict[_Repair, int] = {}
        self._waiting: dict[MediaKey, list[_Repair]] = {}
        self.recovered = 0
        self.repairs = 0
        self.unused = 0

    def media_received(self, data: bytes) -> list[bytes]:
        """Take the bytes of a protected packet; return those of packets that can be got back now.

        Raises:
            ProtocolError: It is not an RTP packet.
        """
        key = media_key(data)
        if key in self._media:
            return []
        self._keep(key, zero_elements(data, self._mutable))
        if key not in self._waiting:
            return []
        return self._resolve(key)

    def fec_received(self, row: FecPacket, counters: FecCounters | None = None) -> list[bytes]:
        """Take what a repair packet tells; return the bytes of packets that can be got back now.

        Args:
            row: What it tells.
            counters: Those in which it counts as of no use, as soon as it is.
        """
        self.repairs += 1
        missing = {key for key in row.keys if key not in self._media}
        repair = _Repair(row, missing, counters, self._count)
        if not missing:
            return self._discard(repair)
        if len(missing) == 1:
            return self._recover(repair)
        cost = self._repairs[repair] = row.size + PACKET_OVERHEAD + _KEY_OVERHEAD * len(row.keys)
        for key in missing:
            self._waiting.setdefault(key, []).append(repair)
        if len(self._repairs) > self._options.max_repairs:
            self._give_up(next(iter(self._repairs)))
        self._budget.add(self, cost)
        return []

    def _keep(self, key: MediaKey, data: bytes) -> None:
        self._media[key] = data
        self._count += 1
        if len(self._media) > self._options.max_packets:
            _, oldest_data = self._media.popitem(last=False)
            self._budget.remove(self, len(oldest_data) + PACKET_OVERHEAD)
        if self._repairs:
            oldest = next(iter(self._repairs))
            # What it could be used with is forgotten by now, and its sequence numbers will come again.
            if self._count - oldest.born > self._options.max_packets:
                self._give_up(oldest)
        self._budget.add(self, len(data) + PACKET_OVERHEAD)

    def discard(self) -> None:
        """Drop all that is kept, for want of room in the session or because the stream has ended."""
        for repair in list(self._repairs):
            self._give_up(repair)
        self._media.clear()
        self._budget.release(self)

    def _recover(self, repair: _Repair) -> list[bytes]:
        """Return the one packet that is missing of a repair packet, and what can be got back with that."""
        (key,) = repair.missing
        if key in self._media:
            return self._discard(repair)
        bits = repair.row.bits
        for other in repair.row.keys:
            if other != key:
                data = self._media.get(other)
                if data is None:
                    return self._discard(repair)
                bits ^= media_bits(data)
        try:
            data = restore_packet(bits, repair.row.size, key)
        except (ProtocolError, OverflowError):
            return self._discard(repair)
        self.recovered += 1
        self._keep(key, data)
        return [data, *self._resolve(key)]

    def _resolve(self, key: MediaKey) -> list[bytes]:
        """Strike a packet that has come off what waits for it; get back what is then the only one missing."""
        recovered: list[bytes] = []
        for repair in self._waiting.pop(key, ()):
            if repair not in self._repairs:
                # One before it has recovered a packet for which all was discarded.
                continue
            repair.missing.discard(key)
            if len(repair.missing) == 1:
                self._forget(repair)
                recovered += self._recover(repair)
        return recovered

    def _give_up(self, repair: _Repair) -> None:
        self._discard(repair)
        self._forget(repair)

    def _discard(self, repair: _Repair) -> list[bytes]:
        """Count a repair packet that nothing was got back with; return just that."""
        self.unused += 1
        if repair.counters is not None:
            repair.counters.discarded += 1
        return []

    def _forget(self, repair: _Repair) -> None:
        cost = self._repairs.pop(repair, 0)
        if cost:
            self._budget.remove(self, cost)
        for key in repair.missing:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.remove(repair)
                if not waiting:
                    del self._waiting[key]
