"""A byte stream over a data channel, for TLS, HTTP and other stream protocols."""

from typing import Protocol

import trio

from trio_rtc._strict_names.checks import strict_arguments

_MAX_MESSAGE_SIZE = 65536
"""Maximum bytes of a message of a stream, which every implementation accepts (RFC 8841 section 6)."""


class MessageChannel(Protocol):
    """The interface of ``RTCDataChannel``, its one implementer, which is above this module: it creates the stream."""

    async def send(self, data: str | bytes | bytearray | memoryview) -> None: ...

    async def wait_for_room(self) -> None: ...

    async def receive(self) -> str | bytes: ...

    async def aclose(self) -> None: ...


@strict_arguments
class ChannelStream(trio.abc.HalfCloseableStream):
    """A byte stream of a channel's messages, without message boundaries.

    The end of one direction (``send_eof``) is an empty binary message.

    Attributes:
        channel: The ``RTCDataChannel`` underneath.
    """

    def __init__(self, channel: MessageChannel) -> None:
        self.channel = channel
        # Acquiring a lock is also the checkpoint of methods that need not wait.
        self._sending = trio.StrictFIFOLock()
        self._receiving = trio.StrictFIFOLock()
        self._remaining = b""
        self._eof_sent = False
        self._eof_received = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes.

        Raises:
            trio.BusyResourceError: Another task is sending.
            trio.ClosedResourceError: The stream was closed, or ``send_eof`` was called.
            trio.BrokenResourceError: The peer closed the channel, or the connection was lost.
        """
        _not_busy(self._sending, "sending")
        async with self._sending:
            if self._eof_sent:
                raise trio.ClosedResourceError("send_eof was called")
            view = memoryview(data).cast("B")
            for start in range(0, len(view), _MAX_MESSAGE_SIZE):
                await self.channel.send(view[start : start + _MAX_MESSAGE_SIZE])

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until ``send_all`` might not block.

        Raises:
            trio.BusyResourceError: Another task is sending.
            trio.ClosedResourceError: The stream was closed, or ``send_eof`` was called.
            trio.BrokenResourceError: The peer closed the channel, or the connection was lost.
        """
        _not_busy(self._sending, "sending")
        async with self._sending:
            if self._eof_sent:
                raise trio.ClosedResourceError("send_eof was called")
            await self.channel.wait_for_room()

    async def send_eof(self) -> None:
        """Send the end of this direction; receiving continues. Idempotent.

        Raises:
            trio.BusyResourceError: Another task is sending.
            trio.ClosedResourceError: The stream was closed.
            trio.BrokenResourceError: The peer closed the channel, or the connection was lost.
        """
        _not_busy(self._sending, "sending")
        async with self._sending:
            if self._eof_sent:
                return
            await self.channel.send(b"")
            self._eof_sent = True

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for bytes.

        Args:
            max_bytes: Maximum number of bytes; ``None`` for those of one message.

        Returns:
            At least one byte, or ``b""`` after the peer's ``send_eof``.

        Raises:
            ValueError: ``max_bytes`` is less than 1.
            trio.BusyResourceError: Another task is receiving.
            trio.ClosedResourceError: The stream was closed.
            trio.BrokenResourceError: The connection was lost.
        """
        if max_bytes is not None and max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {max_bytes}")
        _not_busy(self._receiving, "receiving")
        async with self._receiving:
            if not self._remaining and not self._eof_received:
                await self._fill()
            data, self._remaining = (
                self._remaining[:max_bytes],
                self._remaining[len(self._remaining[:max_bytes]) :],
            )
            return data

    async def aclose(self) -> None:
        """Close the channel underneath."""
        await self.channel.aclose()

    async def _fill(self) -> None:
        try:
            message = await self.channel.receive()
        except trio.EndOfChannel:
            message = b""
        self._remaining = message.encode() if isinstance(message, str) else message
        self._eof_received = not self._remaining


def _not_busy(lock: trio.StrictFIFOLock, what: str) -> None:
    if lock.locked():
        raise trio.BusyResourceError(f"another task is {what} on this stream")
