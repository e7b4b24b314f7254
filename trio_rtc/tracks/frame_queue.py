"""The bounded queue between a producer of frames or packets and one receiver.

Media is pushed, and late media is worthless: when the queue is full, the oldest item is dropped and counted. A producer
that can wait does so before it adds an item.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

import trio

from trio_rtc.protocols.rtp import EncodedFrame, RtpPacket

T = TypeVar("T")

MAX_QUEUED_BYTES: Final = 16 << 20
"""Maximum payload bytes in a queue: a number of items does not bound the memory of large frames."""


def always(item: object) -> bool:
    """Return ``True``: a receiver may begin with any item, since decoded frames refer to no others."""
    return True


def at_keyframe(item: object) -> bool:
    """Return whether a receiver may begin with an item: only a delta frame refers to others."""
    return not isinstance(item, EncodedFrame) or item.keyframe


def payload_size(item: object) -> int:
    """Return the payload size of an encoded frame or a packet in bytes; 0 for other items, which are few."""
    return len(item.payload) if isinstance(item, EncodedFrame | RtpPacket) else 0


class FrameQueue(trio.abc.ReceiveChannel[T], Generic[T]):
    """Bounded first-in, first-out queue that drops the oldest item when it is full, or holds 16 MiB of payloads.

    Encoded video cannot be decoded without its reference frames. When an item is dropped, the following ones are
    dropped too, up to the next item that a receiver may begin with.

    Args:
        capacity: Maximum number of items.
        may_begin: Returns whether a receiver may begin with an item.
        encoded_capacity: Maximum number of items when an encoded frame is added, at least ``capacity``; ``None`` for
            ``capacity``. Encoded frames are small, and many become available at once after a retransmission.
        size_of: Returns the size of an item in bytes.

    Attributes:
        waiting_for_keyframe: Whether items are dropped until one that a receiver may begin with.
    """

    def __init__(
        self,
        capacity: int,
        may_begin: Callable[[T], bool] = always,
        *,
        encoded_capacity: int | None = None,
        size_of: Callable[[T], int] = payload_size,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        if encoded_capacity is not None and encoded_capacity < capacity:
            raise ValueError(
                f"encoded_capacity must be at least capacity ({capacity}), not {encoded_capacity}"
            )
        self.dropped = 0
        self.waiting_for_keyframe = False
        self._capacity = capacity
        self._encoded_capacity = encoded_capacity or capacity
        self._may_begin = may_begin
        self._size_of = size_of
        self._bytes = 0
        self._items: deque[T] = deque()
        self._ended = False
        self._cause: BaseException | None = None
        self._closed = False
        self._receivers = trio.lowlevel.ParkingLot()
        self._producers = trio.lowlevel.ParkingLot()

    @property
    def queued(self) -> int:
        """Number of queued items. There is no ``len()``, because an empty channel would be falsy."""
        return len(self._items)

    @property
    def needs_keyframe(self) -> bool:
        """Whether a receiver waits, and items are dropped until one that it may begin with."""
        return self.waiting_for_keyframe and bool(self._receivers)

    @property
    def is_full(self) -> bool:
        """Whether the next item would drop the oldest one."""
        return len(self._items) >= self._capacity and not self._ended and not self._closed

    def put(self, item: T) -> bool:
        """Add an item; return whether nothing was dropped for it. Ignored after ``end`` or ``close``."""
        return self.put_all((item,))

    def put_all(self, items: Iterable[T]) -> bool:
        """Add several items like ``put``, and wake the receiver once."""
        if self._ended or self._closed:
            return True
        dropped_before = self.dropped
        for item in items:
            if len(self._items) >= self._capacity and self._has_no_room_for(item):
                self._drop_oldest()
            size = self._size_of(item)
            while self._items and self._bytes + size > MAX_QUEUED_BYTES:
                self._drop_oldest()
            if self.waiting_for_keyframe and not self._may_begin(item):
                self.dropped += 1
            else:
                self.waiting_for_keyframe = False
                self._items.append(item)
                self._bytes += size
        if self._receivers and self._items:
            self._receivers.unpark()
        return self.dropped == dropped_before

    async def wait_for_room(self) -> None:
        """Wait until an item can be added without dropping another, or would be ignored."""
        while self.is_full:
            await self._producers.park()

    async def put_when_free(self, item: T) -> None:
        """Add an item when there is room for it; for producers that can wait."""
        await self.wait_for_room()
        self.put(item)

    def end(self, cause: BaseException | None = None) -> None:
        """End the queue: the receiver gets the queued items, then ``trio.EndOfChannel``.

        Args:
            cause: The error of the source, if it has failed; the receiver then gets ``trio.BrokenResourceError``.
        """
        self._ended = True
        self._cause = self._cause or cause
        self._receivers.unpark_all()
        self._producers.unpark_all()

    async def receive(self) -> T:
        """Wait for an item and return the oldest.

        Raises:
            trio.EndOfChannel: The source has ended.
            trio.BrokenResourceError: The source has failed; the cause is its error.
            trio.ClosedResourceError: The queue was closed.
        """
        if self._is_ready():
            await trio.lowlevel.checkpoint_if_cancelled()
            item = self._pop_next()
            await trio.lowlevel.cancel_shielded_checkpoint()
            return item
        await self._wait_until_ready()
        return self._pop_next()

    async def receive_all(self) -> list[T]:
        """Wait for an item and return all queued ones.

        Raises:
            trio.EndOfChannel: See ``receive``.
            trio.BrokenResourceError: See ``receive``.
            trio.ClosedResourceError: See ``receive``.
        """
        if self._is_ready():
            await trio.lowlevel.checkpoint_if_cancelled()
            items = self._pop_all()
            await trio.lowlevel.cancel_shielded_checkpoint()
            return items
        await self._wait_until_ready()
        return self._pop_all()

    def clear(self) -> list[T]:
        """Remove and return the queued items, without counting them as dropped."""
        items = list(self._items)
        self._items.clear()
        self._bytes = 0
        self._producers.unpark_all()
        return items

    def close(self) -> None:
        """Discard the queued items and ignore further ones."""
        self._closed = True
        self._items.clear()
        self._bytes = 0
        self._receivers.unpark_all()
        self._producers.unpark_all()

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    async def _wait_until_ready(self) -> None:
        # Waiting is a checkpoint: another one would delay every frame by a turn of the scheduler.
        while not self._is_ready():
            await self._receivers.park()
        if self._closed:
            # If the receiver was cancelled, it gets trio.Cancelled, not the error of the later close().
            await trio.lowlevel.checkpoint_if_cancelled()

    def _is_ready(self) -> bool:
        return bool(self._items) or self._ended or self._closed

    def _pop_next(self) -> T:
        if self._closed:
            raise trio.ClosedResourceError
        if not self._items:
            if self._cause is not None:
                raise trio.BrokenResourceError from self._cause
            raise trio.EndOfChannel
        item = self._pop()
        if self._producers:
            self._producers.unpark_all()
        return item

    def _pop(self) -> T:
        item = self._items.popleft()
        self._bytes -= self._size_of(item)
        return item

    def _pop_all(self) -> list[T]:
        items = [self._pop_next(), *self._items]
        self._items.clear()
        self._bytes = 0
        return items

    def _has_no_room_for(self, item: T) -> bool:
        """Return whether a queue with ``capacity`` items is also full for this item."""
        return not isinstance(item, EncodedFrame) or len(self._items) >= self._encoded_capacity

    def _drop_oldest(self) -> None:
        self._pop()
        self.dropped += 1
        while self._items and not self._may_begin(self._items[0]):
            self._pop()
            self.dropped += 1
        self.waiting_for_keyframe = not self._items
