"""One direction of the path between two hosts: delay, loss, reordering, and a bottleneck with a queue."""

import random
from typing import Any

from trio_rtc import _attrs as attrs

from .packet import DropReason

IPV4_AND_UDP_HEADERS = 28
IPV6_AND_UDP_HEADERS = 48


def _probability(_: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} must be a probability between 0 and 1, not {value}")


def _not_negative(_: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if value < 0:
        raise ValueError(f"{attribute.name} must not be negative, but is {value}")


@attrs.frozen(kw_only=True)
class Link:
    """The properties of one direction of the path between two hosts.

    Attributes:
        delay: One-way delay in seconds.
        jitter: Maximum additional delay in seconds, uniformly distributed.
        jitter_reorders: Whether a packet with less jitter overtakes one with more, as on different paths. Otherwise
            packets keep their order, as in a queue.
        loss: Probability that a packet is lost.
        duplicate: Probability that a packet arrives twice.
        reorder: Probability that a packet is delayed by ``reorder_delay``, so that later ones overtake it.
        reorder_delay: Additional delay in seconds of a reordered packet.
        corrupt: Probability that one bit of the payload is flipped.
        rate: Bits per second of the bottleneck, headers included; ``None`` is unlimited.
        queue: Maximum bytes in the queue of the bottleneck; further packets are dropped.
        mtu: Maximum size of an IP packet in bytes. Larger ones are dropped, as with "don't fragment" set.

    Raises:
        ValueError: A probability or duration is out of range.
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
"""The link from a host to itself."""


@attrs.define
class LinkState:
    """The state of a link: its bottleneck and its random number generator.

    Every direction has its own generator, so that packets in one direction do not influence the other. ``link`` may be
    replaced at any time; packets in flight are not affected.
    """

    link: Link
    rng: random.Random
    _free_at: float = attrs.field(default=0.0, init=False)
    _last_arrival: float = attrs.field(default=0.0, init=False)

    def arrivals(self, size: int, headers: int, now: float) -> list[float] | DropReason:
        """Return the arrival times of a packet's copies, or the reason if it is dropped; sizes are in bytes."""
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
        return max(self._free_at - now, 0.0)

    def corrupted(self, data: bytes) -> bytes:
        """Return a payload, with one bit flipped with the link's probability."""
        if not self.link.corrupt or not data or self.rng.random() >= self.link.corrupt:
            return data
        flipped = bytearray(data)
        flipped[self.rng.randrange(len(flipped))] ^= 1 << self.rng.randrange(8)
        return bytes(flipped)
