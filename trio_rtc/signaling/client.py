"""The signaling client: enters a room and keeps it up to date.

A room has three tasks besides trio-websocket's reader: one handles received messages, one sends, one pings. Messages
are sent by the sending task, so that cancelling ``send`` never leaves half a message on the wire.
"""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

import trio

from trio_rtc import _attrs as attrs
from trio_rtc._environment import require_trio
from trio_rtc._error_filters import ungrouped_errors

from .client_room import Room
from .connection_end import closing, keep_alive
from .messages import Welcome, parse_server_message
from .opening_handshake import HandshakeError
from .options import ClientOptions
from .websocket import WebSocket, WebSocketClosed

_KEPT_IN_PATH = "/%:@!$&'()*+,;="
_KEPT_IN_QUERY = f"{_KEPT_IN_PATH}?"


class SignalingError(Exception):
    """The server could not be reached, or rejected the connection."""


@asynccontextmanager
async def connect(
    url: str,
    *,
    room: str,
    options: ClientOptions | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncGenerator[Room, None]:
    """Enter a room of a signaling server, and leave it at the end of the block.

    Args:
        url: The server's URL: "ws://host:port/" or "wss://...".
        room: The name of the room.
        options: Bounds and timeouts.
        ssl_context: For ``wss``; ``None`` uses the default context.

    Raises:
        SignalingError: The server could not be reached, or rejected the connection (for example because the room is
            full).
        ValueError: ``url`` is not a WebSocket URL.
    """
    require_trio("signaling.connect")
    options = options or ClientOptions()
    endpoint = Endpoint.parse(url, room)
    try:
        with trio.fail_after(options.connect_timeout):
            stream = await endpoint.open_stream(ssl_context)
    except (OSError, trio.BrokenResourceError) as error:
        # BrokenResourceError is raised by TLS, for example for an invalid certificate.
        raise SignalingError(f"{url}: {error.__cause__ or error}") from error
    except trio.TooSlowError:
        raise SignalingError(f"{url}: no connection within {options.connect_timeout} s") from None
    async with closing(stream, options.close_timeout), enter(stream, endpoint, options) as entered:
        yield entered


@asynccontextmanager
async def enter(
    stream: trio.abc.Stream, endpoint: "Endpoint", options: ClientOptions
) -> AsyncGenerator[Room, None]:
    """Enter a room over a stream that is connected to the server. The caller must close the stream."""
    try:
        with ungrouped_errors():
            async with trio.open_nursery() as nursery:
                async with _joined_room(stream, endpoint, options, nursery) as room:
                    yield room
                nursery.cancel_scope.cancel()
    except HandshakeError as error:
        # Raised by the reading task.
        raise SignalingError(str(error)) from error.__cause__


@asynccontextmanager
async def _joined_room(
    stream: trio.abc.Stream, endpoint: "Endpoint", options: ClientOptions, nursery: trio.Nursery
) -> AsyncGenerator[Room, None]:
    websocket = await _open_websocket_to(stream, endpoint, options, nursery)
    outbox, to_send = trio.open_memory_channel[str](0)
    room = await _receive_welcome(websocket, outbox, options)
    sent_all = trio.Event()
    nursery.start_soon(_receive_all, stream, websocket, room)
    nursery.start_soon(_send_all, websocket, to_send, sent_all)
    nursery.start_soon(_ping, stream, websocket, room, options)
    try:
        yield room
    finally:
        room.close()
        with trio.move_on_after(options.close_timeout):
            await sent_all.wait()
            await websocket.aclose()


@attrs.frozen
class Endpoint:
    """The location of a room: a server, and a resource on it, path and query."""

    host: str
    port: int
    secure: bool
    resource: str

    @classmethod
    def parse(cls, url: str, room: str) -> "Endpoint":
        """Parse a URL; ``ValueError`` if it is not that of a WebSocket."""
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError(f"url must be that of a signaling server, such as ws://host:port/, not {url!r}")
        try:
            host = parts.hostname.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise ValueError(f"url has an invalid host name {parts.hostname!r}: {error}") from None
        secure = parts.scheme == "wss"
        query = f"{quote(parts.query, safe=_KEPT_IN_QUERY)}&" if parts.query else ""
        path = quote(parts.path or "/", safe=_KEPT_IN_PATH)
        resource = f"{path}?{query}room={quote(room, safe='')}"
        return cls(host, parts.port or (443 if secure else 80), secure, resource)

    @property
    def authority(self) -> str:
        """Host and port as in the ``Host`` field."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    async def open_stream(self, ssl_context: ssl.SSLContext | None) -> trio.abc.Stream:
        """Connect, with TLS if the URL requires it; raises ``OSError`` or ``trio.BrokenResourceError``."""
        if not self.secure:
            return await trio.open_tcp_stream(self.host, self.port)
        stream = await trio.open_ssl_over_tcp_stream(
            self.host, self.port, https_compatible=True, ssl_context=ssl_context
        )
        try:
            await stream.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return stream


async def _open_websocket_to(
    stream: trio.abc.Stream, endpoint: Endpoint, options: ClientOptions, nursery: trio.Nursery
) -> WebSocket:
    try:
        with trio.fail_after(options.connect_timeout):
            return await WebSocket.open(
                nursery,
                stream,
                endpoint.authority,
                endpoint.resource,
                max_message_size=options.max_message_size,
            )
    except trio.TooSlowError:
        raise SignalingError(
            f"server did not answer the WebSocket handshake within {options.connect_timeout} s"
        ) from None


async def _receive_welcome(
    websocket: WebSocket, outbox: trio.MemorySendChannel[str], options: ClientOptions
) -> Room:
    try:
        with trio.fail_after(options.connect_timeout):
            message = parse_server_message(await websocket.receive())
        if not isinstance(message, Welcome):
            raise SignalingError("not a signaling server: the first message must be a welcome")
        return Room(message, outbox, options)
    except (SignalingError, trio.Cancelled):
        raise
    except WebSocketClosed as error:
        raise SignalingError(str(error)) from None
    except trio.TooSlowError:
        raise SignalingError(f"server sent no welcome within {options.connect_timeout} s") from None
    except Exception as error:
        raise SignalingError(f"not a signaling server: {error}") from error


async def _receive_all(stream: trio.abc.Stream, websocket: WebSocket, room: Room) -> None:
    room.disconnect(await _receive_until_disconnected(websocket, room))
    # Wakes blocked senders.
    await trio.aclose_forcefully(stream)


async def _receive_until_disconnected(websocket: WebSocket, room: Room) -> str:
    try:
        while True:
            room.handle_message(parse_server_message(await websocket.receive()))
    except WebSocketClosed as error:
        return str(error)
    except Exception as error:
        # A hostile server may cause any exception in the parsers.
        return f"not a signaling server: {error}"


async def _send_all(
    websocket: WebSocket, to_send: trio.MemoryReceiveChannel[str], sent_all: trio.Event
) -> None:
    # After the connection has ended, closing the channel makes every Peer.send fail.
    async with to_send:
        try:
            async for text in to_send:
                await websocket.send(text)
        except WebSocketClosed:
            pass
        finally:
            sent_all.set()


async def _ping(stream: trio.abc.Stream, websocket: WebSocket, room: Room, options: ClientOptions) -> None:
    try:
        await keep_alive(websocket, options.ping_interval, options.ping_timeout)
    except trio.TooSlowError:
        room.disconnect("server does not answer pings")
        # Wakes the sending task, which may be blocked.
        await trio.aclose_forcefully(stream)
    except WebSocketClosed:
        pass
