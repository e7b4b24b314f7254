"""The FEC decoder of FlexFEC and ULPFEC: recovers lost packets from received ones and FEC packets.

An FEC packet with one missing packet recovers it. An FEC packet with several waits until all but one of them have
arrived, or were recovered by others: each packet is removed from the missing ones of the FEC packets that wait for it.
The exclusive-or over the packets that have arrived is computed when the FEC packet arrives, and then extended by each
one: many FEC packets may wait for the same packet, which would otherwise cost an exclusive-or over all others for each.
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
"""Bytes that an FEC packet counts for each packet that it protects: the objects by which it is found."""


class _Waiting:
    """An FEC packet of which packets are missing; ``bits`` is the exclusive-or of their bit strings."""

    __slots__ = ("bits", "born", "counters", "missing", "size")

    def __init__(
        self, bits: int, size: int, missing: set[MediaKey], counters: FecCounters | None, born: int
    ) -> None:
        self.bits = bits
        self.size = size
        self.missing = missing
        self.counters = counters
        self.born = born


class FecDecoder:
    """Recovers lost packets.

    Args:
        options: The limits of what is kept.
        mutable_extensions: The ids of the extensions that are not protected.
        budget: Shared with the other streams of the session; ``None`` for a stream by itself.

    Attributes:
        recovered: Recovered packets.
        unused: FEC packets that recovered nothing: no packet was missing, or too many for too long.
    """

    __slots__ = (
        "_budget",
        "_count",
        "_media",
        "_mutable",
        "_options",
        "_pending",
        "_waiting",
        "fec_packets",
        "recovered",
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
        # Unlike a plain dictionary, it pops its first entry in constant time after many others were popped.
        self._media: OrderedDict[MediaKey, bytes] = OrderedDict()
        self._count = 0
        # In order of arrival, each with its cost in the budget; a dictionary, so that any entry can be removed.
        self._pending: dict[_Waiting, int] = {}
        self._waiting: dict[MediaKey, list[_Waiting]] = {}
        self.recovered = 0
        self.fec_packets = 0
        self.unused = 0

    def media_received(self, data: bytes) -> list[bytes]:
        """Receive the bytes of a protected packet; return the bytes of the packets that this recovers.

        Raises:
            ProtocolError: It is not an RTP packet.
        """
        key = media_key(data)
        if key in self._media:
            return []
        data = zero_elements(data, self._mutable)
        self._keep(key, data)
        if key not in self._waiting:
            return []
        return self._resolve(key, data)

    def fec_received(self, packet: FecPacket, counters: FecCounters | None = None) -> list[bytes]:
        """Receive an FEC packet; return the bytes of the packets that this recovers.

        It is counted as discarded in ``counters``, as soon as it is.
        """
        self.fec_packets += 1
        missing = {key for key in packet.keys if key not in self._media}
        if not missing:
            return self._discard(counters)
        bits = packet.bits
        for key in packet.keys:
            if key not in missing:
                bits ^= media_bits(self._media[key])
        waiting = _Waiting(bits, packet.size, missing, counters, self._count)
        if len(missing) == 1:
            return self._recover(waiting)
        cost = self._pending[waiting] = packet.size + PACKET_OVERHEAD + _KEY_OVERHEAD * len(packet.keys)
        for key in missing:
            self._waiting.setdefault(key, []).append(waiting)
        if len(self._pending) > self._options.max_repairs:
            self._give_up(next(iter(self._pending)))
        self._budget.add(self, cost)
        return []

    def _keep(self, key: MediaKey, data: bytes) -> None:
        self._media[key] = data
        self._count += 1
        if len(self._media) > self._options.max_packets:
            _, oldest_data = self._media.popitem(last=False)
            self._budget.remove(self, len(oldest_data) + PACKET_OVERHEAD)
        if self._pending:
            oldest = next(iter(self._pending))
            # The packets that it protects are removed by now, and their sequence numbers will be used again.
            if self._count - oldest.born > self._options.max_packets:
                self._give_up(oldest)
        self._budget.add(self, len(data) + PACKET_OVERHEAD)

    def discard(self) -> None:
        """Drop all packets, because the session exceeds its budget or the stream has ended."""
        for waiting in self._pending:
            self._discard(waiting.counters)
        self._pending.clear()
        self._waiting.clear()
        self._media.clear()
        self._budget.release(self)

    def _recover(self, waiting: _Waiting) -> list[bytes]:
        """Return the only missing packet of an FEC packet, and the packets that it helps to recover."""
        (key,) = waiting.missing
        if key in self._media:
            return self._discard(waiting.counters)
        try:
            data = restore_packet(waiting.bits, waiting.size, key)
        except (ProtocolError, OverflowError):
            return self._discard(waiting.counters)
        self.recovered += 1
        self._keep(key, data)
        return [data, *self._resolve(key, data)]

    def _resolve(self, key: MediaKey, data: bytes) -> list[bytes]:
        """Remove a packet from the missing ones, and recover the packets that are then the only missing ones."""
        recovered: list[bytes] = []
        found = self._waiting.pop(key, None)
        if found is None:
            return recovered
        bits = media_bits(data)
        for waiting in found:
            if waiting not in self._pending:
                # An earlier one has recovered a packet whose cost made the budget discard all.
                continue
            waiting.missing.discard(key)
            waiting.bits ^= bits
            if len(waiting.missing) == 1:
                self._remove(waiting)
                recovered += self._recover(waiting)
        return recovered

    def _give_up(self, waiting: _Waiting) -> None:
        self._discard(waiting.counters)
        self._remove(waiting)

    def _discard(self, counters: FecCounters | None) -> list[bytes]:
        """Count an FEC packet as unused; return no packets."""
        self.unused += 1
        if counters is not None:
            counters.discarded += 1
        return []

    def _remove(self, waiting: _Waiting) -> None:
        cost = self._pending.pop(waiting, 0)
        if cost:
            self._budget.remove(self, cost)
        for key in waiting.missing:
            others = self._waiting.get(key)
            if others is not None:
                others.remove(waiting)
                if not others:
                    del self._waiting[key]
