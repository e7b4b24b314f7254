"""The signaling client: enters a room and keeps it up to date.

Three tasks stand behind a room, beside the one that reads: one sorts what arrives, one sends, one pings. What is sent
goes through the sending task, so that cancelling a ``send`` never leaves half a message on the wire.
"""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

import attrs
import trio

from trio_rtc._environment import require_trio

from .connection_end import closing, keep_alive
from .membership import Room
from .messages import Welcome, parse_server_message
from .opening_handshake import HandshakeRefused
from .options import ClientOptions
from .plain_errors import plain_errors
from .websocket import WebSocket, WebSocketClosed

_KEPT_IN_PATH = "/%:@!$&'()*+,;="
_KEPT_IN_QUERY = f"{_KEPT_IN_PATH}?"


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
    except (OSError, trio.BrokenResourceError) as error:
        # A broken resource is TLS's: a certificate that does not verify, for example.
        raise SignalingError(f"{url}: {error.__cause__ or error}") from error
    except trio.TooSlowError:
        raise SignalingError(f"{url}: no connection within {options.connect_timeout} s") from None
    async with closing(stream, options.close_timeout), enter(stream, endpoint, options) as entered:
        yield entered


@asynccontextmanager
async def enter(
    stream: trio.abc.Stream, endpoint: "Endpoint", options: ClientOptions
) -> AsyncGenerator[Room, None]:
    """Enter a room over a stream that is connected to the server. The stream is left to the caller to close."""
    try:
        with plain_errors():
            async with trio.open_nursery() as nursery:
                async with _entered(stream, endpoint, options, nursery) as room:
                    yield room
                nursery.cancel_scope.cancel()
    except HandshakeRefused as refusal:
        # It comes out of the task that reads.
        raise SignalingError(str(refusal)) from refusal.__cause__


@asynccontextmanager
async def _entered(
    stream: trio.abc.Stream, endpoint: "Endpoint", options: ClientOptions, nursery: trio.Nursery
) -> AsyncGenerator[Room, None]:
    websocket = await _shake_hands(stream, endpoint, options, nursery)
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
        """Parse a URL.

        Raises:
            ValueError: It is not one of a WebSocket.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError(f"{url!r} is not the URL of a signaling server: ws://host:port/")
        try:
            host = parts.hostname.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise ValueError(f"{url!r}: {parts.hostname!r} is not a host name: {error}") from None
        secure = parts.scheme == "wss"
        query = f"{quote(parts.query, safe=_KEPT_IN_QUERY)}&" if parts.query else ""
        path = quote(parts.path or "/", safe=_KEPT_IN_PATH)
        resource = f"{path}?{query}room={quote(room, safe='')}"
        return cls(host, parts.port or (443 if secure else 80), secure, resource)

    @property
    def authority(self) -> str:
        """Host and port as the ``Host`` field has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    async def open_stream(self, ssl_context: ssl.SSLContext | None) -> trio.abc.Stream:
        """Connect, with TLS if the URL asks for it.

        Raises:
            OSError: There is no server there.
            trio.BrokenResourceError: The TLS handshake failed.
        """
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


async def _shake_hands(
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
        raise SignalingError("the server did not answer as a WebSocket server does") from None


async def _receive_welcome(
    websocket: WebSocket, outbox: trio.MemorySendChannel[str], options: ClientOptions
) -> Room:
    try:
        with trio.fail_after(options.connect_timeout):
            message = parse_server_message(await websocket.receive())
        if not isinstance(message, Welcome):
            raise SignalingError("not a signaling server: the first message is no welcome")
        return Room(message, outbox, options)
    except (SignalingError, trio.Cancelled):
        raise
    except WebSocketClosed as error:
        raise SignalingError(str(error)) from None
    except trio.TooSlowError:
        raise SignalingError("the server did not say welcome") from None
    except Exception as error:
        raise SignalingError(f"not a signaling server: {error}") from error


async def _receive_all(stream: trio.abc.Stream, websocket: WebSocket, room: Room) -> None:
    """Pass on what the server says to the room, until the connection ends."""
    room.lose(await _receive_until_lost(websocket, room))
    # Wakes whoever sends.
    await trio.aclose_forcefully(stream)


async def _receive_until_lost(websocket: WebSocket, room: Room) -> str:
    """Read until the connection ends, and return why it did."""
    try:
        while True:
            room.handle(parse_server_message(await websocket.receive()))
    except WebSocketClosed as error:
        return str(error)
    except Exception as error:
        # From our parsers: what a hostile server makes them raise is not a closed list.
        return f"not a signaling server: {error}"


async def _send_all(
    websocket: WebSocket, to_send: trio.MemoryReceiveChannel[str], sent_all: trio.Event
) -> None:
    # When the connection is gone, closing our end makes every send of a peer fail.
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
        room.lose("the server does not answer")
        # Wakes the sending task, which may be stuck.
        await trio.aclose_forcefully(stream)
    except WebSocketClosed:
        pass
