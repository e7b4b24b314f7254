"""Tasks that run concurrently with a block."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import trio


@contextlib.asynccontextmanager
async def background(*tasks: Callable[[], Awaitable[None]]) -> AsyncIterator[trio.Nursery]:
    """Run tasks while the block runs, and cancel them when it ends.

    An exception of the block is raised as it is, not in a group. An exception of a task, which is a bug, ends the block
    and is raised as it is.
    """
    block_error: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            for task in tasks:
                nursery.start_soon(task)
            try:
                yield nursery
            except BaseException as error:
                block_error = error
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        failures = group.split(trio.Cancelled)[1]
        if failures is not None:
            raise _unwrap(failures) from None
    if block_error is not None:
        raise block_error


def _unwrap(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup) and len(group.exceptions) == 1:
        group = group.exceptions[0]
    return group
