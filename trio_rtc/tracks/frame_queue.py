"""The bounded queue between whoever makes frames, or packets, and one who takes them.

Media is pushed, and late media is worthless: when the queue is full the oldest goes, and is counted. A maker that can
wait does so before it puts something in.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

import trio

from trio_rtc.protocols.rtp import EncodedFrame, RtpPacket

T = TypeVar("T")

MAX_QUEUED_BYTES: Final = 16 << 20
"""Payloads that a queue holds: a peer may send frames of megabytes, and of these a number is no bound."""


def always(item: object) -> bool:
    """Return that a receiver may begin with any item: decoded frames need none before them."""
    return True


def at_keyframe(item: object) -> bool:
    """Return whether a receiver may begin with this item: what is no encoded frame needs none before it."""
    return not isinstance(item, EncodedFrame) or item.keyframe


def payload_size(item: object) -> int:
    """Return the bytes of the payload of an encoded frame or a packet; 0 for other items, which are few."""
    return len(item.payload) if isinstance(item, EncodedFrame | RtpPacket) else 0


class FrameQueue(trio.abc.ReceiveChannel[T], Generic[T]):
    """What is put in comes out in order; when it is full the oldest goes. It is full also with 16 MiB of payloads.

    An encoded picture is of no use without those before it. So when one has gone, those that follow go too, up to the
    next that a receiver may begin with.

    Args:
        capacity: How many items it holds.
        may_begin: Whether a receiver may begin with an item.
        encoded_capacity: How many, when it is an encoded frame that comes, as many or more; ``None`` for as many.
            They are small, and come many at once when what was missing before them has come.
        size_of: The bytes that an item counts.

    Attributes:
        dropped: How many items have gone.
        starved: Whether it lets nothing in before an item that a receiver may begin with.
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
            raise ValueError("capacity must be 1 or more")
        if encoded_capacity is not None and encoded_capacity < capacity:
            raise ValueError("encoded_capacity must be capacity or more")
        self.dropped = 0
        self.starved = False
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
        self._makers = trio.lowlevel.ParkingLot()

    @property
    def queued(self) -> int:
        """How many items wait. Not ``len()``: an empty channel would count as false."""
        return len(self._items)

    @property
    def waits_for_beginning(self) -> bool:
        """Whether a receiver waits, and nothing is let in before an item that it may begin with."""
        return self.starved and bool(self._receivers)

    @property
    def is_full(self) -> bool:
        """Whether the next item would push one out."""
        return len(self._items) >= self._capacity and not self._ended and not self._closed

    def put(self, item: T) -> bool:
        """Add an item and return whether nothing was dropped for it. After the end it is ignored."""
        return self.put_all((item,))

    def put_all(self, items: Iterable[T]) -> bool:
        """Add several items as ``put`` does, and wake the receiver once."""
        if self._ended or self._closed:
            return True
        dropped_before = self.dropped
        for item in items:
            if len(self._items) >= self._capacity and self._has_no_room_for(item):
                self._drop_oldest()
            size = self._size_of(item)
            while self._items and self._bytes + size > MAX_QUEUED_BYTES:
                self._drop_oldest()
            if self.starved and not self._may_begin(item):
                self.dropped += 1
            else:
                self.starved = False
                self._items.append(item)
                self._bytes += size
        if self._receivers and self._items:
            self._receivers.unpark()
        return self.dropped == dropped_before

    async def wait_for_room(self) -> None:
        """Wait until an item fits, or is ignored."""
        while self.is_full:
            await self._makers.park()

    async def put_when_free(self, item: T) -> None:
        """Add an item when there is room for it; for makers that can wait."""
        await self.wait_for_room()
        self.put(item)

    def end(self, cause: BaseException | None = None) -> None:
        """Let the receiver have what is queued, and then ``trio.EndOfChannel``.

        Args:
            cause: What has broken the source, if it has not just ended: the receiver gets
                ``trio.BrokenResourceError``.
        """
        self._ended = True
        self._cause = self._cause or cause
        self._receivers.unpark_all()
        self._makers.unpark_all()

    async def receive(self) -> T:
        """Return the oldest item, when there is one.

        Raises:
            trio.EndOfChannel: The writer has ended.
            trio.BrokenResourceError: The writer has ended because of an error, which is the cause.
            trio.ClosedResourceError: This end was closed.
        """
        if self._is_settled():
            await trio.lowlevel.checkpoint_if_cancelled()
            item = self._take()
            await trio.lowlevel.cancel_shielded_checkpoint()
            return item
        await self._wait_until_settled()
        return self._take()

    async def receive_all(self) -> list[T]:
        """Return all items that are there, when there is one.

        Raises:
            trio.EndOfChannel: As ``receive``, and so the others.
            trio.BrokenResourceError: The writer has ended because of an error.
            trio.ClosedResourceError: This end was closed.
        """
        if self._is_settled():
            await trio.lowlevel.checkpoint_if_cancelled()
            items = self._take_all()
            await trio.lowlevel.cancel_shielded_checkpoint()
            return items
        await self._wait_until_settled()
        return self._take_all()

    def clear(self) -> list[T]:
        """Take out and return what is queued. It does not count as dropped."""
        items = list(self._items)
        self._items.clear()
        self._bytes = 0
        self._makers.unpark_all()
        return items

    def close(self) -> None:
        """Let go of what is queued and take nothing any more."""
        self._closed = True
        self._items.clear()
        self._bytes = 0
        self._receivers.unpark_all()
        self._makers.unpark_all()

    async def aclose(self) -> None:
        """Like ``close``."""
        self.close()
        await trio.lowlevel.checkpoint()

    async def _wait_until_settled(self) -> None:
        # Waiting is a checkpoint by itself: another would cost every frame a round of the event loop.
        while not self._is_settled():
            await self._receivers.park()
        if self._closed:
            # A receiver that was woken before its scope was cancelled hears of that, not of the closing behind it.
            await trio.lowlevel.checkpoint_if_cancelled()

    def _is_settled(self) -> bool:
        return bool(self._items) or self._ended or self._closed

    def _take(self) -> T:
        if self._closed:
            raise trio.ClosedResourceError
        if not self._items:
            if self._cause is not None:
                raise trio.BrokenResourceError from self._cause
            raise trio.EndOfChannel
        item = self._pop()
        if self._makers:
            self._makers.unpark_all()
        return item

    def _pop(self) -> T:
        item = self._items.popleft()
        self._bytes -= self._size_of(item)
        return item

    def _take_all(self) -> list[T]:
        items = [self._take(), *self._items]
        self._items.clear()
        self._bytes = 0
        return items

    def _has_no_room_for(self, item: T) -> bool:
        """Return whether a queue that is full for others is full for this item, too."""
        return not isinstance(item, EncodedFrame) or len(self._items) >= self._encoded_capacity

    def _drop_oldest(self) -> None:
        self._pop()
        self.dropped += 1
        while self._items and not self._may_begin(self._items[0]):
            self._pop()
            self.dropped += 1
        self.starved = not self._items
