"""The signaling server: a WebSocket for each member, rooms in memory, and a page or two on the same port.

One task for each connection, with three more beside it once it has entered a room: one reads and relays, one
sends what is queued, one pings. Nothing that a client does reaches further than its own connection:

* Text that is no message of the format ends the connection with a code that names the reason.
* Who sends more than the allowed rate is read more slowly, and TCP slows it down at the source.
* Who reads more slowly than the others talk is dismissed when its queue is full, and so is who answers no ping.
* Connections, rooms, members, the size of messages and the time for a handshake are limited.
"""

import logging
import ssl
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream
from wsproto.utilities import ProtocolError as WebSocketProtocolError

from trio_rtc._environment import require_trio
from trio_rtc.errors import ProtocolError

from .connection_end import closing
from .http import Page, ReplayedStream, RequestHead, answer, read_request_head, refuse
from .messages import Addressed
from .options import ServerOptions
from .rooms import Member, RoomRefused, Rooms
from .session import Dismissal, MemberSession

logger = logging.getLogger("trio_rtc.signaling")

_CLIENT_ERRORS = (
    ProtocolError,
    WebSocketProtocolError,
    ConnectionClosed,
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)


class SignalingServer:
    """A running server, as ``nursery.start(serve, ...)`` returns it.

    Args:
        pages: What to answer to plain HTTP requests, by path.
        options: What is allowed.
        addresses: Where the server listens; empty when it is given streams instead.
    """

    def __init__(
        self,
        pages: Mapping[str, Page] | None = None,
        options: ServerOptions | None = None,
        addresses: Sequence[tuple[str, int]] = (),
    ) -> None:
        self._pages = pages or {}
        self._options = options or ServerOptions()
        self._addresses = tuple(addresses)
        self._rooms = Rooms(self._options.limits)
        self._sessions: dict[str, MemberSession] = {}
        self._connections = 0

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

    async def handle_stream(self, stream: trio.abc.Stream) -> None:
        """Serve one accepted connection until it ends, then close it. Never raises for what a client did."""
        self._connections += 1
        try:
            async with closing(stream, self._options.close_timeout):
                head = await self._read_websocket_request(stream)
                if head is not None:
                    await self._serve_websocket(stream, head)
        except* _CLIENT_ERRORS as errors:
            logger.debug("a connection ended: %r", errors)
        finally:
            self._connections -= 1

    async def _read_websocket_request(self, stream: trio.abc.Stream) -> RequestHead | None:
        """Read a request. Return it if it is to become a WebSocket, else answer it."""
        with trio.move_on_after(self._options.handshake_timeout):
            head = await read_request_head(stream)
            if self._connections > self._options.max_connections:
                await refuse(stream, HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections.")
            elif not head.wants_websocket:
                await answer(stream, head, self._pages)
            elif not self._is_welcome(head):
                await refuse(stream, HTTPStatus.FORBIDDEN, "Pages of this origin may not connect.")
            else:
                return head
        return None

    def _is_welcome(self, head: RequestHead) -> bool:
        origins = self._options.origins
        if origins is None:
            return head.is_same_origin
        origin = head.headers.get("origin")
        return origin is None or origin in origins or "*" in origins

    async def _serve_websocket(self, stream: trio.abc.Stream, head: RequestHead) -> None:
        async with trio.open_nursery() as nursery:
            websocket = None
            with trio.move_on_after(self._options.handshake_timeout):
                request = await wrap_server_stream(
                    nursery,
                    ReplayedStream(head.received, stream),
                    max_message_size=self._options.max_message_size,
                )
                websocket = await request.accept()
            if websocket is not None:
                await self._serve_member(websocket, head.query.get("room", ""))
            nursery.cancel_scope.cancel()

    async def _serve_member(self, websocket: WebSocketConnection, room: str) -> None:
        try:
            member, touched = self._rooms.join(room)
        except RoomRefused as refusal:
            await self._close(websocket, Dismissal(refusal.code, str(refusal)))
            return
        session = MemberSession(websocket, member, self._options, self._relay)
        self._sessions[member.id] = session
        self._wake(touched)
        try:
            dismissal = await session.run()
        finally:
            del self._sessions[member.id]
            self._wake(self._rooms.leave(member))
        if dismissal is not None and not session.was_cut_off:
            await self._close(websocket, dismissal)

    def _relay(self, sender: Member, message: Addressed) -> None:
        self._wake(self._rooms.relay(sender, message))

    def _wake(self, members: Sequence[Member]) -> None:
        for member in members:
            self._sessions[member.id].queue_changed()

    async def _close(self, websocket: WebSocketConnection, dismissal: Dismissal) -> None:
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
    tcp_listeners = await trio.open_tcp_listeners(port, host=host)
    addresses = [listener.socket.getsockname()[:2] for listener in tcp_listeners]
    server = SignalingServer(pages, options, addresses)
    listeners: list[trio.abc.Listener[trio.abc.Stream]] = [
        listener if ssl_context is None else trio.SSLListener(listener, ssl_context, https_compatible=True)
        for listener in tcp_listeners
    ]
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_listeners, server.handle_stream, listeners))
        task_status.started(server)
