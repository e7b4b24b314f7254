"""The departure of the peer: it has closed the connection, or the connection has failed."""

import trio

from trio_rtc import _attrs as attrs
from trio_rtc._error_filters import mark_connection_ended


@attrs.define(eq=False)
class PeerDeparture:
    """Whether the peer has left, with the tasks that wait for it.

    A failed connection may be restored by an ICE restart; its next failure is then another departure.

    Attributes:
        happened: Whether the peer has left.
        final: Whether the peer has closed the connection.
    """

    happened: bool = False
    final: bool = False
    _closed: bool = False
    _settled: trio.Event = attrs.field(factory=trio.Event)

    def record(self, *, final: bool) -> None:
        """Record that the peer has left."""
        self.happened = True
        self.final |= final
        self._settled.set()

    def clear(self) -> None:
        """Record that the peer has not left, unless this side has closed the connection."""
        if self.happened and not self._closed:
            self.happened = self.final = False
            self._settled = trio.Event()

    def close(self) -> None:
        """Record that this side has closed the connection."""
        self._closed = True
        self._settled.set()

    async def wait(self) -> None:
        """Wait until the peer leaves.

        Raises:
            trio.ClosedResourceError: This side has closed the connection first.
        """
        if self.happened:
            await trio.lowlevel.checkpoint()
            return
        await self._settled.wait()
        # A failure counts even if the connection has recovered before this task runs; only a local close does not.
        if self._closed and not self.happened:
            error = trio.ClosedResourceError("the peer connection was closed on this side")
            raise mark_connection_ended(error)
