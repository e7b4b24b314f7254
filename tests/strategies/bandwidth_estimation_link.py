"""A bottleneck link in virtual time, flows with an encoder, a pacer and an estimator over it, and measurements."""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import attrs

from trio_rtc.protocols.bandwidth_estimation import (
    BandwidthEstimationOptions,
    BandwidthEstimator,
    FeedbackGenerator,
    Pacer,
    PacketKind,
)

PACKET_SIZE = 1200
SAMPLE_INTERVAL = 0.1


class Simulation:
    """Events in the order of their times; those of the same time in the order in which they were scheduled."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, time: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(time, self.now), next(self._order), action))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, action = heapq.heappop(self._events)
            action()
        self.now = until


@attrs.frozen
class LinkShape:
    """Conditions of a link: rates in bits per second, times in seconds; ``rates`` are (start, rate) in order."""

    rates: Sequence[tuple[float, float]]
    base_delay: float = 0.025
    loss: float = 0.0
    jitter: float = 0.0
    max_queue: float = 1.0
    """Queueing delay of a full queue at the current rate."""


class Link:
    """A queue shared by all flows. Loss and jitter apply after it; jitter reorders."""

    def __init__(self, simulation: Simulation, shape: LinkShape, rng: random.Random) -> None:
        self._simulation = simulation
        self._shape = shape
        self._rng = rng
        self._queue: deque[tuple[float, int, Callable[[], None]]] = deque()
        self._bytes = 0
        self._busy = False
        self.queue_delays: list[tuple[float, float]] = []
        self.dropped = 0

    def rate(self) -> float:
        now = self._simulation.now
        return [rate for begin, rate in self._shape.rates if begin <= now][-1]

    def send(self, size: int, deliver: Callable[[], None]) -> None:
        if 8 * (self._bytes + size) > max(self.rate() * self._shape.max_queue, 8 * 3 * PACKET_SIZE):
            self.dropped += 1
            return
        self._queue.append((self._simulation.now, size, deliver))
        self._bytes += size
        if not self._busy:
            self._serve()

    def _serve(self) -> None:
        self._busy = bool(self._queue)
        if self._busy:
            self._simulation.at(self._simulation.now + 8 * self._queue[0][1] / self.rate(), self._depart)

    def _depart(self) -> None:
        queued_at, size, deliver = self._queue.popleft()
        self._bytes -= size
        now = self._simulation.now
        self.queue_delays.append((now, now - queued_at))
        if self._rng.random() >= self._shape.loss:
            self._simulation.at(
                now + self._shape.base_delay + self._rng.random() * self._shape.jitter, deliver
            )
        self._serve()


@attrs.frozen
class SourceShape:
    """Model of an encoder: its maximum bitrate, and how fast it follows its target."""

    frame_rate: float = 30.0
    lag: float = 0.2
    max_bitrate: Callable[[float], float] = lambda now: 20_000_000.0
    noise: float = 0.1
    audio: bool = True
    begins: float = 0.0


class Flow:
    """A sender and its receiver, joined by the library's pure congestion control."""

    def __init__(
        self,
        simulation: Simulation,
        link: Link,
        rng: random.Random,
        source: SourceShape | None = None,
        options: BandwidthEstimationOptions | None = None,
        return_delay: float = 0.025,
        clock: Callable[[float], float] = lambda now: now,
        feedback_arrives: Callable[[float], bool] = lambda now: True,
    ) -> None:
        self._simulation = simulation
        self._link = link
        self._rng = rng
        self._source = source or SourceShape()
        self._return_delay = return_delay
        self._clock = clock
        self._feedback_arrives = feedback_arrives
        self.estimator = BandwidthEstimator(options)
        self.pacer: Pacer[tuple[PacketKind, int]] = Pacer(options)
        self.generator = FeedbackGenerator(options)
        self._sequence_number = 65_000
        self._pacer_at = self._estimator_at = self._generator_at = float("inf")
        self._encoder_rate = self.estimator.target_bitrate
        self.targets: list[tuple[float, float]] = []
        self.pacer_delays: list[tuple[float, float]] = []
        self.received: list[tuple[float, int]] = []
        self.feedback_bytes = 0
        simulation.at(self._source.begins, self._begin)

    # The sender.

    def _begin(self) -> None:
        self._encode()
        if self._source.audio:
            self._send_audio()
        self._sample()

    def _sample(self) -> None:
        now = self._simulation.now
        self.targets.append((now, self.estimator.target_bitrate))
        self.pacer_delays.append((now, self.pacer.queue_age(now)))
        self._simulation.at(now + SAMPLE_INTERVAL, self._sample)

    def _send_audio(self) -> None:
        self._enqueue(120, PacketKind.AUDIO)
        self._simulation.at(self._simulation.now + 0.02, self._send_audio)

    def _encode(self) -> None:
        now = self._simulation.now
        source = self._source
        audio = 48_000.0 if source.audio else 0.0
        wanted = min(max(self.estimator.target_bitrate - audio, 10_000.0), source.max_bitrate(now))
        self._encoder_rate += (wanted - self._encoder_rate) * min(1.0, 1 / source.frame_rate / source.lag)
        rate = self._encoder_rate * (1 + source.noise * self._rng.uniform(-1, 1))
        size = int(rate / source.frame_rate / 8)
        while size > 0:
            self._enqueue(max(min(size, PACKET_SIZE), 60), PacketKind.VIDEO)
            size -= PACKET_SIZE
        self._simulation.at(now + 1 / source.frame_rate, self._encode)

    def _enqueue(self, size: int, kind: PacketKind) -> None:
        self.pacer.enqueue((kind, size), size, kind, self._simulation.now)
        self._flush()

    def _flush(self) -> None:
        now = self._simulation.now
        for cluster in self.estimator.take_probes():
            self.pacer.add_probe(cluster)
        self.pacer.set_bitrate(self.estimator.target_bitrate, now)
        self._send(now)
        if (padding := self.pacer.padding_needed(now)) > 0:
            while padding > 0:
                self.pacer.enqueue((PacketKind.PADDING, PACKET_SIZE), PACKET_SIZE, PacketKind.PADDING, now)
                padding -= PACKET_SIZE
            self._send(now)
        self._arm()

    def _send(self, now: float) -> None:
        for kind, size in self.pacer.take_due(now):
            number = self._sequence_number
            self._sequence_number += 1
            self.estimator.record_packet_sent(
                number, size, now, self.pacer.probe_cluster, padding=kind is PacketKind.PADDING
            )
            self._link.send(size, partial(self._arrive, number, size))

    def _arm(self) -> None:
        if (due := self.pacer.next_timer()) < self._pacer_at:
            self._pacer_at = due
            self._simulation.at(due, partial(self._pace, due))
        if (at := self.estimator.next_timer()) < self._estimator_at:
            self._estimator_at = at
            self._simulation.at(at, self._tick)

    def _pace(self, due: float) -> None:
        if due == self._pacer_at:
            self._pacer_at = float("inf")
            self._flush()

    def _tick(self) -> None:
        self._estimator_at = float("inf")
        self.estimator.handle_timer(self._simulation.now)
        self._flush()

    # The receiver.

    def _arrive(self, number: int, size: int) -> None:
        now = self._simulation.now
        self.received.append((now, size))
        # Feedback has a resolution of 250 microseconds.
        arrival = round(self._clock(now) * 4000) / 4000
        self.generator.record_arrival(number, arrival, size, now)
        if (at := self.generator.next_timer()) < self._generator_at:
            self._generator_at = at
            self._simulation.at(at, self._send_feedback)

    def _send_feedback(self) -> None:
        now = self._simulation.now
        self._generator_at = float("inf")
        for message in self.generator.feedback_to_send(now):
            self.feedback_bytes += 68
            if self._feedback_arrives(now):
                self._simulation.at(
                    now + self._return_delay, partial(self._receive_feedback, message.arrivals)
                )

    def _receive_feedback(self, arrivals: list[tuple[int, float | None]]) -> None:
        self.estimator.handle_feedback(arrivals, None, self._simulation.now)
        self._flush()

    # Measurements.

    def target_between(self, begin: float, end: float) -> list[float]:
        return [target for time, target in self.targets if begin <= time < end]

    def throughput(self, begin: float, end: float) -> float:
        return 8 * sum(size for time, size in self.received if begin <= time < end) / (end - begin)


class CrossTraffic:
    """Traffic of a constant rate without congestion control."""

    def __init__(self, simulation: Simulation, link: Link, rate: float, begin: float, end: float) -> None:
        self._simulation, self._link, self._rate, self._end = simulation, link, rate, end
        simulation.at(begin, self._send)

    def _send(self) -> None:
        self._link.send(PACKET_SIZE, lambda: None)
        if self._simulation.now < self._end:
            self._simulation.at(self._simulation.now + 8 * PACKET_SIZE / self._rate, self._send)


def percentile(values: Sequence[float], part: float) -> float:
    """Return the percentile of the values; ``part`` is a fraction from 0 to 1."""
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]
