"""The life of a peer connection: two nested nurseries, bounded goodbyes, plain exceptions.

The outer nursery holds the user's block and the asynchronous handlers, and is cancelled when the block ends. The
inner one holds the transports and is shielded, so that an outer cancellation still lets the goodbyes (SCTP
ABORT, DTLS close_notify) reach the wire; they may take as long as the close timeout, no longer.

An exception from the block leaves it plain, never wrapped in an exception group of ours. A bug in a transport
cancels the block and surfaces as that exception. Once the block has begun to end, an error that says only that
something is closed is logged instead (:mod:`.closed_errors`): :class:`.HandlerRunner` leaves out those of handlers;
those of transforms of encoded frames, which run beside the transports, are left out here. So are those of handlers
that ran while an exception was already on its way out of the block, for example through a nursery that ends slowly.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import trio

from trio_rtc._closed_errors import without_closed_errors

logger = logging.getLogger("trio_rtc.handlers")

Start = Callable[[trio.Nursery], Awaitable[None]]
Shutdown = Callable[[], Awaitable[None]]


class ConnectionScope:
    """Runs the tasks of one peer connection between the beginning and the end of its ``async with`` block.

    Attributes:
        body: The nursery of asynchronous handlers; ``None`` outside the block.
        transports: The nursery of the transports; ``None`` outside the block.
    """

    def __init__(self, close_timeout: float) -> None:
        self._close_timeout = close_timeout
        self._close_requested = trio.Event()
        self._closed = trio.Event()
        self.body: trio.Nursery | None = None
        self.transports: trio.Nursery | None = None

    def request_close(self) -> None:
        """Begin to end. Idempotent."""
        self._close_requested.set()

    async def wait_closed(self) -> None:
        """Wait until the transports have ended. Returns at once where they have never run."""
        if self.body is None:
            await trio.lowlevel.checkpoint()
            return
        await self._closed.wait()

    @contextlib.asynccontextmanager
    async def run(
        self, start: Start, on_closing: Callable[[], None], shutdown: Shutdown
    ) -> AsyncIterator[None]:
        """Run the transports around the user's block.

        Args:
            start: Starts the transports in the nursery that it gets.
            on_closing: Called when the block ends, before the goodbyes.
            shutdown: Lets the transports end.
        """
        block_error: BaseException | None = None
        errors: tuple[BaseException, ...] = ()
        try:
            async with trio.open_nursery() as body:
                self.body = body
                # Shielded: when start() is cancelled, trio waits for the task to end, which waits for the block.
                with trio.CancelScope(shield=True):
                    await body.start(self._supervise, start, shutdown)
                try:
                    yield
                except BaseException as error:
                    # Around the nursery: in it, a group that the block raises would become another one.
                    block_error = error
                finally:
                    on_closing()
                    self.request_close()
                    with trio.CancelScope(shield=True):
                        await self._closed.wait()
                    body.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            errors = group.exceptions
        except trio.Cancelled as cancelled:
            errors = (cancelled,)
        finally:
            self.transports = None
        failure = None if block_error is None else _without_cancellations(block_error)
        if failure is not None and any(_without_cancellations(error) is not None for error in errors):
            # A handler has failed and cancelled the block: the cancellations beside the block's exception are ours.
            block_error, errors = failure, _without_closed_errors(errors)
        _raise_what_happened(block_error, errors)

    async def _supervise(
        self, start: Start, shutdown: Shutdown, *, task_status: trio.TaskStatus[None]
    ) -> None:
        try:
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as transports:
                    self.transports = transports
                    await start(transports)
                    task_status.started()
                    await self._close_requested.wait()
                    with trio.move_on_after(self._close_timeout):
                        await shutdown()
                    transports.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            ending = self._close_requested.is_set()
            _raise_what_happened(
                None, _without_closed_errors(group.exceptions) if ending else group.exceptions
            )
        finally:
            self._closed.set()


def _without_closed_errors(errors: Sequence[BaseException]) -> tuple[BaseException, ...]:
    """Return the errors without those that say only that something is closed, which are logged."""
    remaining: list[BaseException] = []
    for error in errors:
        rest = without_closed_errors(error, ending=True)
        if rest is not error:
            logger.info("a handler or a transform used something that is closed: %r", error)
        if rest is not None:
            remaining.append(rest)
    return tuple(remaining)


def _raise_what_happened(block_error: BaseException | None, errors: Sequence[BaseException]) -> None:
    """Raise the one exception that a nursery ended with as itself, several in a group.

    Cancellations do not count beside others: they are how the nurseries ended, and trio delivers an outer one again.
    What the application has raised stays as it is, be it a group or not.

    Args:
        block_error: What the user's block has raised.
        errors: What the nursery's group has.
    """
    failures = [failure for error in errors if (failure := _without_cancellations(error)) is not None]
    if failures and block_error is not None:
        block_error = _without_cancellations(block_error)
    if block_error is not None:
        failures.insert(0, block_error)
    if not failures:
        if errors:
            raise errors[0]
        return
    error = failures[0] if len(failures) == 1 else BaseExceptionGroup("a peer connection failed", failures)
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, failures, context


def _without_cancellations(error: BaseException) -> BaseException | None:
    """Return an exception without the cancellations in it: itself, if there are none."""
    if not isinstance(error, BaseExceptionGroup):
        return None if isinstance(error, trio.Cancelled) else error
    return error.split(trio.Cancelled)[1] if error.subgroup(trio.Cancelled) is not None else error
