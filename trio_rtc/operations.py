"""W3C's operations chain: the negotiation methods run one after another (webrtc section 4.4.1.2).

Here it is a first-in, first-out lock. The check whether negotiation is needed hangs on it, because W3C makes
that check only when the chain is empty.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from .errors import InvalidStateError


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
            raise InvalidStateError("the peer connection is closed")
        try:
            async with self._lock:
                self._check_not_cut_off()
                yield
                self._check_not_cut_off()
        finally:
            if self.is_empty and not self._is_closed():
                self._on_empty()

    def _check_not_cut_off(self) -> None:
        if self._is_closed():
            raise trio.ClosedResourceError("the peer connection was closed during the operation")
