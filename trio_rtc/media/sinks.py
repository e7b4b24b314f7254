"""Where frames go that nobody wants."""

from typing import TypeVar

import trio

T = TypeVar("T")


class Blackhole:
    """Takes all that comes out of channels and forgets it, so that they never fill up.

    Attributes:
        consumed: How many items it has taken.
    """

    def __init__(self) -> None:
        self.consumed = 0
        self._channels: list[trio.abc.ReceiveChannel[object]] = []
        self._added = trio.Event()

    def add(self, channel: trio.abc.ReceiveChannel[T]) -> None:
        """Consume this channel too."""
        self._channels.append(channel)
        self._added.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Consume until cancelled."""
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
