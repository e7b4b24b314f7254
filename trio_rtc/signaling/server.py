"""The signaling server: a WebSocket for each member, rooms in memory, and pages on the same port.

Each connection has one task, and two more when it has entered a room: one receives and relays, one sends queued
messages, one pings. A client cannot affect other connections:

* Text that is not a message of the format closes the connection with a code and reason.
* A client that sends more bytes, frames or messages than allowed is read more slowly, and TCP slows it down at the
  source.
* A member that reads more slowly than the others send is closed when its queue overflows, or when it does not answer a
  ping.
* An address that connects too often is rejected before it costs a TLS handshake.
* Connections, rooms, members, the size of messages and the time for a handshake are limited.
* Any exception of handling a connection closes that connection, is logged and counted. The parsers of HTTP, TLS,
  WebSocket and JSON do not document which exceptions hostile bytes raise.
"""

import logging
import ssl
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from types import MappingProxyType

import trio

from trio_rtc import _attrs as attrs
from trio_rtc._environment import require_trio
from trio_rtc.errors import ProtocolError

from .admission import ConnectionRateLimiter, ConnectionTable, TrackedConnection, source_of
from .connection_end import closing
from .http import Page, RequestHead, read_request_head, send_error, send_page
from .member_session import Dismissal, MemberSession
from .messages import ClientMessage
from .opening_handshake import HandshakeError, clean_request
from .options import ServerOptions
from .origin import OriginPolicy, normalize_names
from .rate_limited_stream import RateLimitedStream
from .server_rooms import Member, Rooms, RoomUnavailable
from .token_bucket import TokenBucket
from .websocket import WebSocket, WebSocketClosed

logger = logging.getLogger("trio_rtc.signaling")

_ORDINARY_ENDS = (ProtocolError, WebSocketClosed, OSError, trio.BrokenResourceError, trio.ClosedResourceError)
"""Exceptions of ordinary ends of connections. Other exceptions affect no other connection either, but are logged as
warnings.
"""

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_WARNINGS = (1.0, 10.0)
"""Warnings per second in the long run and at once, so that a client cannot fill the log."""


@attrs.define
class ServerCounts:
    """Counts of a server's connections by outcome.

    Attributes:
        accepted: Connections accepted from the listening sockets.
        rate_limited: Connections rejected at once because their address connects too often.
        entered: Members that entered a room.
        displaced: Connections displaced by others before their handshake was complete.
        timed_out: Connections whose handshake took too long.
        refused: Handshakes answered with an error: too many connections, a foreign origin, a bad request.
        dismissed: Members closed with a close code.
        failed: Connections that ended by an unexpected exception.
    """

    accepted: int = 0
    rate_limited: int = 0
    entered: int = 0
    displaced: int = 0
    timed_out: int = 0
    refused: int = 0
    dismissed: int = 0
    failed: int = 0


class SignalingServer:
    """A running server, as ``nursery.start(serve, ...)`` returns it.

    Args:
        pages: The pages for plain HTTP requests, by path.
        options: Limits.
        addresses: The addresses on which the server listens; empty if it only handles streams.
        ssl_context: For ``https`` and ``wss``.
        hosts: Names of the server, in addition to those of the options.
    """

    def __init__(
        self,
        pages: Mapping[str, Page] | None = None,
        options: ServerOptions | None = None,
        addresses: Sequence[tuple[str, int]] = (),
        ssl_context: ssl.SSLContext | None = None,
        hosts: Collection[str] = (),
    ) -> None:
        self._pages = pages or {}
        self._options = options or ServerOptions()
        self._addresses = tuple(addresses)
        self._ssl_context = ssl_context
        self._origins = OriginPolicy(self._options.origins, normalize_names({*hosts, *self._options.hosts}))
        self._rooms = Rooms(self._options.limits)
        self._sessions: dict[str, MemberSession] = {}
        self._rates = ConnectionRateLimiter(self._options)
        self._connections = ConnectionTable(self._options)
        self._counts = ServerCounts()
        self._warnings = TokenBucket(*_WARNINGS)

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each listening socket."""
        return self._addresses

    @property
    def port(self) -> int:
        """The port of the first listening socket."""
        return self._addresses[0][1]

    def occupancy(self) -> Mapping[str, tuple[str, ...]]:
        """Return the existing rooms, and the ids of their members in order of arrival."""
        return self._rooms.occupancy()

    def counts(self) -> ServerCounts:
        """Return the counts of connections by outcome."""
        return attrs.evolve(self._counts)

    async def handle_stream(self, stream: trio.abc.Stream, *, address: str | None = None) -> None:
        """Serve one accepted connection until it ends, then close it. Never raises an error that a client caused.

        Args:
            stream: The connection.
            address: The IP address for which it is counted; ``None`` uses that of its socket, if it has one.
        """
        source = source_of(address or _address_of(stream))
        self._counts.accepted += 1
        try:
            if self._rates.admit(source, trio.current_time()):
                await self._serve_admitted(stream, source)
            else:
                self._counts.rate_limited += 1
                await self._reject(stream)
        except* Exception as errors:
            self._record_end(errors)

    async def _reject(self, stream: trio.abc.Stream) -> None:
        """Close a connection without reading, with an answer if that costs no TLS handshake."""
        if self._ssl_context is not None or isinstance(stream, trio.SSLStream):
            await trio.aclose_forcefully(stream)
            return
        async with closing(stream, self._options.close_timeout):
            with trio.move_on_after(self._options.close_timeout):
                await send_error(
                    stream, HTTPStatus.TOO_MANY_REQUESTS, "Too many new connections.", _NO_HEADERS
                )

    async def _serve_admitted(self, stream: trio.abc.Stream, source: str | None) -> None:
        pending = trio.CancelScope(deadline=trio.current_time() + self._options.handshake_timeout)
        connection = self._connections.add(source, pending.cancel)
        try:
            await self._serve_connection(stream, connection, pending)
        finally:
            self._connections.remove(connection)

    async def _serve_connection(
        self, stream: trio.abc.Stream, connection: TrackedConnection, pending: trio.CancelScope
    ) -> None:
        opened = None
        secured = self._paced(stream)
        async with closing(secured, self._options.close_timeout), trio.open_nursery() as nursery:
            with pending:
                opened = await self._open_websocket(nursery, secured, connection)
            if pending.cancelled_caught:
                # Closed forcefully: the TLS handshake may be incomplete.
                await trio.aclose_forcefully(stream)
                if pending.deadline > trio.current_time():
                    self._counts.displaced += 1
                else:
                    self._counts.timed_out += 1
            elif opened is not None:
                await self._serve_member(*opened)
            nursery.cancel_scope.cancel()

    def _paced(self, stream: trio.abc.Stream) -> trio.abc.Stream:
        options = self._options
        paced = RateLimitedStream(
            stream,
            TokenBucket(options.byte_rate, options.byte_burst),
            TokenBucket(options.frame_rate, options.frame_burst),
        )
        if self._ssl_context is None:
            return paced
        return trio.SSLStream(paced, self._ssl_context, server_side=True, https_compatible=True)

    def _record_end(self, errors: BaseExceptionGroup[Exception]) -> None:
        _, unexpected = errors.split(_ORDINARY_ENDS)
        if unexpected is None:
            logger.debug("a connection ended: %r", errors)
            return
        self._counts.failed += 1
        quiet = self._warnings.consume(trio.current_time()) > 0
        logger.log(
            logging.DEBUG if quiet else logging.WARNING,
            "an unexpected exception ended a connection; the server continues",
            exc_info=unexpected,
        )

    async def _open_websocket(
        self, nursery: trio.Nursery, stream: trio.abc.Stream, connection: TrackedConnection
    ) -> tuple[WebSocket, str] | None:
        """Read a request. Return its WebSocket and the name of its room, or answer it otherwise."""
        head = await read_request_head(stream)
        if not head.wants_websocket:
            await send_page(stream, head, self._pages)
            return None
        try:
            request = self._check(stream, head)
        except HandshakeError as error:
            await self._refuse(stream, error.status, str(error), error.headers)
            return None
        if (status := self._connections.open(connection)) is not None:
            await self._refuse(stream, status, "Too many connections.")
            return None
        websocket = await WebSocket.accept(
            nursery,
            stream,
            request,
            received=head.rest,
            max_message_size=self._options.max_message_size,
            frames=TokenBucket(self._options.frame_rate, self._options.frame_burst),
        )
        return websocket, head.query.get("room", "")

    def _check(self, stream: trio.abc.Stream, head: RequestHead) -> bytes:
        origin, host = head.headers.get("origin"), head.headers.get("host", "").lower()
        if not self._origins.allows(origin, host, secure=isinstance(stream, trio.SSLStream)):
            raise HandshakeError(
                "Pages of this origin may not connect (ServerOptions.origins and hosts).",
                HTTPStatus.FORBIDDEN,
            )
        return clean_request(head)

    async def _refuse(
        self,
        stream: trio.abc.Stream,
        status: HTTPStatus,
        reason: str,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> None:
        self._counts.refused += 1
        await send_error(stream, status, reason, headers)

    async def _serve_member(self, websocket: WebSocket, room: str) -> None:
        try:
            member, changed = self._rooms.join(room)
        except RoomUnavailable as error:
            await self._close(websocket, Dismissal(error.code, str(error)))
            return
        session = MemberSession(websocket, member, self._options, self._relay)
        self._sessions[member.id] = session
        self._counts.entered += 1
        self._wake(changed)
        try:
            dismissal = await session.run()
        finally:
            del self._sessions[member.id]
            self._wake(self._rooms.leave(member))
        if dismissal is not None:
            await self._close(websocket, dismissal)

    def _relay(self, sender: Member, message: ClientMessage) -> None:
        self._wake(self._rooms.relay(sender, message))

    def _wake(self, members: Sequence[Member]) -> None:
        for member in members:
            self._sessions[member.id].queue_changed()

    async def _close(self, websocket: WebSocket, dismissal: Dismissal) -> None:
        self._counts.dismissed += 1
        logger.debug("closed a client: %s", dismissal)
        with trio.move_on_after(self._options.close_timeout):
            await websocket.aclose(dismissal.code, dismissal.reason)


async def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    pages: Mapping[str, Page] | None = None,
    options: ServerOptions | None = None,
    ssl_context: ssl.SSLContext | None = None,
    task_status: trio.TaskStatus[SignalingServer] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a signaling server until cancelled: ``server = await nursery.start(serve, host, port)``.

    Args:
        host: A name or address of this host; "0.0.0.0" or "::" for all of its addresses.
        port: The port; 0 chooses a free one.
        pages: The pages for plain HTTP requests, by path.
        options: Limits.
        ssl_context: For ``https`` and ``wss``.
        task_status: For ``nursery.start``, which returns the ``SignalingServer`` when it listens.

    Raises:
        OSError: The server cannot listen on the address.
    """
    require_trio("signaling.serve")
    listeners = await trio.open_tcp_listeners(port, host=host)
    addresses = [listener.socket.getsockname()[:2] for listener in listeners]
    server = SignalingServer(pages, options, addresses, ssl_context, [host])
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_listeners, server.handle_stream, listeners))
        task_status.started(server)


def _address_of(stream: trio.abc.Stream) -> str | None:
    while isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    if not isinstance(stream, trio.SocketStream):
        return None
    try:
        peer = stream.socket.getpeername()
    except OSError:  # already disconnected
        return None
    return str(peer[0]) if isinstance(peer, tuple) else None
