"""When the peer has left: it has said so, or the connection has failed."""

import attrs
import trio

from trio_rtc._closed_errors import mark_connection_ended


@attrs.define(eq=False)
class PeerDeparture:
    """Whether the peer has left, and what waits for that.

    A failure may pass, by an ICE restart. Then the next failure is another departure.

    Attributes:
        happened: Whether the peer has left.
        final: Whether it has said so.
    """

    happened: bool = False
    final: bool = False
    _closed: bool = False
    _settled: trio.Event = attrs.field(factory=trio.Event)

    def happen(self, *, final: bool) -> None:
        """Record that the peer has left."""
        self.happened = True
        self.final |= final
        self._settled.set()

    def revoke(self) -> None:
        """Record that the peer is there after all."""
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
        # What has failed may have recovered before this task's turn: only the end on this side is no departure.
        if self._closed and not self.happened:
            error = trio.ClosedResourceError("the peer connection was closed on this side")
            raise mark_connection_ended(error)
