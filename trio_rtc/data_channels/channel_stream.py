"""A stream of bytes over a data channel, so that TLS, HTTP or any protocol written for trio runs over it."""

from typing import Protocol

import trio

from trio_rtc._strict_names.checks import strict_arguments

_PIECE_SIZE = 65536
"""Bytes of the largest message of a stream: every implementation accepts them (RFC 8841 section 6)."""


class MessageChannel(Protocol):
    """An ``RTCDataChannel``, its one implementer: a channel creates its stream, so that this module is below it."""

    async def send(self, data: str | bytes | bytearray | memoryview) -> None:
        """Send a message."""

    async def wait_for_room(self) -> None:
        """Wait until ``send`` would not have to wait."""

    async def receive(self) -> str | bytes:
        """Wait for the next message."""

    async def aclose(self) -> None:
        """Close the channel."""


@strict_arguments
class ChannelStream(trio.abc.HalfCloseableStream):
    """The bytes of a channel's messages, without their boundaries.

    The end of one direction (``send_eof``) travels as an empty binary message.

    Attributes:
        channel: The ``RTCDataChannel`` underneath.
    """

    def __init__(self, channel: MessageChannel) -> None:
        self.channel = channel
        # Acquiring a lock is a checkpoint, which each method needs where there is nothing to wait for.
        self._sending = trio.StrictFIFOLock()
        self._receiving = trio.StrictFIFOLock()
        self._rest = b""
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
            for start in range(0, len(view), _PIECE_SIZE):
                await self.channel.send(view[start : start + _PIECE_SIZE])

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room for more.

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
        """Announce the end of this direction; receiving goes on. Idempotent.

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
            max_bytes: At most so many; ``None``: those of one message.

        Returns:
            Some bytes, or ``b""`` after the peer's ``send_eof``.

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
            if not self._rest and not self._eof_received:
                await self._fill()
            data, self._rest = self._rest[:max_bytes], self._rest[len(self._rest[:max_bytes]) :]
            return data

    async def aclose(self) -> None:
        """Close the channel underneath."""
        await self.channel.aclose()

    async def _fill(self) -> None:
        try:
            message = await self.channel.receive()
        except trio.EndOfChannel:
            message = b""
        self._rest = message.encode() if isinstance(message, str) else message
        self._eof_received = not self._rest


def _not_busy(lock: trio.StrictFIFOLock, what: str) -> None:
    if lock.locked():
        raise trio.BusyResourceError(f"another task is {what} on this stream")
