"""One direction of the way between two hosts: delay, loss, reordering, a bottleneck with its queue."""

import random
from typing import Any

import attrs

from .packet import DropReason

IPV4_AND_UDP_HEADERS = 28
IPV6_AND_UDP_HEADERS = 48


def _probability(_: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} is a probability between 0 and 1, not {value}")


def _not_negative(_: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if value < 0:
        raise ValueError(f"{attribute.name} cannot be negative, is {value}")


@attrs.frozen(kw_only=True)
class Link:
    """How one direction of the way between two hosts treats packets.

    Attributes:
        delay: Seconds that every packet is under way.
        jitter: Up to so many seconds are added, evenly distributed.
        jitter_reorders: Whether a packet with less jitter overtakes one with more, as where packets go different
            ways. Otherwise jitter keeps their order, as a queue does.
        loss: Probability that a packet gets lost.
        duplicate: Probability that a packet arrives twice.
        reorder: Probability that a packet is held back by ``reorder_delay``, so that later ones overtake it.
        reorder_delay: Seconds by which a reordered packet is held back.
        corrupt: Probability that one bit of the payload flips.
        rate: Bits per second through the bottleneck, headers included; ``None`` is unlimited.
        queue: Bytes that wait in front of the bottleneck at most; what comes on top is dropped.
        mtu: Largest IP packet in bytes. Larger ones vanish, as with "don't fragment" set.

    Raises:
        ValueError: A probability or duration makes no sense.
    """

    delay: float = attrs.field(default=0.01, validator=_not_negative)
    jitter: float = attrs.field(default=0.0, validator=_not_negative)
    jitter_reorders: bool = False
    loss: float = attrs.field(default=0.0, validator=_probability)
    duplicate: float = attrs.field(default=0.0, validator=_probability)
    reorder: float = attrs.field(default=0.0, validator=_probability)
    reorder_delay: float = attrs.field(default=0.02, validator=_not_negative)
    corrupt: float = attrs.field(default=0.0, validator=_probability)
    rate: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.gt(0))
    )
    queue: int = attrs.field(default=256 * 1024, validator=_not_negative)
    mtu: int = attrs.field(default=1500, validator=_not_negative)


LOOPBACK = Link(delay=0.0, mtu=65_535)
"""What a host's packets to itself go through."""


@attrs.define
class Pipe:
    """The state of a link: when its bottleneck is free again, and its own chance.

    Every direction has its own chance, so that packets one way do not change the luck of the other.

    Attributes:
        link: The conditions, which may be replaced at any time; what is under way is not touched by that.
        rng: Source of chance.
    """

    link: Link
    rng: random.Random
    _free_at: float = attrs.field(default=0.0, init=False)
    _last_arrival: float = attrs.field(default=0.0, init=False)

    def arrivals(self, size: int, headers: int, now: float) -> list[float] | DropReason:
        """Return when the copies of a packet arrive, or why none does.

        Args:
            size: Length of the payload in bytes.
            headers: Length of the IP and UDP headers in bytes.
            now: When the packet is sent, in seconds.
        """
        link = self.link
        size += headers
        if size > link.mtu:
            return DropReason.OVERSIZED
        if link.loss and self.rng.random() < link.loss:
            return DropReason.LOSS
        leaves = now
        if link.rate is not None:
            starts = max(now, self._free_at)
            if (starts - now) * link.rate / 8 + size > max(link.queue, size):
                return DropReason.QUEUE_FULL
            leaves = self._free_at = starts + size * 8 / link.rate
        arrives = leaves + link.delay
        if link.jitter:
            arrives += self.rng.random() * link.jitter
        if link.reorder and self.rng.random() < link.reorder:
            arrivals = [arrives + link.reorder_delay]
        elif link.jitter_reorders:
            arrivals = [arrives]
        else:
            self._last_arrival = arrives = max(arrives, self._last_arrival)
            arrivals = [arrives]
        if link.duplicate and self.rng.random() < link.duplicate:
            arrivals *= 2
        return arrivals

    def queueing_delay(self, now: float) -> float:
        """Return how long a packet sent now would wait in front of the bottleneck, in seconds."""
        return max(self._free_at - now, 0.0)

    def corrupted(self, data: bytes) -> bytes:
        """Return what arrives of a payload: itself, or with the link's probability one bit flipped."""
        if not self.link.corrupt or not data or self.rng.random() >= self.link.corrupt:
            return data
        flipped = bytearray(data)
        flipped[self.rng.randrange(len(flipped))] ^= 1 << self.rng.randrange(8)
        return bytes(flipped)
