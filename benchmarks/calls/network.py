"""The networks of the measured calls: a pure model, for which time is an argument and chance has a seed.

A direction is a bottleneck with a drop-tail queue, and a delay behind it. Packets never overtake each other.
"""

import math
import random
from collections.abc import Sequence

import attrs

QUEUE_SECONDS = 0.3
"""Depth of the drop-tail queue: a packet that would wait longer for the bottleneck is dropped."""

JITTER_INTERVAL = 0.1
"""Seconds from one random delay to the next; between them the delay changes linearly."""


@attrs.frozen
class NetworkModel:
    """Treatment of packets in one direction of the path.

    Attributes:
        delay: Seconds.
        jitter: Seconds of additional delay at most. Cross traffic is imitated: the additional delay moves linearly
            from one random value to the next, so it depends on the time and not on how many packets there are.
        loss: The share of packets that are lost at random.
        rates: Bits per second from a second of the call on, in order, the first from 0; empty is unlimited.
        queue: Seconds a packet may wait for the bottleneck.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    rates: Sequence[tuple[float, float]] = ()
    queue: float = QUEUE_SECONDS


@attrs.frozen
class Network:
    """A network of the benchmark.

    Attributes:
        forward: From the sender of audio and video to the receiver.
        backward: From the receiver to the sender.
        seconds: How long a call lasts from the moment when it is connected.
        bulk: From which second to which the sender also sends bulk data, if it does; then its buffer has to drain.
        description: For the documentation.
    """

    forward: NetworkModel
    backward: NetworkModel
    seconds: float
    description: str
    bulk: tuple[float, float] | None = None


_HALF = 0.025
_BACK = NetworkModel(delay=_HALF)

NETWORKS = {
    "clean": Network(NetworkModel(_HALF), _BACK, 12, "50 ms round trip"),
    "loss2": Network(NetworkModel(_HALF, loss=0.02), NetworkModel(_HALF, loss=0.02), 12, "2 % lost each way"),
    "loss10": Network(NetworkModel(_HALF, loss=0.1), NetworkModel(_HALF, loss=0.1), 12, "10 % lost each way"),
    "jitter": Network(
        NetworkModel(_HALF, jitter=0.03),
        NetworkModel(_HALF, jitter=0.03),
        12,
        "up to 30 ms of jitter each way",
    ),
    "600k": Network(NetworkModel(_HALF, rates=[(0, 0.6e6)]), _BACK, 15, "600 kbit/s"),
    "step": Network(
        NetworkModel(_HALF, rates=[(0, 4e6), (10, 0.5e6), (20, 4e6)]), _BACK, 30, "4, 0.5 and again 4 Mbit/s"
    ),
    "bulk": Network(
        NetworkModel(_HALF, rates=[(0, 6e6)]),
        _BACK,
        20,
        "6 Mbit/s, with bulk data on a data channel of the same connection",
        bulk=(5, 11),
    ),
}
"""The networks by name."""


@attrs.define
class Direction:
    """One direction of the path: computes whether and when each packet arrives.

    Attributes:
        model: What happens to packets.
    """

    model: NetworkModel
    _random: random.Random
    _levels: list[float] = attrs.Factory(list)
    _began: float = math.inf
    _free_at: float = -math.inf
    _last_due: float = -math.inf

    def begin(self, now: float) -> None:
        """Start the call: the schedule of rates and the jitter start here."""
        self._began = now

    def wait(self, now: float) -> float:
        """Return the queueing delay of a packet that arrives now, in seconds."""
        return max(0.0, self._free_at - now) if self.model.rates else 0.0

    def loses(self) -> bool:
        """Return whether the next packet that can be lost is lost."""
        return self.model.loss > 0 and self._random.random() < self.model.loss

    def enter(self, size: int, now: float) -> float | None:
        """Queue a packet.

        Args:
            size: Bytes on the wire.
            now: Seconds, on whatever clock.

        Returns:
            When it arrives, or ``None`` if the queue is full.
        """
        sent_at = now
        if self.model.rates:
            if self.wait(now) > self.model.queue:
                return None
            sent_at = self._free_at = self._transmitted_at(8 * size, max(self._free_at, now))
        self._last_due = max(self._last_due, sent_at + self.model.delay + self._jitter_at(sent_at))
        return self._last_due

    def _transmitted_at(self, bits: float, begin: float) -> float:
        """Return when a number of bits is transmitted that start at a time, over all changes of the rate."""
        ends = [self._began + at for at, _ in self.model.rates[1:]] + [math.inf]
        for (_, rate), end in zip(self.model.rates, ends, strict=True):
            if begin >= end:
                continue
            if begin + bits / rate <= end:
                return begin + bits / rate
            bits -= (end - begin) * rate
            begin = end
        raise AssertionError("the last rate has no end")

    def _jitter_at(self, time: float) -> float:
        if not self.model.jitter:
            return 0.0
        index, part = divmod(max(0.0, time - self._began) / JITTER_INTERVAL, 1)
        while len(self._levels) < index + 2:
            self._levels.append(self._random.uniform(0, self.model.jitter))
        before, after = self._levels[int(index) : int(index) + 2]
        return before + (after - before) * part


def make_directions(network: Network, seed: int) -> tuple[Direction, Direction]:
    """Return the forward and the backward direction; each has random numbers of its own."""
    return (
        Direction(network.forward, random.Random(f"{seed} forward")),
        Direction(network.backward, random.Random(f"{seed} backward")),
    )
