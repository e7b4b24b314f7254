"""The lifetime of a peer connection: two nested nurseries, a bounded shutdown, unwrapped exceptions.

The outer nursery runs the user's block and the asynchronous handlers, and is cancelled when the block ends. The inner
one runs the transports and is shielded, so that SCTP ABORT and DTLS close_notify are sent even after an outer
cancellation; the shutdown is limited by the close timeout.

An exception from the block is raised as it is, never wrapped in an additional exception group. A bug in a transport
cancels the block, and its exception is raised. While the block ends, errors that only report the use of a closed
object are logged instead (:mod:`trio_rtc._error_filters`). :class:`.HandlerRunner` filters those of handlers. Those of
transforms of encoded frames, which run in the inner nursery, are filtered here, and those of handlers that ran while
an exception was already propagating out of the block.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import trio

from trio_rtc._error_filters import without_closed_errors

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
        """Wait until the transports have ended; return at once if they were never started."""
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
            start: Starts the transports in a nursery.
            on_closing: Called when the block ends, before ``shutdown``.
            shutdown: Shuts the transports down.
        """
        block_error: BaseException | None = None
        errors: tuple[BaseException, ...] = ()
        try:
            async with trio.open_nursery() as body:
                self.body = body
                # Shielded: if start() were cancelled, it would wait for its task, which waits for the end of the block.
                with trio.CancelScope(shield=True):
                    await body.start(self._supervise, start, shutdown)
                try:
                    yield
                except BaseException as error:
                    # Raised outside the nursery, which would wrap it in another exception group.
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
            # A handler has failed and cancelled the block, so the cancellations in the block's group are internal.
            block_error, errors = failure, _without_closed_errors(errors)
        _raise_errors(block_error, errors)

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
            _raise_errors(None, _without_closed_errors(group.exceptions) if ending else group.exceptions)
        finally:
            self._closed.set()


def _without_closed_errors(errors: Sequence[BaseException]) -> tuple[BaseException, ...]:
    """Return the errors without those that only report the use of a closed object, which are logged."""
    remaining: list[BaseException] = []
    for error in errors:
        rest = without_closed_errors(error, ending=True)
        if rest is not error:
            logger.info("a handler or a transform used a closed object: %r", error)
        if rest is not None:
            remaining.append(rest)
    return tuple(remaining)


def _raise_errors(block_error: BaseException | None, errors: Sequence[BaseException]) -> None:
    """Raise a single exception of a nursery as it is, several ones in a group.

    Cancellations are ignored if there are other exceptions: the nurseries were cancelled here, and trio delivers an
    outer cancellation again. An exception of the application is not changed, whether it is a group or not.

    Args:
        block_error: The exception of the user's block.
        errors: The exceptions in the nursery's group.
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
    """Return an exception without the cancellations in it; unchanged if there are none."""
    if not isinstance(error, BaseExceptionGroup):
        return None if isinstance(error, trio.Cancelled) else error
    return error.split(trio.Cancelled)[1] if error.subgroup(trio.Cancelled) is not None else error
