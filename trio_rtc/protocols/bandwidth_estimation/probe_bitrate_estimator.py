"""Probe bitrate estimation: the rate at which the packets of a cluster arrived."""

import math
from collections import OrderedDict

from trio_rtc import _attrs as attrs

from .options import BandwidthEstimationOptions
from .probe_cluster import ProbeCluster
from .sent_packets import ReceivedPacket

_MAX_CLUSTERS = 16
# goog_cc: a longer cluster was not sent as a cluster.
_MAX_INTERVAL = 1.0
# goog_cc: packets that arrive relatively faster than this were delayed and sent as a burst on the path.
_MAX_RATIO = 2.0
# goog_cc: a cluster that arrives relatively slower than this has filled the link; the result is a bit below its rate.
_FILLED_RATIO = 0.9
_FILLED_UTILISATION = 0.95
_MAX_ERRORS = 2.0
"""Standard errors that are added to the time of a byte where packets deviate by the time of two packets or more."""


@attrs.define
class _Cluster:
    probe: ProbeCluster
    packets: list[ReceivedPacket] = attrs.Factory(list)
    done: bool = False
    succeeded: bool = False


class ProbeBitrateEstimator:
    """Collects the packets of clusters, and computes a rate as soon as enough of one has arrived.

    At most 16 clusters are kept; a further one replaces the oldest. ``error`` is the relative standard error of the
    last result.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._min_received = options.probe_min_received
        self._clusters: OrderedDict[int, _Cluster] = OrderedDict()
        self.succeeded = 0
        self.error = 0.0

    def expect(self, cluster: ProbeCluster) -> None:
        self._clusters[cluster.id] = _Cluster(cluster)
        while len(self._clusters) > _MAX_CLUSTERS:
            self._clusters.popitem(last=False)

    def received(self, packet: ReceivedPacket) -> None:
        """Record a packet of a cluster; ignore one of an unknown cluster."""
        cluster = self._clusters.get(-1 if packet.probe_cluster is None else packet.probe_cluster)
        if cluster is not None and len(cluster.packets) < 16 * cluster.probe.min_packets + 1024:
            cluster.packets.append(packet)
            cluster.done = False

    def bitrate(self) -> float | None:
        """Return the highest rate, in bits a second, measured since the last call; ``None`` without one."""
        best: float | None = None
        for cluster in self._clusters.values():
            if cluster.done or not self._complete(cluster):
                continue
            cluster.done = True
            measured = _measure(sorted(cluster.packets))
            if measured is not None:
                rate, self.error = measured
                self.succeeded += not cluster.succeeded
                cluster.succeeded = True
                best = rate if best is None else max(best, rate)
        return best

    def _complete(self, cluster: _Cluster) -> bool:
        probe = cluster.probe
        if len(cluster.packets) < max(3, self._min_received * probe.min_packets):
            return False
        return sum(packet.size for packet in cluster.packets) >= self._min_received * probe.min_bytes


def _measure(packets: list[ReceivedPacket]) -> tuple[float, float] | None:
    """Return the arrival rate of packets, in order of sending, and its relative standard error; ``None`` if unknown."""
    send_interval = packets[-1].send_time - packets[0].send_time
    total = sum(packet.size for packet in packets)
    if not 0 < send_interval < _MAX_INTERVAL:
        return None
    send_rate = 8 * (total - packets[-1].size) / send_interval
    arrival_interval = max(p.arrival_time for p in packets) - min(p.arrival_time for p in packets)
    if arrival_interval >= _MAX_INTERVAL:
        return None
    if (received := _receive_rate(packets)) is None:
        return None
    receive_rate, error = received
    if receive_rate > _MAX_RATIO * send_rate:
        return None
    if receive_rate < _FILLED_RATIO * send_rate:
        return _FILLED_UTILISATION * receive_rate, error
    return min(send_rate, receive_rate), error


def _receive_rate(packets: list[ReceivedPacket]) -> tuple[float, float] | None:
    # A regression of arrival times over bytes, because with jitter the first and last packet are not representative.
    count = len(packets)
    positions: list[float] = []
    position = 0.0
    for packet in packets:
        position += packet.size
        positions.append(position)
    mean_position = sum(positions) / count
    origin = packets[0].arrival_time
    arrivals = [packet.arrival_time - origin for packet in packets]
    mean_arrival = sum(arrivals) / count
    above = below = 0.0
    for position, arrival in zip(positions, arrivals, strict=True):
        above += (position - mean_position) * (arrival - mean_arrival)
        below += (position - mean_position) ** 2
    if below <= 0 or count < 3:
        return None
    slope = above / below
    if slope <= 0:
        return None
    squares = 0.0
    for position, arrival in zip(positions, arrivals, strict=True):
        squares += (arrival - mean_arrival - slope * (position - mean_position)) ** 2
    deviation = math.sqrt(squares / (count - 2))
    # The upper bound of the slope by its standard error, so that jitter does not overestimate the capacity: with one
    # error, one probe of six would. A lost packet shifts those behind it by the time of about one packet, which needs
    # no more than that; jitter shifts them by more.
    error = deviation / math.sqrt(below)
    packet_time = slope * positions[-1] / count
    slope += error * min(max(deviation / packet_time, 1.0), _MAX_ERRORS)
    return 8 / slope, error / slope
