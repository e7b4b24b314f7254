"""A background task for the length of an ``async with`` block."""

from collections.abc import Awaitable, Callable

import trio


class Lifetime:
    """A background task for the length of a block, whose errors leave the block as they are, ungrouped."""

    def __init__(self, task: Callable[..., Awaitable[None]]) -> None:
        self._task = task
        self._manager = trio.open_nursery()
        self._nursery: trio.Nursery

    async def enter(self) -> None:
        """Start the task and wait until it says that it has started."""
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        try:
            await self._nursery.start(self._task)
        except BaseException as error:
            await self._manager.__aexit__(type(error), error, error.__traceback__)
            raise

    async def exit(self, error: BaseException | None) -> bool:
        """End the task. Return whether ``error`` was only the cancellation of the block by the task's end."""
        try:
            if isinstance(error, trio.Cancelled):
                return bool(await self._manager.__aexit__(type(error), error, error.__traceback__))
            scope = self._nursery.cancel_scope
            scope.shield = (
                True  # so that an outer cancellation does not take the place of the block's own error
            )
            scope.cancel()
            await self._manager.__aexit__(None, None, None)
        except ExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from error
            raise
        return False
