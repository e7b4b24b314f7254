"""A background task of a block."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def run_beside(task: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Run a task until the end of the block.

    An exception of the block is not grouped, so that a failed assertion reads as one; one of the task cancels
    the block and is raised in a group.
    """
    block_error: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(task)
        try:
            yield
        except Exception as error:
            block_error = error
        nursery.cancel_scope.cancel()
    if block_error is not None:
        raise block_error
