"""W3C's operations chain, and what hangs on it.

The negotiation methods run one after another (webrtc section 4.4.1.2): here the chain is a first-in, first-out lock.
Whether negotiation is needed is looked at only when the chain is empty (section 4.7.3). The methods' legacy form with
callbacks (section 4.4.3) is here too.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import attrs
import trio

from trio_rtc._closed_errors import mark_connection_ended
from trio_rtc.errors import DOMException, InvalidStateError
from trio_rtc.event_target import HandlerRunner

ErrorCallback = Callable[[DOMException], object]
ResultT = TypeVar("ResultT")


class OperationsChain:
    """Runs one negotiation method at a time, in the order in which they were called."""

    def __init__(self, is_closed: Callable[[], bool], on_empty: Callable[[], None]) -> None:
        self._is_closed = is_closed
        self._on_empty = on_empty
        self._lock = trio.StrictFIFOLock()

    @property
    def is_empty(self) -> bool:
        """Whether no operation runs or waits."""
        return not self._lock.locked()

    @asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:
        """Run an operation when its turn comes.

        Raises:
            InvalidStateError: The connection was closed before.
            trio.ClosedResourceError: It was closed while the operation waited or ran.
        """
        if self._is_closed():
            raise mark_connection_ended(InvalidStateError("the peer connection is closed"))
        try:
            async with self._lock:
                self.check_not_cut_off()
                yield
                self.check_not_cut_off()
        finally:
            if self.is_empty and not self._is_closed():
                self._on_empty()

    def check_not_cut_off(self) -> None:
        """Raise ``trio.ClosedResourceError`` if the connection was closed meanwhile."""
        if self._is_closed():
            error = trio.ClosedResourceError("the peer connection was closed during the operation")
            raise mark_connection_ended(error)


@attrs.define(eq=False)
class NegotiationNeed:
    """Decides when ``negotiation_needed`` is fired: once for each need, in a stable state, with nothing under way.

    Attributes:
        runner: Runs the check in a task of its own, which waits for the block.
        may_check: Returns whether the connection is open and its signaling state stable.
        is_needed: Returns whether negotiation is needed.
        fire: Fires the event.
    """

    runner: HandlerRunner
    may_check: Callable[[], bool]
    is_needed: Callable[[], bool]
    fire: Callable[[], None]
    _chain: OperationsChain = attrs.field(init=False)
    _noted: bool = attrs.field(default=False, init=False)
    _check_when_empty: bool = attrs.field(default=False, init=False)

    def watch(self, chain: OperationsChain) -> None:
        """Say which operations hold the check up."""
        self._chain = chain

    def update(self) -> None:
        """W3C's "update the negotiation-needed flag"."""
        if self._chain.is_empty:
            self.runner.start(self._check)
        else:
            self._check_when_empty = True

    def forget(self) -> None:
        """Look anew: an exchange has been completed."""
        self._noted = False
        self.update()

    def chain_emptied(self) -> None:
        """Make up for the check that an operation has held up."""
        if self._check_when_empty:
            self._check_when_empty = False
            self.update()

    async def _check(self) -> None:
        await trio.lowlevel.checkpoint()
        if not self._chain.is_empty:
            self._check_when_empty = True
        elif self.may_check():
            needed, noted = self.is_needed(), self._noted
            self._noted = needed
            if needed and not noted:
                self.fire()


async def settle(
    operation: Callable[[], Awaitable[ResultT]],
    success_callback: Callable[[ResultT], object] | None,
    failure_callback: ErrorCallback | None,
) -> ResultT | None:
    """Run an operation; with W3C's legacy callbacks call them instead of returning and raising."""
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
    """The same for operations that return nothing."""
    await settle(
        operation, None if success_callback is None else lambda _: success_callback(), failure_callback
    )
