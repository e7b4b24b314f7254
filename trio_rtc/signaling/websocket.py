"""A WebSocket (RFC 6455) for both sides: trio-websocket behind a stream that keeps it within bounds.

No extension is negotiated, so that a received message is never longer than its frames. While nobody receives, nothing
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
from .rate import TokenBucket

_ABNORMAL_CLOSURE = 1006
_MOST_REASON = 123
"""Bytes: what a control frame can carry beside the code."""
_NOT_SENT = (1005, 1006, 1015)
"""Codes that stand for the lack of one, section 7.4.1."""


class WebSocketClosed(Exception):
    """The connection has ended.

    Attributes:
        code: The close code that was received; 1006 if the connection ended without one.
        reason: The reason that was received, perhaps empty.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason or CloseReason(code, None).name} ({code})")
        self.code = code
        self.reason = reason


class WebSocketViolation(ProtocolError):
    """The other side broke a rule of RFC 6455 or a limit of ours. It was told so.

    Attributes:
        code: The code that the connection was closed with.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class WebSocket:
    """One end of a WebSocket. The stream is left to the caller to close.

    Made by ``accept`` and ``open``. A task in the caller's nursery reads.
    """

    def __init__(self, connection: WebSocketConnection, stream: FramedStream) -> None:
        self._connection = connection
        self._stream = stream
        self._pings = itertools.count(1)
        stream.begin(self._unsent_close)

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
        """Answer a client's opening handshake.

        Args:
            nursery: Where the reading task runs. Whatever it raises for hostile bytes comes out there.
            stream: Where the handshake came from.
            request: It, as it was checked.
            received: What has come behind it.
            max_message_size: Characters of one received message.
            frames: How many frames are received.
        """
        framed = FramedStream(stream, request, received, frames)
        asked = await wrap_server_stream(nursery, framed, 0, max_message_size)
        return cls(await asked.accept(), framed)

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
        """Make a client's opening handshake.

        Args:
            nursery: Where the reading task runs. It raises ``HandshakeRefused`` if the server does not accept.
            stream: The connection to the server.
            host: The ``Host`` field.
            resource: Path and query.
            max_message_size: Characters of one received message.
        """
        framed = ClientFramedStream(stream)
        # Annotated as a stream over a socket, documented (and written) for any stream.
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
            WebSocketClosed: The other side has closed the connection, or it broke.
            WebSocketViolation: The other side sent what it must not send.
            ProtocolError: The message is not text.
        """
        try:
            message = await self._connection.get_message()
        except ConnectionClosed as error:
            closed, stream = self._closed(error), self._stream
            has_shaken_hands = stream.close_sent and stream.close_received and not stream.failed
            if closed.code not in _NOT_SENT and not has_shaken_hands:
                raise WebSocketViolation(closed.code, closed.reason) from None
            raise closed from None
        if not isinstance(message, str):
            raise ProtocolError("messages are text")
        return message

    async def send(self, text: str) -> None:
        """Send a message.

        Raises:
            WebSocketClosed: The connection has ended.
        """
        try:
            await self._connection.send_message(text)
        except ConnectionClosed as error:
            raise self._closed(error) from None

    async def ping(self) -> None:
        """Send a ping and wait for its pong.

        Raises:
            WebSocketClosed: The connection has ended.
        """
        try:
            await self._connection.ping(next(self._pings).to_bytes(8, "big"))
        except ConnectionClosed as error:
            raise self._closed(error) from None

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame and wait for the other side's, section 7.1.2; cancel it to stop waiting."""
        await self._connection.aclose(code, reason)
        await self._stream.say_farewell()

    def _unsent_close(self) -> bytes:
        """Return the close frame that says why this side fails the connection, section 7.1.7."""
        closed = self._connection.closed
        if closed is None or closed.code in _NOT_SENT or self._connection.is_client:
            return b""
        payload = struct.pack("!H", closed.code) + (closed.reason or "").encode()[:_MOST_REASON]
        return bytes((0x88, len(payload))) + payload

    def _closed(self, error: ConnectionClosed) -> WebSocketClosed:
        closed, told = error.reason, self._stream.close_payload
        code, reason = (_ABNORMAL_CLOSURE, None) if closed is None else (closed.code, closed.reason)
        if code == _ABNORMAL_CLOSURE and self._connection.is_client and len(told) > 1:
            # trio-websocket forgets what the server has said when it could not be answered.
            code, reason = int.from_bytes(told[:2], "big"), told[2:].decode(errors="replace")
        return WebSocketClosed(code, reason or "")
