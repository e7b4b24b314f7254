"""RTP packets on their way to whoever forwards them."""

from collections.abc import AsyncIterator

import trio

from trio_rtc._strict_names.checks import strict_arguments
from trio_rtc.protocols.rtp import RtpPacket
from trio_rtc.tracks.frame_queue import FrameQueue


@strict_arguments
class RtpPacketChannel(trio.abc.ReceiveChannel[RtpPacket]):
    """The packets of a receiver, as a channel: one by one, or all that are there at once.

    What is not taken in time is dropped, oldest first.
    """

    def __init__(self, queue: FrameQueue[RtpPacket]) -> None:
        self._queue = queue

    @property
    def dropped(self) -> int:
        """How many packets were not taken in time."""
        return self._queue.dropped

    async def receive(self) -> RtpPacket:
        """Wait for the next packet.

        Raises:
            trio.EndOfChannel: There will be none.
        """
        return await self._queue.receive()

    async def receive_batch(self) -> list[RtpPacket]:
        """Wait for packets, and take all that are there.

        A server that forwards does most of its work once a batch: taking turns with other tasks, looking at timers,
        calling the system.

        Raises:
            trio.EndOfChannel: There will be none.
        """
        return await self._queue.receive_all()

    def batches(self) -> AsyncIterator[list[RtpPacket]]:
        """Return what iterates over batches: what :meth:`receive_batch` gives, until there will be none."""
        return _Batches(self._queue)

    async def aclose(self) -> None:
        """Take no more."""
        await self._queue.aclose()


class _Batches:
    """Iterates over batches. Not a generator: one that is left early would have to be closed."""

    def __init__(self, queue: FrameQueue[RtpPacket]) -> None:
        self._queue = queue

    def __aiter__(self) -> "_Batches":
        return self

    async def __anext__(self) -> list[RtpPacket]:
        try:
            return await self._queue.receive_all()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
