"""A sink for frames that are not needed."""

from typing import TypeVar

import trio

T = TypeVar("T")


class Blackhole:
    """Receives and discards all items of channels, so that they never fill up.

    Attributes:
        consumed: The count of discarded items.
    """

    def __init__(self) -> None:
        self.consumed = 0
        self._channels: list[trio.abc.ReceiveChannel[object]] = []
        self._added = trio.Event()

    def add(self, channel: trio.abc.ReceiveChannel[T]) -> None:
        """Consume a channel in :meth:`run`."""
        self._channels.append(channel)
        self._added.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Consume all added channels until cancelled."""
        task_status.started()
        async with trio.open_nursery() as nursery:
            while True:
                while self._channels:
                    nursery.start_soon(self.consume, self._channels.pop())
                await self._added.wait()
                self._added = trio.Event()

    async def consume(self, channel: trio.abc.ReceiveChannel[T]) -> None:
        """Consume one channel until it ends."""
        async with channel:
            try:
                async for _ in channel:
                    self.consumed += 1
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
