"""W3C's operations chain and negotiation-needed flag.

The negotiation methods run one after another (webrtc section 4.4.1.2): the chain is a first-in, first-out lock.
Whether negotiation is needed is checked only when the chain is empty (section 4.7.3). The methods' legacy form with
callbacks (section 4.4.3) is here too.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from trio_rtc._error_filters import mark_connection_ended
from trio_rtc.errors import DOMException, InvalidStateError
from trio_rtc.event_target import HandlerRunner

ErrorCallback = Callable[[DOMException], object]
ResultT = TypeVar("ResultT")


class OperationsChain:
    """Runs one negotiation method at a time, in the order of the calls."""

    def __init__(self, is_closed: Callable[[], bool]) -> None:
        self._is_closed = is_closed
        self._lock = trio.StrictFIFOLock()
        self.on_empty: Callable[[], None] = lambda: None

    @property
    def is_empty(self) -> bool:
        return not self._lock.locked()

    @asynccontextmanager
    async def operation(self, check: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
        """Run an operation when its turn comes: at once if the chain is empty.

        Args:
            check: What W3C checks before going in parallel: raises an error if the operation is not allowed. The
                checkpoint follows, and then the operation itself.

        Raises:
            InvalidStateError: The connection was closed before.
            trio.ClosedResourceError: It was closed while the operation waited or ran.
        """
        if self._is_closed():
            raise mark_connection_ended(InvalidStateError("the peer connection is closed"))
        try:
            await self._enter()
            try:
                self.check_open()
                check()
                await trio.lowlevel.checkpoint()
                self.check_open()
                yield
                self.check_open()
            finally:
                self._lock.release()
        finally:
            if self.is_empty and not self._is_closed():
                self.on_empty()

    async def _enter(self) -> None:
        """Enter the chain, without a checkpoint if it is empty."""
        try:
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            await self._lock.acquire()

    def check_open(self) -> None:
        """Raise ``trio.ClosedResourceError`` if the connection was closed meanwhile."""
        if self._is_closed():
            error = trio.ClosedResourceError("the peer connection was closed during the operation")
            raise mark_connection_ended(error)


class NegotiationNeeded:
    """W3C's ``[[NegotiationNeeded]]`` flag (webrtc section 4.7.3).

    ``update`` queues a check, which waits while operations are chained. The check itself (``on_check``) and the event
    are those of the negotiation, which has the descriptions.

    Attributes:
        on_check: Returns whether negotiation is needed; ``None`` outside the signaling state ``stable``.
        on_set: Fires ``negotiation_needed``.
    """

    def __init__(self, runner: HandlerRunner, chain: OperationsChain) -> None:
        self._runner = runner
        self._chain = chain
        self._check_when_empty = False
        self.is_set = False
        self.on_check: Callable[[], bool | None] = lambda: None
        self.on_set: Callable[[], None] = lambda: None
        chain.on_empty = self._resume

    def update(self) -> None:
        """W3C's "update the negotiation-needed flag"."""
        if self._chain.is_empty:
            self._runner.start(self._check)
        else:
            self._check_when_empty = True

    def clear(self) -> None:
        """Clear the flag after a completed negotiation, and check again."""
        self.is_set = False
        self.update()

    def _resume(self) -> None:
        if self._check_when_empty:
            self._check_when_empty = False
            self.update()

    async def _check(self) -> None:
        await trio.lowlevel.checkpoint()
        if not self._chain.is_empty:
            self._check_when_empty = True
            return
        needed = self.on_check()
        if needed is None:
            return
        was_set, self.is_set = self.is_set, needed
        if needed and not was_set:
            self.on_set()


async def settle(
    operation: Callable[[], Awaitable[ResultT]],
    success_callback: Callable[[ResultT], object] | None,
    failure_callback: ErrorCallback | None,
) -> ResultT | None:
    """Run an operation; call W3C's legacy callbacks, if given, instead of returning or raising."""
    try:
        result = await operation()
    except DOMException as error:
        if failure_callback is None:
            raise
        failure_callback(error)
        return None
    if success_callback is None:
        return result
    success_callback(result)
    return None


async def settle_without_value(
    operation: Callable[[], Awaitable[None]],
    success_callback: Callable[[], object] | None,
    failure_callback: ErrorCallback | None,
) -> None:
    """Run an operation without a result, like :func:`settle`."""
    await settle(
        operation, None if success_callback is None else lambda _: success_callback(), failure_callback
    )
