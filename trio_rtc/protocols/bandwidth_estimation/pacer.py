"""The pacer: spreads packets evenly over time, instead of the bursts in which encoders produce them.

Packets are queued by priority: audio, retransmissions, video, padding. Audio leaves at once, since it is little and
sensitive to delay; its bytes count against the rate of the others. These leave at a multiple of the target. They may be
ahead of that rate by a burst: if the path has room, a usual frame leaves at once, and a retransmission does not wait
for the frame before it. Further packets leave in steps of a few milliseconds, so that one timer per step suffices. A
queue that is too old is drained faster.

A probe is sent at its own rate, from queued packets; without any, ``padding_needed`` requests padding. All packets of
one ``take_due`` belong to the same cluster or to none: ``probe_cluster``.

Retransmissions have priority over new video, but must not starve it: the packets dropped by a full queue may be many
times the current capacity. They are limited to a part of the target, and those that have waited too long are dropped;
the peer requests them again if it still needs them.

The queue is bounded. When it is full, ``enqueue`` first drops padding, then refuses the packet. For video the rest of
the frame is then useless to the peer: drop it, and continue with a keyframe.
"""

import enum
import math
from collections import deque
from typing import Generic, TypeVar

from trio_rtc import _attrs as attrs

from .options import BandwidthEstimationOptions
from .probe_cluster import ProbeCluster

ItemT = TypeVar("ItemT")

_MAX_PROBES = 8
# Packets of this time, at the pacing rate, leave together once the burst is used up.
_STEP = 0.005
# Time between two bursts of a probe (goog_cc: 2 ms).
_PROBE_STEP = 0.002
# Longest duration of a probe; without packets or padding it is aborted.
_MAX_PROBE_DURATION = 0.5


class PacketKind(enum.IntEnum):
    """The kinds of packets, in order of priority."""

    AUDIO = 0
    RETRANSMISSION = 1
    VIDEO = 2
    PADDING = 3


@attrs.define
class _RunningProbe:
    cluster: ProbeCluster
    started: float
    bytes: int = 0
    packets: int = 0

    def due(self) -> float:
        return self.started + 8 * self.bytes / self.cluster.bitrate

    def complete(self) -> bool:
        return self.packets >= self.cluster.min_packets and self.bytes >= self.cluster.min_bytes


class Pacer(Generic[ItemT]):
    """Queues packets, and returns them when they are due.

    Attributes:
        probe_cluster: Cluster of the packets of the last ``take_due``; ``None`` for no probe.
        packets: Number of queued packets.
        bytes: Bytes of queued packets.
        refused: Number of packets refused by a full queue.
        padding_dropped: Number of padding packets dropped in favour of others.
        retransmissions_dropped: Number of retransmissions dropped because of their limit or their age.
    """

    def __init__(self, options: BandwidthEstimationOptions | None = None) -> None:
        options = options or BandwidthEstimationOptions()
        self._options = options
        self._rate = options.start_bitrate * options.pacing_factor
        self._queues: tuple[deque[tuple[float, int, ItemT]], ...] = tuple(deque() for _ in PacketKind)
        # When the packets sent so far are paid off at the current rate.
        self._free_at = -math.inf
        self._burst = options.pacing_burst
        self._probes: deque[ProbeCluster] = deque(maxlen=_MAX_PROBES)
        self._probe: _RunningProbe | None = None
        self._padding_asked_at = -math.inf
        self.probe_cluster: int | None = None
        self.packets = 0
        self.bytes = 0
        self.refused = 0
        self.padding_dropped = 0
        self.retransmissions_dropped = 0
        # When the retransmissions so far are paid off, at their part of the target.
        self._retransmissions_paid_at = -math.inf

    def set_bitrate(self, target: float, now: float, *, path_limited: bool = True) -> None:
        """Set the target; the pacing rate is a multiple of it.

        Args:
            target: Bits a second.
            now: Monotonic time in seconds.
            path_limited: Whether the path, and not the application, limits the target.
        """
        options = self._options
        self._burst = options.pacing_burst if path_limited else options.pacing_burst_unlimited
        rate = max(target, 1.0) * options.pacing_factor
        if self._free_at > now:
            self._free_at = now + (self._free_at - now) * self._rate / rate
        self._rate = rate

    def add_probe(self, cluster: ProbeCluster) -> None:
        """Queue a probe. Of more than 8, the oldest is dropped."""
        self._probes.append(cluster)

    def enqueue(self, item: ItemT, size: int, kind: PacketKind, now: float) -> bool:
        """Queue a packet of ``size`` bytes on the wire; return whether it will be sent."""
        options = self._options
        if kind is PacketKind.RETRANSMISSION and not self._may_retransmit(size, now):
            self.retransmissions_dropped += 1
            return False
        padding = self._queues[PacketKind.PADDING]
        while self.packets >= options.pacer_max_packets or self.bytes + size > options.pacer_max_bytes:
            if not padding or kind is PacketKind.PADDING:
                self.refused += 1
                return False
            _, dropped, _ = padding.popleft()
            self.packets -= 1
            self.bytes -= dropped
            self.padding_dropped += 1
        self._queues[kind].append((now, size, item))
        self.packets += 1
        self.bytes += size
        return True

    def clear(self, kind: PacketKind) -> int:
        """Drop the queued packets of one kind, and return their number."""
        queue = self._queues[kind]
        count = len(queue)
        self.packets -= count
        self.bytes -= sum(size for _, size, _ in queue)
        queue.clear()
        return count

    def queue_age(self, now: float) -> float:
        """Return the age of the oldest packet other than padding, in seconds."""
        waiting = [queue[0][0] for queue in self._queues[: PacketKind.PADDING] if queue]
        return max(0.0, now - min(waiting)) if waiting else 0.0

    def take_due(self, now: float) -> list[ItemT]:
        """Return and remove the packets to send now. Afterwards ``next_timer`` is later than ``now``."""
        if not self.packets and self._probe is None and not self._probes:
            self.probe_cluster = None
            return []
        self._expire_retransmissions(now)
        self._begin_probe(now)
        if self._probe is not None:
            return self._take_probe(self._probe, now)
        self.probe_cluster = None
        items: list[ItemT] = []
        audio = self._queues[PacketKind.AUDIO]
        # Compensate for a late timer, as on a busy machine: a single burst each time would be less than the rate.
        late = min(self.queue_age(now), self._options.pacing_catch_up)
        self._free_at = max(self._free_at, now - late)
        may_leave = self._next_step <= now
        rate = self._current_rate(now)
        while audio:
            items.append(self._pop(audio, rate))
        # Audio in excess of the rate delays the others, but does not starve them.
        self._free_at = min(self._free_at, now + self._options.pacer_queue_time)
        if may_leave:
            limit = now + self._burst
            while self._free_at < limit and (queue := self._first()) is not None:
                items.append(self._pop(queue, rate))
        return items

    def padding_needed(self, now: float) -> int:
        """Return the bytes of padding to enqueue now for a probe; 0 for none."""
        self._begin_probe(now)
        probe = self._probe
        if probe is None or self.packets or now < max(probe.due(), self._padding_asked_at + _PROBE_STEP):
            return 0
        self._padding_asked_at = now
        size = math.ceil(probe.cluster.bitrate * _PROBE_STEP / 8)
        return max(1, min(size, probe.cluster.min_bytes - probe.bytes))

    def next_timer(self) -> float:
        """Return when to call ``take_due`` and ``padding_needed``; ``math.inf`` if nothing is queued."""
        if self._probe is not None:
            due = self._probe.due()
            return due if self.packets else max(due, self._padding_asked_at + _PROBE_STEP)
        if self._probes:
            return self._next_step
        if self._queues[PacketKind.AUDIO]:
            return self._queues[PacketKind.AUDIO][0][0]
        return self._next_step if self.packets else math.inf

    @property
    def _next_step(self) -> float:
        """When the next packets may leave: as soon as a step of them fits the burst."""
        return self._free_at - max(self._burst - _STEP, 0.0)

    def retransmission_time(self, size: int, now: float) -> float:
        """Return the seconds until retransmissions of ``size`` bytes, and all before, are paid off."""
        rate = self._options.retransmission_share * self._rate / self._options.pacing_factor
        return max(self._retransmissions_paid_at - now, 0.0) + 8 * size / rate

    def _may_retransmit(self, size: int, now: float) -> bool:
        if self._retransmissions_paid_at > now + self._options.pacer_queue_time:
            return False
        self._retransmissions_paid_at = now + self.retransmission_time(size, now)
        return True

    def _expire_retransmissions(self, now: float) -> None:
        queue = self._queues[PacketKind.RETRANSMISSION]
        while queue and queue[0][0] < now - self._options.pacer_queue_time:
            _, size, _ = queue.popleft()
            self.packets -= 1
            self.bytes -= size
            self.retransmissions_dropped += 1

    def _begin_probe(self, now: float) -> None:
        probe = self._probe
        if probe is not None and now > probe.started + _MAX_PROBE_DURATION:
            self._probe = None
        while self._probe is None and self._probes and self._next_step <= now:
            cluster = self._probes.popleft()
            if now <= cluster.expires:
                self._probe = _RunningProbe(cluster, now)
                self._padding_asked_at = -math.inf

    def _take_probe(self, probe: _RunningProbe, now: float) -> list[ItemT]:
        self.probe_cluster = probe.cluster.id
        items: list[ItemT] = []
        while probe.due() <= now and not probe.complete() and (queue := self._first(audio=True)) is not None:
            before = self.bytes
            items.append(self._pop(queue, probe.cluster.bitrate))
            probe.bytes += before - self.bytes
            probe.packets += 1
        if probe.complete():
            self._probe = None
            audio = self._queues[PacketKind.AUDIO]
            while audio:  # it never waits, and belongs to the cluster that it leaves with
                items.append(self._pop(audio, probe.cluster.bitrate))
            # The probe counts as the burst: the next packets leave after it.
            self._free_at = max(probe.due(), now + _PROBE_STEP) + max(self._burst - _STEP, 0.0)
        return items

    def _first(self, audio: bool = False) -> deque[tuple[float, int, ItemT]] | None:
        for queue in self._queues if audio else self._queues[PacketKind.RETRANSMISSION :]:
            if queue:
                return queue
        return None

    def _pop(self, queue: deque[tuple[float, int, ItemT]], rate: float) -> ItemT:
        _, size, item = queue.popleft()
        self.packets -= 1
        self.bytes -= size
        self._free_at += 8 * size / rate
        return item

    def _current_rate(self, now: float) -> float:
        limit = self._options.pacer_queue_time
        if self.queue_age(now) <= limit:
            return self._rate
        return max(self._rate, 8 * self.bytes / limit)
