"""The channel of received RTP packets, for forwarding."""

from collections.abc import AsyncIterator

import trio

from trio_rtc._strict_names.checks import strict_arguments
from trio_rtc.protocols.rtp import RtpPacket
from trio_rtc.tracks.frame_queue import FrameQueue


@strict_arguments
class RtpPacketChannel(trio.abc.ReceiveChannel[RtpPacket]):
    """A channel of a receiver's packets, which can be received one by one or in batches.

    Packets that are not received in time are dropped, the oldest first.
    """

    def __init__(self, queue: FrameQueue[RtpPacket]) -> None:
        self._queue = queue

    @property
    def dropped(self) -> int:
        """Number of dropped packets."""
        return self._queue.dropped

    async def receive(self) -> RtpPacket:
        """Wait for the next packet.

        Raises:
            trio.EndOfChannel: The receiver has ended.
        """
        return await self._queue.receive()

    async def receive_batch(self) -> list[RtpPacket]:
        """Wait for packets, and return all that are queued.

        This saves CPU time in a forwarding server, whose scheduling, timers and system calls are then once per batch.

        Raises:
            trio.EndOfChannel: The receiver has ended.
        """
        return await self._queue.receive_all()

    def batches(self) -> AsyncIterator[list[RtpPacket]]:
        """Return an iterator over the results of :meth:`receive_batch`, until the receiver ends."""
        return _Batches(self._queue)

    async def aclose(self) -> None:
        """Close the channel and drop the queued packets."""
        await self._queue.aclose()


class _Batches:
    """Iterator over batches. A generator would have to be closed when iteration stops early."""

    def __init__(self, queue: FrameQueue[RtpPacket]) -> None:
        self._queue = queue

    def __aiter__(self) -> "_Batches":
        return self

    async def __anext__(self) -> list[RtpPacket]:
        try:
            return await self._queue.receive_all()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
