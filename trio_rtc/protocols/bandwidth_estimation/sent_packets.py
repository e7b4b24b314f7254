"""History of sent packets that wait for feedback, by transport-wide sequence number.

A packet that the peer reports as missing may still arrive: it counts as lost only when packets sent later by
``loss_delay`` have arrived. Packets without feedback, which may itself be lost, are discarded after a time, and count
neither as received nor as lost.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from trio_rtc import _attrs as attrs

from .options import BandwidthEstimationOptions


class SentPacket(NamedTuple):
    """A packet in flight."""

    sequence_number: int
    send_time: float
    size: int
    probe_cluster: int | None


class ReceivedPacket(NamedTuple):
    """A packet reported as received."""

    sequence_number: int
    send_time: float
    arrival_time: float
    size: int
    probe_cluster: int | None


@attrs.frozen
class FeedbackResults:
    """The new information of one feedback.

    Attributes:
        received: Packets received, in order of arrival.
        lost: Packets that now count as lost, in order of sending.
        bytes_in_flight_before: Bytes in flight before the feedback.
        newest: Latest send time of the packets received; ``-inf`` without any.
        gap: Whether feedback on earlier packets was lost.
    """

    received: list[ReceivedPacket]
    lost: list[SentPacket]
    bytes_in_flight_before: int
    newest: float
    gap: bool


_by_arrival = attrgetter("arrival_time", "sequence_number")
_send_time = attrgetter("send_time")


class SentPackets:
    """The history of sent packets, bounded in time and number; the oldest are discarded.

    Attributes:
        bytes_in_flight: Bytes sent, and neither acknowledged nor lost nor discarded.
        forgotten: Number of packets discarded without feedback.
        newest_acknowledged: Latest send time of all packets received; ``-inf`` at first.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._time = options.history_time
        self._limit = options.history_packets
        self._loss_delay = options.loss_delay
        self._packets: OrderedDict[int, SentPacket] = OrderedDict()
        self._missing: OrderedDict[int, SentPacket] = OrderedDict()
        self.bytes_in_flight = 0
        self.forgotten = 0
        self.newest_acknowledged = -math.inf
        self._next_reported = 0

    def __len__(self) -> int:
        return len(self._packets) + len(self._missing)

    @property
    def bytes_behind_newest(self) -> int:
        """Bytes sent after the newest packet known to have arrived."""
        total = 0
        for packet in reversed(self._packets.values()):
            if packet.send_time <= self.newest_acknowledged:
                break
            total += packet.size
        return total

    def sent(self, sequence_number: int, size: int, now: float, probe_cluster: int | None = None) -> None:
        """Record a packet of ``size`` bytes on the wire; ``sequence_number`` is unwrapped."""
        packets = self._packets
        if (replaced := packets.pop(sequence_number, None)) is not None:
            self.bytes_in_flight -= replaced.size
        packets[sequence_number] = SentPacket(sequence_number, now, size, probe_cluster)
        self.bytes_in_flight += size
        if len(packets) + len(self._missing) > self._limit:
            self.forget(now)

    def forget(self, now: float) -> None:
        """Discard packets that are too old or too many."""
        oldest = now - self._time
        for packets in (self._missing, self._packets):
            while packets:
                first = next(iter(packets.values()))
                if first.send_time >= oldest and len(self) <= self._limit:
                    break
                packets.popitem(last=False)
                self.bytes_in_flight -= first.size
                self.forgotten += 1

    def feedback(self, arrivals: Sequence[tuple[int, float | None]], now: float) -> FeedbackResults:
        """Match feedback with sent packets.

        Args:
            arrivals: Unwrapped sequence numbers in ascending order, each with its arrival time by the peer's clock, in
                seconds with any offset, or ``None`` if it has not arrived. Unknown and repeated numbers are ignored.
            now: Monotonic time in seconds.
        """
        before = in_flight = self.bytes_in_flight
        received: list[ReceivedPacket] = []
        packets, missing = self._packets, self._missing
        take, arrived, isfinite = packets.pop, received.append, math.isfinite
        # The packet after the last one reported is in the history, and before the first one of this feedback.
        gap = bool(arrivals) and arrivals[0][0] > self._next_reported and self._next_reported in packets
        if arrivals:
            self._next_reported = max(self._next_reported, arrivals[-1][0] + 1)
        for sequence_number, arrival_time in arrivals:
            packet = take(sequence_number, None)
            if arrival_time is None or not isfinite(arrival_time):
                if packet is not None:
                    missing[sequence_number] = packet
                continue
            if packet is None and (packet := missing.pop(sequence_number, None)) is None:
                continue
            _, send_time, size, cluster = packet
            in_flight -= size
            arrived(ReceivedPacket(sequence_number, send_time, arrival_time, size, cluster))
        self.bytes_in_flight = in_flight
        newest = max(map(_send_time, received), default=-math.inf)
        self.newest_acknowledged = max(self.newest_acknowledged, newest)
        received.sort(key=_by_arrival)
        lost = self._remove_lost()
        self.forget(now)
        return FeedbackResults(received, lost, before, newest, gap)

    def _remove_lost(self) -> list[SentPacket]:
        latest = self.newest_acknowledged - self._loss_delay
        lost = [packet for packet in self._missing.values() if packet.send_time <= latest]
        for packet in lost:
            del self._missing[packet.sequence_number]
            self.bytes_in_flight -= packet.size
        return lost
