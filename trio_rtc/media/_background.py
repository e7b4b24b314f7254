"""Tasks that run concurrently with a block."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import trio

from trio_rtc._error_filters import ungrouped_errors


@contextlib.asynccontextmanager
async def background(*tasks: Callable[[], Awaitable[None]]) -> AsyncIterator[trio.Nursery]:
    """Run tasks while the block runs, and cancel them when it ends.

    An exception of the block, or of a task (a bug, which ends the block), is raised as it is, not in a group.
    """
    with ungrouped_errors():
        async with trio.open_nursery() as nursery:
            for task in tasks:
                nursery.start_soon(task)
            yield nursery
            nursery.cancel_scope.cancel()
