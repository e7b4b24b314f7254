"""The packets sent recently, kept for retransmission (RFC 4585 section 6.2.1)."""

import math
from collections import OrderedDict

from trio_rtc.protocols.rtp.options import HistoryOptions
from trio_rtc.protocols.rtp.packet.packet import RtpPacket

_CLEANING_INTERVAL = 0.1
"""Seconds between two searches for packets that are too old: a search with each packet would cost too much."""


class _Sent:
    __slots__ = ("packet", "resent_at", "sent_at")

    def __init__(self, packet: RtpPacket, sent_at: float) -> None:
        self.packet = packet
        self.sent_at = sent_at
        self.resent_at: float | None = None


class PacketHistory:
    """The packets of one stream that may be requested, bounded in time and number.

    Attributes:
        resent: Packets returned for retransmission.
        unknown: Requested packets that are not, or no longer, kept.
        suppressed: Packets requested again within a round trip.
    """

    __slots__ = ("_cleaned_at", "_max_packets", "_options", "_packets", "resent", "suppressed", "unknown")

    def __init__(self, options: HistoryOptions | None = None) -> None:
        self._options = options or HistoryOptions()
        self._max_packets = self._options.max_packets
        self._cleaned_at = -math.inf
        # Unlike a plain dictionary, it pops its first entry in constant time after many others were popped.
        self._packets: OrderedDict[int, _Sent] = OrderedDict()
        self.resent = 0
        self.unknown = 0
        self.suppressed = 0

    def __len__(self) -> int:
        return len(self._packets)

    def clear(self) -> None:
        self._packets.clear()

    def store(self, sequence_number: int, packet: RtpPacket, now: float) -> None:
        """Store a packet that is being sent, and remove the oldest ones."""
        packets = self._packets
        if sequence_number in packets:
            # A packet that is stored again moves to the end, which keeps the dictionary in order of time.
            del packets[sequence_number]
        packets[sequence_number] = _Sent(packet, now)
        if len(packets) > self._max_packets:
            packets.popitem(last=False)
        if now - self._cleaned_at > _CLEANING_INTERVAL:
            self._clean(now)

    def _clean(self, now: float) -> None:
        """Remove the packets that are too old. Until then they are kept, but not returned."""
        self._cleaned_at = now
        packets, horizon = self._packets, now - self._options.max_age
        while packets[next(iter(packets))].sent_at < horizon:
            packets.popitem(last=False)

    def get(self, sequence_number: int, now: float, round_trip: float) -> RtpPacket | None:
        """Return a packet for retransmission, and record it as retransmitted.

        Args:
            sequence_number: The number with which it was stored.
            now: When it was requested.
            round_trip: Seconds. A request within this time after a retransmission was sent before the retransmission
                arrived, and is not answered.
        """
        entry = self._packets.get(sequence_number)
        if entry is None or now - entry.sent_at > self._options.max_age:
            self.unknown += 1
            return None
        interval = max(round_trip, self._options.min_resend_interval)
        if entry.resent_at is not None and now - entry.resent_at < interval:
            self.suppressed += 1
            return None
        entry.resent_at = now
        self.resent += 1
        return entry.packet

    def newest_that_fits(self, size: int) -> RtpPacket | None:
        """Return the newest packet whose payload has at most ``size`` bytes, to send as padding."""
        for entry in reversed(self._packets.values()):
            if len(entry.packet.payload) <= size:
                return entry.packet
        return None
