"""A WebSocket (RFC 6455) after its opening handshake, for both sides. wsproto parses and writes the frames.

There is no task in it: ``receive`` reads in the task of its caller and answers pings there. While it is not called,
nothing is read, and TCP slows down the other side. No extension is negotiated, so that a received message is never
longer than its frames.
"""

import io
import itertools
from typing import Protocol

import trio
from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason

from trio_rtc.errors import ProtocolError

from .pacing import RECEIVE_SIZE
from .rate import TokenBucket

_FRAMES_IN_A_ROW = 16
"""Frames that are handled before other tasks run: what one connection adds to the latency of all others."""


_CLOSE_ANSWER_TIMEOUT = 1.0


class WebSocketClosed(Exception):
    """The connection has ended.

    Attributes:
        code: The close code that was received; 1006 if the connection ended without one.
        reason: The reason that was received, perhaps empty.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason or _name_of(code)} ({int(code)})")
        self.code = code
        self.reason = reason


class WebSocketViolation(ProtocolError):
    """The other side broke a rule of RFC 6455 or a limit of ours.

    Attributes:
        code: The code to close the connection with.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class SocketLike(Protocol):
    """The part of a ``trio.abc.Stream`` that a WebSocket uses."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all bytes."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Return some bytes, empty at the end."""


class WebSocket:
    """One end of a WebSocket. The stream is left to the caller to close.

    Args:
        stream: What the opening handshake was made over.
        connection: The framing of wsproto, for a client or a server.
        max_message_size: Characters of one received message.
        received: Bytes that came right behind the opening handshake.
        frames: How many frames are received: messages, fragments, pings and pongs. ``None`` for any number.
    """

    def __init__(
        self,
        stream: SocketLike,
        connection: Connection,
        max_message_size: int,
        received: bytes = b"",
        frames: TokenBucket | None = None,
    ) -> None:
        self._stream = stream
        self._connection = connection
        self._max_message_size = max_message_size
        self._frames = frames
        self._frames_handled = 0
        self._receive_after = -float("inf")
        self._message = io.StringIO()
        self._sending = trio.Lock()
        self._is_mid_frame = False
        self._closed: WebSocketClosed | None = None
        self._pings = itertools.count(1)
        self._awaited_pong = b""
        self._pong_received = trio.Event()
        self._connection.receive_data(received)

    async def receive(self) -> str:
        """Return the next message. Not to be called by two tasks at once.

        Raises:
            WebSocketClosed: The other side has closed the connection, or it broke.
            WebSocketViolation: The other side sent what it must not send.
            ProtocolError: The message is not text.
        """
        while True:
            match await self._next_event():
                case TextMessage(data=text, message_finished=finished):
                    if self._message.tell() + len(text) > self._max_message_size:
                        raise WebSocketViolation(
                            CloseReason.MESSAGE_TOO_BIG,
                            f"over the maximum message size of {self._max_message_size} characters",
                        )
                    self._message.write(text)
                    if finished:
                        message, self._message = self._message.getvalue(), io.StringIO()
                        return message
                case BytesMessage():
                    raise ProtocolError("messages are text")
                case Ping() as ping:
                    await self._send(ping.response())
                case Pong(payload=payload):
                    if payload == self._awaited_pong:
                        self._pong_received.set()
                case CloseConnection() as close:
                    await self._end(close)
                case _:
                    pass

    async def send(self, text: str) -> None:
        """Send a message.

        Raises:
            WebSocketClosed: The connection has ended.
        """
        await self._send(TextMessage(text))

    async def ping(self) -> None:
        """Send a ping and wait for its pong, which ``receive`` reads. Not to be called by two tasks at once.

        Raises:
            WebSocketClosed: The connection has ended.
        """
        self._awaited_pong = next(self._pings).to_bytes(8, "big")
        self._pong_received = trio.Event()
        await self._send(Ping(self._awaited_pong))
        await self._pong_received.wait()

    async def aclose(self, code: int = CloseReason.NORMAL_CLOSURE, reason: str = "") -> None:
        """Send a close frame and wait for the other side's, section 7.1.2; cancel it to stop waiting.

        Does nothing if the connection has ended or a frame was sent in part only, behind which none can be sent.
        ``receive`` and ``send`` must not be running.
        """
        try:
            await self._send(CloseConnection(code, reason))
            while not isinstance(await self._next_event(), CloseConnection):
                pass
            if self._connection.client:
                # Section 7.1.1: the server closes the TCP connection. By then it has told the others that we left.
                while await self._stream.receive_some(RECEIVE_SIZE):
                    pass
        except (WebSocketClosed, trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def _end(self, close: CloseConnection) -> None:
        """Answer a close frame, or raise what wsproto reports in the place of one: a frame that cannot be parsed."""
        reason = close.reason or ""
        if self._connection.state is not ConnectionState.REMOTE_CLOSING:
            raise WebSocketViolation(close.code, reason)
        closed = self._close(close.code, reason)
        if not self._sending.locked():
            # An answer is a courtesy, and nobody waits for one that the other side does not read.
            with trio.move_on_after(_CLOSE_ANSWER_TIMEOUT):
                await self._send(close.response())
        raise closed

    def _close(self, code: int, reason: str = "") -> WebSocketClosed:
        if self._closed is None:
            self._closed = WebSocketClosed(code, reason)
        return WebSocketClosed(self._closed.code, self._closed.reason)

    async def _next_event(self) -> Event:
        while True:
            await self._pause()
            if (event := next(self._connection.events(), None)) is not None:
                self._count(event)
                return event
            try:
                data = await self._stream.receive_some(RECEIVE_SIZE)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                raise self._close(CloseReason.ABNORMAL_CLOSURE) from None
            if not data:
                raise self._close(CloseReason.ABNORMAL_CLOSURE)
            self._connection.receive_data(bytes(data))

    async def _pause(self) -> None:
        if self._receive_after > trio.current_time():
            await trio.sleep_until(self._receive_after)
        elif self._frames_handled >= _FRAMES_IN_A_ROW:
            await trio.lowlevel.checkpoint()
        else:
            return
        self._frames_handled = 0

    def _count(self, event: Event) -> None:
        # A piece of a long frame is one that a read has brought, and reads are counted by the stream.
        if isinstance(event, Message) and not event.frame_finished:
            return
        self._frames_handled += 1
        if self._frames is not None:
            now = trio.current_time()
            self._receive_after = now + self._frames.take(now)

    async def _send(self, event: Event) -> None:
        async with self._sending:
            may_send = {ConnectionState.OPEN}
            if isinstance(event, CloseConnection):
                may_send.add(ConnectionState.REMOTE_CLOSING)
            if self._is_mid_frame or self._connection.state not in may_send:
                raise self._close(CloseReason.ABNORMAL_CLOSURE)
            data = self._connection.send(event)
            self._is_mid_frame = True
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                raise self._close(CloseReason.ABNORMAL_CLOSURE) from None
            self._is_mid_frame = False


def _name_of(code: int) -> str:
    try:
        return CloseReason(code).name
    except ValueError:
        return "closed"
