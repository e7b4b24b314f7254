"""The signaling server: a WebSocket for each member, rooms in memory, and a page or two on the same port.

One task for each connection, with three more beside it once it has entered a room: one reads and relays, one
sends what is queued, one pings. Nothing that a client does reaches further than its own connection:

* Text that is no message of the format ends the connection with a code that names the reason.
* A client that sends more bytes, frames or messages than allowed is read more slowly, and TCP slows it down at the
  source.
* A member that reads more slowly than the others talk is dismissed when its queue is full, or when it answers no ping.
* An address that connects too often is turned away before it costs a TLS handshake.
* Connections, rooms, members, the size of messages and the time for a handshake are limited.
* Any exception that handling one connection raises ends that connection, is logged and counted. The parsers of HTTP,
  TLS, WebSocket and JSON were written by others, and what they raise for hostile bytes is not a closed list.
"""

import logging
import ssl
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from types import MappingProxyType

import attrs
import trio

from trio_rtc._environment import require_trio
from trio_rtc.errors import ProtocolError

from .admission import Admitted, ConnectionRates, ConnectionTable, source_of
from .connection_end import closing
from .http import Page, RequestHead, answer, read_request_head, refuse
from .messages import Addressed
from .opening_handshake import HandshakeRefused, clean_request
from .options import ServerOptions
from .origin import OriginPolicy, own_names
from .pacing import PacedStream
from .rate import TokenBucket
from .rooms import Member, RoomRefused, Rooms
from .session import Dismissal, MemberSession
from .websocket import WebSocket, WebSocketClosed

logger = logging.getLogger("trio_rtc.signaling")

_ORDINARY_ENDS = (ProtocolError, WebSocketClosed, OSError, trio.BrokenResourceError, trio.ClosedResourceError)
"""Exceptions of ordinary connection ends. Any other one is as harmless to the others, but worth a warning."""

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_WARNINGS = (1.0, 10.0)
"""Warnings a second in the long run and at once, so that a client cannot fill the log."""


@attrs.define
class ServerCounts:
    """How many connections a server has had, by how they went.

    Attributes:
        accepted: Connections that were accepted from the listening sockets.
        rate_limited: Connections that were turned away at once, because their address connects too often.
        entered: Members that entered a room.
        displaced: Connections that made room for others before their handshake was complete.
        timed_out: Connections whose handshake took too long.
        refused: Handshakes that were answered with an error: too many connections, a foreign origin, a bad request.
        dismissed: Members that were sent away with a close code.
        failed: Connections that an unexpected exception ended.
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
        pages: What to answer to plain HTTP requests, by path.
        options: What is allowed.
        addresses: Where the server listens; empty when it is given streams instead.
        ssl_context: For ``https`` and ``wss``.
        hosts: Names that the server goes by, beside those of the options.
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
        self._origins = OriginPolicy(self._options.origins, own_names({*hosts, *self._options.hosts}))
        self._rooms = Rooms(self._options.limits)
        self._sessions: dict[str, MemberSession] = {}
        self._rates = ConnectionRates(self._options)
        self._connections = ConnectionTable(self._options)
        self._counts = ServerCounts()
        self._warnings = TokenBucket(*_WARNINGS)

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Where the server listens: host and port of each listening socket."""
        return self._addresses

    @property
    def port(self) -> int:
        """The port of the first listening socket."""
        return self._addresses[0][1]

    def occupancy(self) -> Mapping[str, tuple[str, ...]]:
        """Return the rooms that exist, and the ids of their members in the order in which they came."""
        return self._rooms.occupancy()

    def counts(self) -> ServerCounts:
        """Return how many connections there have been, by how they went."""
        return attrs.evolve(self._counts)

    async def handle_stream(self, stream: trio.abc.Stream, *, address: str | None = None) -> None:
        """Serve one accepted connection until it ends, then close it. Never raises for what a client did.

        Args:
            stream: The connection.
            address: The IP address that it is counted for; by default that of its socket, if it has one.
        """
        source = source_of(address or _address_of(stream))
        self._counts.accepted += 1
        try:
            if self._rates.admit(source, trio.current_time()):
                await self._serve_admitted(stream, source)
            else:
                self._counts.rate_limited += 1
                await self._turn_away(stream)
        except* Exception as errors:
            self._record_end(errors)

    async def _turn_away(self, stream: trio.abc.Stream) -> None:
        """Close a connection, with an answer if that costs no TLS handshake. Nothing is read."""
        if self._ssl_context is not None or isinstance(stream, trio.SSLStream):
            await trio.aclose_forcefully(stream)
            return
        async with closing(stream, self._options.close_timeout):
            with trio.move_on_after(self._options.close_timeout):
                await refuse(stream, HTTPStatus.TOO_MANY_REQUESTS, "Too many new connections.", _NO_HEADERS)

    async def _serve_admitted(self, stream: trio.abc.Stream, source: str | None) -> None:
        pending = trio.CancelScope(deadline=trio.current_time() + self._options.handshake_timeout)
        admitted = self._connections.add(source, pending.cancel)
        try:
            await self._serve_connection(stream, admitted, pending)
        finally:
            self._connections.remove(admitted)

    async def _serve_connection(
        self, stream: trio.abc.Stream, admitted: Admitted, pending: trio.CancelScope
    ) -> None:
        opened = None
        secured = self._paced(stream)
        async with closing(secured, self._options.close_timeout), trio.open_nursery() as nursery:
            with pending:
                opened = await self._open_websocket(nursery, secured, admitted)
            if pending.cancelled_caught:
                # Not closed with ceremony: there may be no TLS yet to say goodbye in.
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
        paced = PacedStream(
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
        quiet = self._warnings.take(trio.current_time()) > 0
        logger.log(
            logging.DEBUG if quiet else logging.WARNING,
            "an unexpected exception ended a connection; the server goes on",
            exc_info=unexpected,
        )

    async def _open_websocket(
        self, nursery: trio.Nursery, stream: trio.abc.Stream, admitted: Admitted
    ) -> tuple[WebSocket, str] | None:
        """Read a request. Return its WebSocket and the name of its room, or answer it otherwise."""
        head = await read_request_head(stream)
        if not head.wants_websocket:
            await answer(stream, head, self._pages)
            return None
        try:
            request = self._check(stream, head)
        except HandshakeRefused as refusal:
            await self._refuse(stream, refusal.status, str(refusal), refusal.headers)
            return None
        if (status := self._connections.open(admitted)) is not None:
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
        if not self._origins.admits(origin, host, secure=isinstance(stream, trio.SSLStream)):
            raise HandshakeRefused(
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
        await refuse(stream, status, reason, headers)

    async def _serve_member(self, websocket: WebSocket, room: str) -> None:
        try:
            member, touched = self._rooms.join(room)
        except RoomRefused as refusal:
            await self._close(websocket, Dismissal(refusal.code, str(refusal)))
            return
        session = MemberSession(websocket, member, self._options, self._relay)
        self._sessions[member.id] = session
        self._counts.entered += 1
        self._wake(touched)
        try:
            dismissal = await session.run()
        finally:
            del self._sessions[member.id]
            self._wake(self._rooms.leave(member))
        if dismissal is not None:
            await self._close(websocket, dismissal)

    def _relay(self, sender: Member, message: Addressed) -> None:
        self._wake(self._rooms.relay(sender, message))

    def _wake(self, members: Sequence[Member]) -> None:
        for member in members:
            self._sessions[member.id].queue_changed()

    async def _close(self, websocket: WebSocket, dismissal: Dismissal) -> None:
        self._counts.dismissed += 1
        logger.debug("dismissed a client: %s", dismissal)
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
        host: A name or address of this host; "0.0.0.0" or "::" for all of them.
        port: The port, or 0 for one that is free.
        pages: What to answer to plain HTTP requests, by path.
        options: What is allowed.
        ssl_context: For ``https`` and ``wss``.
        task_status: For ``nursery.start``, which returns the ``SignalingServer`` once it listens.

    Raises:
        OSError: The address cannot be listened on.
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
    except OSError:  # it has gone already
        return None
    return str(peer[0]) if isinstance(peer, tuple) else None
