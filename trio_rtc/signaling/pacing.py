"""Reading from a connection no faster than allowed.

The stream wraps the transport itself, so under TLS it counts what the network delivers, and not only what the records
contain: a flood of empty records or key updates is slowed down like any other.
"""

import trio

from .rate import TokenBucket

RECEIVE_SIZE = 16_384


class PacedStream(trio.abc.Stream):
    """A stream whose receiving side waits while its buckets are overdrawn.

    Not reading fills the other side's TCP window, which slows down the sender and nobody else. Both bytes and reads are
    counted: a sender of segments with one byte each costs a system call for every one of them.

    Args:
        stream: The transport.
        received_bytes: Bytes that may be read.
        reads: Calls of ``receive_some`` that may return something.
    """

    def __init__(self, stream: trio.abc.Stream, received_bytes: TokenBucket, reads: TokenBucket) -> None:
        self._stream = stream
        self._bytes = received_bytes
        self._reads = reads
        self._read_after = -float("inf")

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait until reading is allowed, then read at most ``RECEIVE_SIZE`` bytes."""
        if self._read_after > trio.current_time():
            await trio.sleep_until(self._read_after)
        size = RECEIVE_SIZE if max_bytes is None else min(max_bytes, RECEIVE_SIZE)
        data = bytes(await self._stream.receive_some(size))
        now = trio.current_time()
        self._read_after = now + max(self._bytes.take(now, len(data)), self._reads.take(now))
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send through the stream."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait as the stream does."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()
