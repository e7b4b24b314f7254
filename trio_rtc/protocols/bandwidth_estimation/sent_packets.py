"""What has been sent and waits for feedback, by transport-wide sequence number.

A packet that the peer reports as missing may still arrive: only when packets that were sent a good while later have
arrived does it count as lost. What no feedback speaks of (the feedback itself may be lost) is forgotten after a
time, and counts neither as received nor as lost.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

import attrs

from .options import BandwidthEstimationOptions


class SentPacket(NamedTuple):
    """A packet on its way."""

    sequence_number: int
    send_time: float
    size: int
    probe_cluster: int | None


class ReceivedPacket(NamedTuple):
    """A packet that arrived."""

    sequence_number: int
    send_time: float
    arrival_time: float
    size: int
    probe_cluster: int | None


@attrs.frozen
class FeedbackResults:
    """What one feedback said that was not known before.

    Attributes:
        received: Packets that arrived, in order of arrival.
        lost: Packets that are given up now, in the order they were sent.
        bytes_in_flight_before: What was under way before this feedback.
        newest: When the packet was sent that was sent last of those that arrived; ``-inf`` without any.
        gap: Whether nothing was said of packets that were sent before these: feedback was lost.
    """

    received: list[ReceivedPacket]
    lost: list[SentPacket]
    bytes_in_flight_before: int
    newest: float
    gap: bool


_by_arrival = attrgetter("arrival_time", "sequence_number")
_send_time = attrgetter("send_time")


class SentPackets:
    """The history of sent packets, bounded in time and number: when full, the oldest is forgotten.

    Attributes:
        bytes_in_flight: Sent, and neither acknowledged nor lost nor forgotten.
        forgotten: Number of packets that left without feedback.
        newest_acknowledged: Send time of the newest packet that is known to have arrived; ``-inf`` at first.
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
        self._unreported = 0

    def __len__(self) -> int:
        return len(self._packets) + len(self._missing)

    @property
    def bytes_behind_newest(self) -> int:
        """What was sent behind the newest packet that is known to have arrived: that is, or was, under way for sure."""
        total = 0
        for packet in reversed(self._packets.values()):
            if packet.send_time <= self.newest_acknowledged:
                break
            total += packet.size
        return total

    def sent(self, sequence_number: int, size: int, now: float, probe_cluster: int | None = None) -> None:
        """Remember a packet. ``sequence_number`` is unwrapped; ``size`` is what it takes on the wire, in bytes."""
        packets = self._packets
        if (replaced := packets.pop(sequence_number, None)) is not None:
            self.bytes_in_flight -= replaced.size
        packets[sequence_number] = SentPacket(sequence_number, now, size, probe_cluster)
        self.bytes_in_flight += size
        if len(packets) + len(self._missing) > self._limit:
            self.forget(now)

    def forget(self, now: float) -> None:
        """Drop what has waited too long or is too much."""
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
        """Match feedback with what was sent.

        Args:
            arrivals: Unwrapped sequence numbers in ascending order, each with the time of its arrival in seconds of
                the peer's clock (any offset), or ``None`` when it has not arrived. Unknown and repeated numbers are
                ignored.
            now: Monotonic time in seconds.
        """
        before = in_flight = self.bytes_in_flight
        received: list[ReceivedPacket] = []
        packets, missing = self._packets, self._missing
        take, arrived, isfinite = packets.pop, received.append, math.isfinite
        # A packet that is known, next to the last that was spoken of, and before the first that is.
        gap = bool(arrivals) and arrivals[0][0] > self._unreported and self._unreported in packets
        if arrivals:
            self._unreported = max(self._unreported, arrivals[-1][0] + 1)
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
        lost = self._give_up()
        self.forget(now)
        return FeedbackResults(received, lost, before, newest, gap)

    def _give_up(self) -> list[SentPacket]:
        latest = self.newest_acknowledged - self._loss_delay
        lost = [packet for packet in self._missing.values() if packet.send_time <= latest]
        for packet in lost:
            del self._missing[packet.sequence_number]
            self.bytes_in_flight -= packet.size
        return lost
