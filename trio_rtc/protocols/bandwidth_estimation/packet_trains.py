"""Packet train dispersion: whether packets sent close together arrive as close.

A bottleneck spreads a packet train to its own rate. If trains arrive as fast as they were sent, and much faster than
the target, the path has room for bursts, and the pacer need not spread a video frame. A train sent more slowly, and not
spread, is ignored: the pacer may have had a lower target.
"""

import math
from collections import deque
from collections.abc import Sequence
from statistics import median

from .options import BandwidthEstimationOptions
from .sent_packets import ReceivedPacket

_MIN_PACKETS = 3
_MIN_TRAINS = 4
_SPREAD = 1.25  # duration of a spread train at the arrival, relative to that at the sending
_SHORTEST = 0.00025  # the resolution of transport-wide feedback


class PacketTrains:
    """Compares the arrival rate of the last trains with the target.

    A train has at least three packets, each sent at most ``train_gap`` after the previous one. Reordered packets do not
    count. If no trains are sent for ``train_memory``, as at low bitrates, the previous ones are discarded.

    Attributes:
        have_room: Whether the path has room for bursts: the median rate of the last ``trains`` is at least
            ``train_headroom`` times the target. Initially true, as always in libwebrtc, so that the first keyframe is
            not spread; false after trains were discarded.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._gap = options.train_gap
        self._memory = options.train_memory
        self._headroom = options.train_headroom
        self._rates: deque[float] = deque(maxlen=options.trains)
        self._packets = 0
        self._bytes = 0
        self._first_arrival = self._last_arrival = self._first_sent = self._last_sent = -math.inf
        self._measured_at = math.inf
        self.have_room = True

    def add(self, packets: Sequence[ReceivedPacket], target: float) -> None:
        """Add packets in order of arrival; ``target`` is the current one in bits a second."""
        for packet in packets:
            if packet.send_time < self._last_sent:
                continue
            if packet.send_time > self._last_sent + self._gap:
                self._complete(target)
                self._packets = self._bytes = 0
                self._measured_at = min(self._measured_at, packet.send_time)
                self._first_sent, self._first_arrival = packet.send_time, packet.arrival_time
            else:
                self._bytes += packet.size
            self._packets += 1
            self._last_sent = packet.send_time
            self._last_arrival = packet.arrival_time

    def _complete(self, target: float) -> None:
        if self._packets < _MIN_PACKETS:
            if self._last_sent > self._measured_at + self._memory:
                self._rates.clear()
                self.have_room = False
            return
        self._measured_at = self._last_sent
        duration = self._last_arrival - self._first_arrival
        rate = 8 * self._bytes / duration if duration >= _SHORTEST else math.inf
        needed = self._headroom * target
        if rate >= needed or duration > _SPREAD * (self._last_sent - self._first_sent):
            self._rates.append(rate)
            if len(self._rates) >= _MIN_TRAINS:
                self.have_room = median(self._rates) >= needed
