"""A WebSocket (RFC 6455) for both sides: trio-websocket with a stream that enforces limits.

No extension is negotiated, so that a received message is never longer than its frames. While no task receives, nothing
is read, and TCP slows down the other side.
"""

import itertools
import struct

import trio
from trio_websocket import (
    CloseReason,
    ConnectionClosed,
    WebSocketConnection,
    wrap_client_stream,
    wrap_server_stream,
)

from trio_rtc.errors import ProtocolError

from .framed_stream import ClientFramedStream, FramedStream
from .token_bucket import TokenBucket

_ABNORMAL_CLOSURE = 1006
_MAX_REASON = 123
"""Bytes that a control frame can hold besides the code."""
_NOT_SENT = (1005, 1006, 1015)
"""Codes that represent the absence of a code, section 7.4.1."""


class WebSocketClosed(Exception):
    """The connection has ended; ``code`` is the received close code, or 1006 without one."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason or CloseReason(code, None).name} ({code})")
        self.code = code
        self.reason = reason


class WebSocketViolation(ProtocolError):
    """The other side violated RFC 6455 or a limit, and was sent a close frame with ``code``."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class WebSocket:
    """One end of a WebSocket. The caller must close the stream.

    A task in the caller's nursery reads. It may raise any exception for hostile bytes, and ``HandshakeError`` if the
    server rejects the handshake. All methods raise ``WebSocketClosed`` when the connection has ended.
    """

    def __init__(self, connection: WebSocketConnection, stream: FramedStream) -> None:
        self._connection = connection
        self._stream = stream
        self._pings = itertools.count(1)
        stream.start(self._unsent_close)

    @classmethod
    async def accept(
        cls,
        nursery: trio.Nursery,
        stream: trio.abc.Stream,
        request: bytes,
        *,
        received: bytes = b"",
        max_message_size: int,
        frames: TokenBucket,
    ) -> "WebSocket":
        """Answer a client's checked opening handshake; ``received`` are the bytes after it."""
        framed = FramedStream(stream, request, received, frames)
        handshake = await wrap_server_stream(nursery, framed, 0, max_message_size)
        return cls(await handshake.accept(), framed)

    @classmethod
    async def open(
        cls,
        nursery: trio.Nursery,
        stream: trio.abc.Stream,
        host: str,
        resource: str,
        *,
        max_message_size: int,
    ) -> "WebSocket":
        framed = ClientFramedStream(stream)
        # The parameter is annotated as a SocketStream, but documented and implemented for any stream.
        any_stream: trio.SocketStream = framed  # type: ignore[assignment]
        connection = await wrap_client_stream(
            nursery,
            any_stream,
            host,
            resource,
            message_queue_size=0,
            max_message_size=max_message_size,
        )
        return cls(connection, framed)

    async def receive(self) -> str:
        """Return the next message.

        Raises:
            WebSocketViolation: The other side violated RFC 6455 or a limit.
            ProtocolError: The message is not text.
        """
        try:
            message = await self._connection.get_message()
        except ConnectionClosed as error:
            closed, stream = self._closed(error), self._stream
            is_orderly = stream.close_sent and stream.close_received and not stream.failed
            if closed.code not in _NOT_SENT and not is_orderly:
                raise WebSocketViolation(closed.code, closed.reason) from None
            raise closed from None
        if not isinstance(message, str):
            raise ProtocolError("messages must be text, not binary")
        return message

    async def send(self, text: str) -> None:
        try:
            await self._connection.send_message(text)
        except ConnectionClosed as error:
            raise self._closed(error) from None

    async def ping(self) -> None:
        try:
            await self._connection.ping(next(self._pings).to_bytes(8, "big"))
        except ConnectionClosed as error:
            raise self._closed(error) from None

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame and wait for the other side's (section 7.1.2); cancel it to stop waiting."""
        await self._connection.aclose(code, reason)
        await self._stream.send_close_frame()

    def _unsent_close(self) -> bytes:
        """Return the close frame with the reason why this side fails the connection, section 7.1.7."""
        closed = self._connection.closed
        if closed is None or closed.code in _NOT_SENT or self._connection.is_client:
            return b""
        payload = struct.pack("!H", closed.code) + (closed.reason or "").encode()[:_MAX_REASON]
        return bytes((0x88, len(payload))) + payload

    def _closed(self, error: ConnectionClosed) -> WebSocketClosed:
        closed, payload = error.reason, self._stream.close_payload
        code, reason = (_ABNORMAL_CLOSURE, None) if closed is None else (closed.code, closed.reason)
        if code == _ABNORMAL_CLOSURE and self._connection.is_client and len(payload) > 1:
            # trio-websocket discards the server's close frame if it cannot be answered.
            code, reason = int.from_bytes(payload[:2], "big"), payload[2:].decode(errors="replace")
        return WebSocketClosed(code, reason or "")
