"""A stream that limits the rate of reading.

It wraps the transport itself, so that under TLS it counts network bytes and not only the contents of records: a flood
of empty records or key updates is slowed down like any other.
"""

import trio

from .token_bucket import TokenBucket

RECEIVE_SIZE = 16_384


class RateLimitedStream(trio.abc.Stream):
    """A stream whose receiving side waits while its token buckets are overdrawn.

    Not reading fills the other side's TCP window, which slows down only that sender. Both bytes and reads are counted,
    because each segment of one byte costs a system call.
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
        self._read_after = now + max(self._bytes.consume(now, len(data)), self._reads.consume(now))
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()
