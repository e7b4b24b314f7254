"""The signaling client: enters a room and keeps it up to date.

Three tasks stand behind a room: one sorts what arrives, one sends, one pings. What is sent goes through the
sending task, so that cancelling a ``send`` never leaves half a message on the wire.
"""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import quote, urlsplit

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from trio_rtc._environment import require_trio
from trio_rtc.errors import ProtocolError

from .connection_end import closing, keep_alive
from .membership import Room
from .messages import Welcome, parse_server_message
from .options import ClientOptions
from .plain_errors import plain_errors


class SignalingError(Exception):
    """The server could not be reached, or did not let us in."""


@asynccontextmanager
async def connect(
    url: str,
    *,
    room: str,
    options: ClientOptions | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncGenerator[Room, None]:
    """Enter a room of a signaling server, and leave it with the block.

    Args:
        url: Where the server is: "ws://host:port/" or "wss://...".
        room: The name of the room.
        options: Bounds and timeouts.
        ssl_context: For ``wss``, if the default one is not what is wanted.

    Raises:
        SignalingError: The server could not be reached, or did not let us in (the room is full).
        ValueError: The URL is not one of a WebSocket.
    """
    require_trio("signaling.connect")
    options = options or ClientOptions()
    endpoint = Endpoint.parse(url, room)
    try:
        with trio.fail_after(options.connect_timeout):
            stream = await endpoint.open_stream(ssl_context)
    except OSError as error:
        raise SignalingError(f"{url}: {error}") from error
    except trio.TooSlowError:
        raise SignalingError(f"{url}: no connection within {options.connect_timeout} s") from None
    async with closing(stream, options.close_timeout), enter(stream, endpoint, options) as entered:
        yield entered


@asynccontextmanager
async def enter(
    stream: trio.abc.Stream, endpoint: "Endpoint", options: ClientOptions
) -> AsyncGenerator[Room, None]:
    """Enter a room over a stream that is connected to the server. The stream is left to the caller to close."""
    with plain_errors():
        async with trio.open_nursery() as nursery:
            websocket = await _shake_hands(nursery, stream, endpoint, options)
            outbox, to_send = trio.open_memory_channel[str](0)
            room = Room(await _receive_welcome(websocket, options), outbox, options)
            sent_all = trio.Event()
            nursery.start_soon(_receive_all, websocket, room)
            nursery.start_soon(_send_all, websocket, to_send, sent_all)
            nursery.start_soon(_ping, websocket, room, options)
            try:
                yield room
            finally:
                room.close()
                with trio.move_on_after(options.close_timeout):
                    await sent_all.wait()
                    await websocket.aclose()
                nursery.cancel_scope.cancel()


@attrs.frozen
class Endpoint:
    """Where a room is: a server and a resource on it.

    Attributes:
        host: Host name or address.
        port: TCP port.
        secure: Whether to speak TLS.
        resource: Path and query, with the room.
    """

    host: str
    port: int
    secure: bool
    resource: str

    @classmethod
    def parse(cls, url: str, room: str) -> "Endpoint":
        """Take a URL apart.

        Raises:
            ValueError: It is not one of a WebSocket.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError(f"{url!r} is not the URL of a signaling server: ws://host:port/")
        secure = parts.scheme == "wss"
        query = f"{parts.query}&" if parts.query else ""
        resource = f"{parts.path or '/'}?{query}room={quote(room, safe='')}"
        return cls(parts.hostname, parts.port or (443 if secure else 80), secure, resource)

    @property
    def authority(self) -> str:
        """Host and port as the ``Host`` field has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    async def open_stream(self, ssl_context: ssl.SSLContext | None) -> trio.abc.Stream:
        """Connect.

        Raises:
            OSError: There is no server there.
        """
        if not self.secure:
            return await trio.open_tcp_stream(self.host, self.port)
        return await trio.open_ssl_over_tcp_stream(
            self.host, self.port, https_compatible=True, ssl_context=ssl_context
        )


async def _shake_hands(
    nursery: trio.Nursery, stream: trio.abc.Stream, endpoint: Endpoint, options: ClientOptions
) -> WebSocketConnection:
    try:
        with trio.fail_after(options.connect_timeout):
            return await wrap_client_stream(
                nursery,
                # Annotated as a stream over a socket, documented (and written) for any stream.
                cast(trio.SocketStream, stream),
                endpoint.authority,
                endpoint.resource,
                max_message_size=options.max_message_size,
            )
    except trio.TooSlowError:
        raise SignalingError("the server did not answer as a WebSocket server does") from None


async def _receive_welcome(websocket: WebSocketConnection, options: ClientOptions) -> Welcome:
    try:
        with trio.fail_after(options.connect_timeout):
            message = parse_server_message(_text(await websocket.get_message()))
    except ConnectionClosed as error:
        raise SignalingError(_reason_of(error)) from None
    except trio.TooSlowError:
        raise SignalingError("the server did not say welcome") from None
    except ProtocolError as error:
        raise SignalingError(f"not a signaling server: {error}") from None
    if not isinstance(message, Welcome):
        raise SignalingError("not a signaling server: the first message is no welcome")
    return message


async def _receive_all(websocket: WebSocketConnection, room: Room) -> None:
    try:
        while True:
            room.handle(parse_server_message(_text(await websocket.get_message())))
    except ConnectionClosed as error:
        room.lose(_reason_of(error))
    except ProtocolError as error:
        room.lose(f"not a signaling server: {error}")
        await trio.aclose_forcefully(websocket)


async def _send_all(
    websocket: WebSocketConnection, to_send: trio.MemoryReceiveChannel[str], sent_all: trio.Event
) -> None:
    # When the connection is gone, closing our end makes every send of a peer fail.
    async with to_send:
        try:
            async for text in to_send:
                await websocket.send_message(text)
        except ConnectionClosed:
            pass
        finally:
            sent_all.set()


async def _ping(websocket: WebSocketConnection, room: Room, options: ClientOptions) -> None:
    try:
        await keep_alive(websocket, options.ping_interval, options.ping_timeout)
    except trio.TooSlowError:
        room.lose("the server does not answer")
        # Wakes the sending task, which may be stuck.
        await trio.aclose_forcefully(websocket)
    except ConnectionClosed:
        pass


def _text(message: str | bytes) -> str:
    if not isinstance(message, str):
        raise ProtocolError("messages are text")
    return message


def _reason_of(error: ConnectionClosed) -> str:
    closed = error.reason
    return "the connection ended" if closed is None else f"{closed.reason or closed.name} ({closed.code})"
