"""A member's connection on the server: received messages are relayed, queued ones are sent."""

from collections.abc import Callable

import trio

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .connection_end import keep_alive
from .messages import ClientMessage, CloseCode, parse_client_message
from .options import ServerOptions
from .server_rooms import Member
from .token_bucket import TokenBucket
from .websocket import WebSocket, WebSocketClosed, WebSocketViolation


@attrs.frozen
class Dismissal:
    """The server's reason for closing a connection: a code of RFC 6455 or ``CloseCode``, and a readable text."""

    code: int
    reason: str


class MemberSession:
    """Serves one member until the connection ends or the server closes it. ``relay`` may raise ``ProtocolError``."""

    def __init__(
        self,
        websocket: WebSocket,
        member: Member,
        options: ServerOptions,
        relay: Callable[[Member, ClientMessage], None],
    ) -> None:
        self._websocket = websocket
        self._member = member
        self._options = options
        self._relay = relay
        self._queue_changed = trio.Event()
        self._scope = trio.CancelScope()
        self._dismissal: Dismissal | None = None

    def queue_changed(self) -> None:
        """Send the messages in the member's queue, or close the connection if the queue has overflowed."""
        if self._member.overflowed:
            self._dismiss(CloseCode.TOO_SLOW, "messages were not received quickly enough")
        self._queue_changed.set()

    async def run(self) -> Dismissal | None:
        """Serve, and return the server's reason for closing the connection, or ``None`` if the client closed it."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send_queue)
                nursery.start_soon(self._ping)
                await self._receive()
                nursery.cancel_scope.cancel()
        return self._dismissal

    def _dismiss(self, code: int, reason: str) -> None:
        if self._dismissal is None:
            self._dismissal = Dismissal(code, reason)
        self._scope.cancel()

    async def _receive(self) -> None:
        bucket = TokenBucket(self._options.message_rate, self._options.message_burst)
        try:
            while True:
                text = await self._websocket.receive()
                self._relay(self._member, parse_client_message(text))
                # Not reading slows down a flood: the client's TCP window fills up.
                await trio.sleep(bucket.consume(trio.current_time()))
        except WebSocketViolation as error:
            self._dismiss(error.code, str(error)[:100])
        except ProtocolError as error:
            self._dismiss(CloseCode.BAD_MESSAGE, str(error)[:100])
        except WebSocketClosed:
            pass

    async def _send_queue(self) -> None:
        try:
            while True:
                while (text := self._member.dequeue()) is not None:
                    await self._websocket.send(text)
                await self._queue_changed.wait()
                self._queue_changed = trio.Event()
        except WebSocketClosed:
            self._scope.cancel()

    async def _ping(self) -> None:
        try:
            await keep_alive(self._websocket, self._options.ping_interval, self._options.ping_timeout)
        except trio.TooSlowError:
            self._dismiss(CloseCode.TOO_SLOW, "a ping was not answered")
        except WebSocketClosed:
            self._scope.cancel()
