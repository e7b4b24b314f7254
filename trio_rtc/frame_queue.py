"""The bounded queue between whoever makes frames and one who takes them.

Media is pushed, and late media is worthless: when the queue is full the oldest frame is dropped and counted. Only
a queue that holds up its maker (the one of a local track's sender) says that it is full, and its maker waits.
"""

from collections import deque
from typing import Any

import trio

VIDEO_CAPACITY = 8
AUDIO_CAPACITY = 50
"""Frames that wait for whoever takes them: a quarter of a second of video, a second of audio."""


class FrameQueue:
    """Frames on their way to one consumer.

    Args:
        capacity: How many may wait.

    Attributes:
        dropped: How many were dropped because they were not taken in time.
    """

    def __init__(self, capacity: int) -> None:
        self._frames: deque[Any] = deque()
        self._capacity = capacity
        self._taker = trio.lowlevel.ParkingLot()
        self._makers = trio.lowlevel.ParkingLot()
        self._ended = False
        self.dropped = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take at present."""
        return not self._frames

    @property
    def is_full(self) -> bool:
        """Whether the next frame would push one out."""
        return len(self._frames) >= self._capacity and not self._ended

    def put(self, frame: Any) -> bool:
        """Add a frame; return whether none had to be dropped for it."""
        if self._ended:
            return True
        fits = len(self._frames) < self._capacity
        if not fits:
            self._frames.popleft()
            self.dropped += 1
        self._frames.append(frame)
        self._taker.unpark()
        return fits

    async def wait_for_room(self) -> None:
        """Wait until a frame fits, or nobody takes any more."""
        while self.is_full:
            await self._makers.park()

    async def take(self) -> Any:
        """Wait for the next frame.

        Raises:
            trio.EndOfChannel: There will be none.
        """
        while not self._frames:
            if self._ended:
                raise trio.EndOfChannel
            await self._taker.park()
        return self.take_nowait()

    def take_nowait(self) -> Any:
        """Take the next frame, ``None`` when there is none."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._makers.unpark_all()
        return frame

    def end(self, *, discard: bool = False) -> None:
        """Say that no frame will come, or with ``discard`` that none will be taken."""
        self._ended = True
        if discard:
            self._frames.clear()
        self._taker.unpark_all()
        self._makers.unpark_all()


class QueueChannel(trio.abc.ReceiveChannel[Any]):
    """The reading end of a queue, as a channel."""

    def __init__(self, queue: FrameQueue) -> None:
        self._queue = queue

    @property
    def dropped(self) -> int:
        """How many were not taken in time."""
        return self._queue.dropped

    async def receive(self) -> Any:
        """Wait for the next one.

        Raises:
            trio.EndOfChannel: There will be none.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._queue.is_empty:
            return await self._queue.take()
        item = self._queue.take_nowait()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return item

    async def aclose(self) -> None:
        """Take no more."""
        self._queue.end(discard=True)
        await trio.lowlevel.checkpoint()
