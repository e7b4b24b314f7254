"""One bound for the buffers of all streams of a session.

A peer chooses how many streams it sends, so a bound for each stream is not a bound for the session. The buffers of one
kind share a :class:`BufferBudget`: each reports what it adds and removes, and when their sum exceeds the budget, whole
buffers are discarded until it does not.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from .options import RtpOptions

PACKET_OVERHEAD: Final = 512
"""Bytes that a buffered packet counts in addition to its payload: about the size of its objects in CPython."""


class Buffer(Protocol):
    """A buffer that shares a budget with others."""

    def discard(self) -> None:
        """Drop everything and release it from the budget."""


BufferChoice = Callable[[Mapping[Buffer, int]], Buffer]
"""Returns the buffer to discard, of the sizes of those that are not empty, in the order in which they filled."""


def oldest(sizes: Mapping[Buffer, int]) -> Buffer:
    """Return the buffer that has been non-empty for the longest time."""
    return next(iter(sizes))


def largest(sizes: Mapping[Buffer, int]) -> Buffer:
    """Return the largest buffer; of several the oldest."""
    return max(sizes, key=sizes.__getitem__)


class SharedLimit:
    """A bound that each buffer applies to itself: the one that adds makes room by releasing its own items.

    Args:
        max_bytes: The bound for the sum of all buffers.

    Attributes:
        size: The bytes in all buffers; each buffer adds and subtracts its own.
    """

    __slots__ = ("_max_bytes", "size")

    def __init__(self, max_bytes: int) -> None:
        self.size = 0
        self._max_bytes = max_bytes

    @property
    def is_exceeded(self) -> bool:
        return self.size > self._max_bytes


class BufferBudget:
    """The bound for the buffers of one kind.

    Args:
        max_bytes: The bound for the sum of all buffers.
        choice: Selects the buffer to discard when they exceed it.

    Attributes:
        size: The bytes in all buffers; at most ``max_bytes`` whenever ``add`` has returned.
    """

    __slots__ = ("_choice", "_max_bytes", "_sizes", "discarded", "size")

    def __init__(self, max_bytes: int, choice: BufferChoice) -> None:
        self.size = 0
        self.discarded = 0
        self._max_bytes = max_bytes
        self._choice = choice
        self._sizes: dict[Buffer, int] = {}

    def add(self, buffer: Buffer, size: int) -> None:
        """Record bytes that a buffer has added; discard buffers, perhaps this one, until all fit the budget."""
        self._sizes[buffer] = self._sizes.get(buffer, 0) + size
        self.size += size
        while self.size > self._max_bytes:
            self.discarded += 1
            self._choice(self._sizes).discard()

    def remove(self, buffer: Buffer, size: int) -> None:
        left = self._sizes[buffer] - size
        self.size -= size
        if left:
            self._sizes[buffer] = left
        else:
            del self._sizes[buffer]

    def release(self, buffer: Buffer) -> None:
        self.size -= self._sizes.pop(buffer, 0)


class ReceiveBudgets:
    """The budgets that the received streams of a session share.

    Attributes:
        early_media: The first packets of video without demand (:mod:`.receive.early_media`).
        assembly: The packets of incomplete video frames.
        held: The complete video frames that wait for audio.
        fec: The packets kept for forward error correction.
    """

    __slots__ = ("assembly", "early_media", "fec", "held")

    def __init__(self, options: RtpOptions) -> None:
        self.early_media = BufferBudget(options.max_early_media_bytes, oldest)
        self.assembly = BufferBudget(options.max_assembly_bytes, largest)
        self.held = SharedLimit(options.max_held_bytes)
        self.fec = BufferBudget(options.max_fec_bytes, largest)

    def counters(self) -> dict[str, float]:
        return {
            "early_media_dropped": self.early_media.discarded,
            "assembly_dropped": self.assembly.discarded,
            "fec_dropped": self.fec.discarded,
        }
