"""The pacer: packets leave evenly, not in the bursts in which encoders make them.

Packets wait by priority: audio, retransmissions, video, padding. Audio leaves at once (it is little, and late audio
is heard); what it takes is taken from the others. The rest leaves at a multiple of the target. It may be ahead of that
rate by a burst: where the path has room a usual frame leaves at once, and a retransmission does not wait for the frame
before it. What is further ahead waits, and then leaves in steps of a few milliseconds, so that a timer per step is
enough. A queue that is too old is drained faster.

A probe is sent at its own rate, from what waits; where nothing waits ``padding_needed`` asks for padding. All packets
of one ``take_due`` belong to the same cluster or to none: ``probe_cluster`` tells.

Retransmissions go before new video, but may not crowd it out: what a full queue has dropped may be many times what the
path carries by then. They get no more than a part of the target, and those that have waited too long are dropped; the
peer asks again for what it still needs.

The queue is bounded. When it is full ``enqueue`` first drops padding, then refuses: the packet is not sent. For
video the rest of the frame is then useless to the peer: drop it, and begin again with a keyframe.
"""

import enum
import math
from collections import deque
from typing import Generic, TypeVar

import attrs

from .options import BandwidthEstimationOptions
from .probe_cluster import ProbeCluster

ItemT = TypeVar("ItemT")

_MAX_PROBES = 8
# Longest time, at the pacer's rate, for which packets leave together once the burst is used up.
_STEP = 0.005
# Time between two bursts of a probe (goog_cc: 2 ms).
_PROBE_STEP = 0.002
# How long a probe that has begun may take; without packets or padding it is given up.
_MAX_PROBE_DURATION = 0.5


class PacketKind(enum.IntEnum):
    """What a packet is, in order of priority."""

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
    """Queues packets and gives them out when they are due.

    Attributes:
        probe_cluster: The cluster that the packets last taken belong to; ``None`` without one.
        packets: Number of packets that wait.
        bytes: What they take.
        refused: Number of packets that found the queue full.
        padding_dropped: Number of padding packets that made room for others.
        retransmissions_dropped: Number of retransmissions for which the target did not suffice.
    """

    def __init__(self, options: BandwidthEstimationOptions | None = None) -> None:
        options = options or BandwidthEstimationOptions()
        self._options = options
        self._rate = options.start_bitrate * options.pacing_factor
        self._queues: tuple[deque[tuple[float, int, ItemT]], ...] = tuple(deque() for _ in PacketKind)
        # When what has been sent is paid off, at the present rate.
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
        """Set the target in bits a second; the pacer's rate is a multiple of it.

        Args:
            target: Bits a second.
            now: Monotonic time in seconds.
            path_limited: Whether the path, and not the application, keeps the target from being higher.
        """
        options = self._options
        self._burst = options.pacing_burst if path_limited else options.pacing_burst_unlimited
        rate = max(target, 1.0) * options.pacing_factor
        if self._free_at > now:
            self._free_at = now + (self._free_at - now) * self._rate / rate
        self._rate = rate

    def add_probe(self, cluster: ProbeCluster) -> None:
        """Send a probe after those that wait. Of more than 8 that wait the oldest is dropped."""
        self._probes.append(cluster)

    def enqueue(self, item: ItemT, size: int, kind: PacketKind, now: float) -> bool:
        """Take a packet; return whether it will be sent. ``size`` is what it takes on the wire, in bytes."""
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
        """Drop what waits of one kind, as when a stream ends; return how many packets that were."""
        queue = self._queues[kind]
        count = len(queue)
        self.packets -= count
        self.bytes -= sum(size for _, size, _ in queue)
        queue.clear()
        return count

    def queue_age(self, now: float) -> float:
        """Return how long the oldest packet, other than padding, has waited, in seconds."""
        waiting = [queue[0][0] for queue in self._queues[: PacketKind.PADDING] if queue]
        return max(0.0, now - min(waiting)) if waiting else 0.0

    def take_due(self, now: float) -> list[ItemT]:
        """Take the packets that leave now. Afterwards ``next_timer`` is later than ``now``."""
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
        # Called too late, as on a busy machine, it makes up for that: one burst each time would be less than the rate.
        late = min(self.queue_age(now), self._options.pacing_catch_up)
        self._free_at = max(self._free_at, now - late)
        may_leave = self._next_step <= now
        rate = self._current_rate(now)
        while audio:
            items.append(self._pop(audio, rate))
        # More audio than the rate has room for delays the others, but does not silence them.
        self._free_at = min(self._free_at, now + self._options.pacer_queue_time)
        if may_leave:
            limit = now + self._burst
            while self._free_at < limit and (queue := self._first()) is not None:
                items.append(self._pop(queue, rate))
        return items

    def padding_needed(self, now: float) -> int:
        """Return how many bytes of padding to enqueue now for a probe; 0 when none is needed."""
        self._begin_probe(now)
        probe = self._probe
        if probe is None or self.packets or now < max(probe.due(), self._padding_asked_at + _PROBE_STEP):
            return 0
        self._padding_asked_at = now
        size = math.ceil(probe.cluster.bitrate * _PROBE_STEP / 8)
        return max(1, min(size, probe.cluster.min_bytes - probe.bytes))

    def next_timer(self) -> float:
        """Return when ``take_due`` or ``padding_needed`` has something; ``inf`` when nothing waits."""
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
        """When the next packets may leave: as soon as those of a step are within the burst."""
        return self._free_at - max(self._burst - _STEP, 0.0)

    def retransmission_time(self, size: int, now: float) -> float:
        """Return in how many seconds retransmissions of so many bytes, and those before, are paid off."""
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
            while audio:  # it never waits, and is of this cluster as it leaves with it
                items.append(self._pop(audio, probe.cluster.bitrate))
            # The probe was the burst: the next packets leave when it is over.
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
