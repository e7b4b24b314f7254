"""A background task during an ``async with`` block."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import trio


class BackgroundTask:
    """A background task whose errors are raised from the block as they are, not in a group."""

    def __init__(self, task: Callable[..., Awaitable[None]]) -> None:
        self._task = task
        self._manager: AbstractAsyncContextManager[trio.Nursery]
        self._nursery: trio.Nursery

    async def enter(self) -> None:
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        try:
            await self._nursery.start(self._task)
        except BaseException as error:
            await self.exit(error)
            raise

    async def exit(self, error: BaseException | None) -> None:
        """Cancel the task, and raise its error if it had one."""
        try:
            if isinstance(error, trio.Cancelled):
                await self._manager.__aexit__(type(error), error, error.__traceback__)
                return
            # Shielded, so that an outer cancellation does not replace the block's own error.
            self._nursery.cancel_scope.shield = True
            self._nursery.cancel_scope.cancel()
            await self._manager.__aexit__(None, None, None)
        except ExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from error
            raise
