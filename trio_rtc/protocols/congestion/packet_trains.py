"""The rate at which packets that are sent close together arrive: packet-train dispersion.

A bottleneck spreads a train of packets to its own rate. Where trains arrive as fast as they were sent, although that is
much faster than the target, the path has room for a burst, and the pacer needs not spread a video frame.
"""

import math
from collections import deque
from collections.abc import Sequence
from statistics import median

from .options import CongestionOptions
from .sent_packets import ReceivedPacket

_MIN_PACKETS = 3
_MIN_TRAINS = 4
_SHORTEST = 0.00025  # the resolution of transport-wide feedback: what takes less time arrives at once


class PacketTrains:
    """Measures the arrival rate of the last trains.

    A train has at least three packets, each sent at most ``train_gap`` after the one before. Packets that are overtaken
    do not count. Where nothing is sent in trains for ``train_memory``, as at low bitrates, the measurement is dropped.

    Attributes:
        bitrate: The median over the last ``trains``, in bits a second, infinite if most arrived at once. ``None``
            before there are enough.
    """

    def __init__(self, options: CongestionOptions) -> None:
        self._gap = options.train_gap
        self._memory = options.train_memory
        self._rates: deque[float] = deque(maxlen=options.trains)
        self._packets = 0
        self._bytes = 0
        self._first_arrival = self._last_arrival = self._last_sent = self._measured_at = -math.inf
        self.bitrate: float | None = None

    def add(self, packets: Sequence[ReceivedPacket]) -> None:
        """Add packets in the order of their arrival."""
        for packet in packets:
            if packet.send_time < self._last_sent:
                continue
            if packet.send_time > self._last_sent + self._gap:
                self._complete()
                self._packets = self._bytes = 0
                self._first_arrival = packet.arrival_time
            else:
                self._bytes += packet.size
            self._packets += 1
            self._last_sent = packet.send_time
            self._last_arrival = packet.arrival_time

    def _complete(self) -> None:
        if self._packets < _MIN_PACKETS:
            if self._last_sent > self._measured_at + self._memory:
                self._rates.clear()
                self.bitrate = None
            return
        self._measured_at = self._last_sent
        duration = self._last_arrival - self._first_arrival
        self._rates.append(8 * self._bytes / duration if duration >= _SHORTEST else math.inf)
        if len(self._rates) >= _MIN_TRAINS:
            self.bitrate = median(self._rates)
