"""What a client knows of the room it is in: the other members, each of them a channel.

A room is received from (it gives a :class:`Peer` for every other member, once), and a peer is a
``trio.abc.Channel`` of JSON objects that ends when that member leaves. Both are fed by the task that reads.
"""

import logging
from collections.abc import Mapping
from types import MappingProxyType

import trio

from trio_rtc.errors import ProtocolError

from .messages import (
    Addressed,
    JsonObject,
    MemberJoined,
    MemberLeft,
    Relayed,
    ServerMessage,
    Welcome,
    write_client_message,
)
from .options import ClientOptions

logger = logging.getLogger("trio_rtc.signaling")

_LEFT = "the peer has left"


class Peer(trio.abc.Channel[JsonObject]):
    """Another member of the room: what is sent reaches this member and nobody else.

    Attributes:
        id: Its name in the room.
        polite: Whether we are the polite one of the two in a perfect negotiation. Both sides agree: the one
            who came later is polite.
    """

    def __init__(self, member: str, polite: bool, outbox: trio.MemorySendChannel[str], queued: int) -> None:
        self.id = member
        self.polite = polite
        self._outbox = outbox
        self._into, self._inbox = trio.open_memory_channel[JsonObject](queued)
        self._lost: str | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<Peer {self.id}>"

    async def send(self, value: JsonObject) -> None:
        """Send a JSON object.

        Raises:
            TypeError: It holds something that JSON has no word for.
            ValueError: It holds a number that is not finite.
            trio.ClosedResourceError: We closed this channel, or have left the room.
            trio.BrokenResourceError: The member has left, or the connection to the server was lost.
        """
        text = write_client_message(Addressed(value, self.id))
        if self._closed:
            raise trio.ClosedResourceError
        if self._lost is not None:
            raise trio.BrokenResourceError(self._lost)
        await self._outbox.send(text)

    async def receive(self) -> JsonObject:
        """Return the next object from this member.

        Raises:
            trio.EndOfChannel: The member has left.
            trio.ClosedResourceError: We closed this channel, or have left the room.
            trio.BrokenResourceError: The connection to the server was lost, or the member sent more than is
                kept (``ClientOptions.queued_messages``).
        """
        try:
            return await self._inbox.receive()
        except trio.EndOfChannel:
            if self._lost == _LEFT:
                raise
            raise trio.BrokenResourceError(self._lost) from None

    async def aclose(self) -> None:
        """Stop talking to this member."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Do what ``aclose`` does, at once."""
        self._closed = True
        self._inbox.close()

    def deliver(self, data: JsonObject) -> None:
        """Take what the member sent. For the room."""
        try:
            self._into.send_nowait(data)
        except trio.WouldBlock:
            self.lose("the peer sent more than is kept")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            logger.debug("dropped a message of %r, to whom no one listens", self)

    def lose(self, reason: str) -> None:
        """End the channel after what was delivered. For the room."""
        if self._lost is None:
            self._lost = reason
            self._into.close()


class Room(trio.abc.ReceiveChannel[Peer]):
    """A room we are in: receive from it to meet its other members, each of them once.

    Attributes:
        id: Our own name in the room.
    """

    def __init__(self, welcome: Welcome, outbox: trio.MemorySendChannel[str], options: ClientOptions) -> None:
        self.id = welcome.id
        self._outbox = outbox
        self._options = options
        self._peers: dict[str, Peer] = {}
        # Keyed by id, so that whoever leaves before being met leaves the queue as well.
        self._unmet: dict[str, Peer] = {}
        self._news = trio.Event()
        self._broken: str | None = None
        self._closed = False
        for member in welcome.members:
            self._add(member, polite=True)

    @property
    def peers(self) -> Mapping[str, Peer]:
        """The other members that are in the room now, by id, in the order in which they came."""
        return MappingProxyType(self._peers)

    async def receive(self) -> Peer:
        """Wait for another member.

        Raises:
            trio.ClosedResourceError: We have left the room.
            trio.BrokenResourceError: The connection to the server was lost; the error says why.
        """
        await trio.lowlevel.checkpoint()
        while True:
            if self._closed:
                raise trio.ClosedResourceError
            if self._unmet:
                return self._unmet.pop(next(iter(self._unmet)))
            if self._broken is not None:
                raise trio.BrokenResourceError(self._broken)
            await self._news.wait()

    async def aclose(self) -> None:
        """Leave the room: every channel to a peer is closed."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Do what ``aclose`` does, at once."""
        self._closed = True
        self._outbox.close()
        for peer in self._peers.values():
            peer.close()
        self._announce()

    def handle(self, message: ServerMessage) -> None:
        """Take what the server says. For the task that reads.

        Raises:
            ProtocolError: The server says what it may not say now.
        """
        match message:
            case MemberJoined(id=member):
                self._add(member, polite=False)
            case MemberLeft(id=member):
                self._unmet.pop(member, None)
                if (peer := self._peers.pop(member, None)) is not None:
                    peer.lose(_LEFT)
            case Relayed(sender=member, data=data):
                if (peer := self._peers.get(member)) is not None:
                    peer.deliver(data)
            case Welcome():
                raise ProtocolError("welcomed twice")

    def lose(self, reason: str) -> None:
        """Hear that the connection to the server is gone. For the task that reads."""
        if self._broken is None:
            self._broken = reason
            for peer in self._peers.values():
                peer.lose(reason)
            self._announce()

    def _add(self, member: str, *, polite: bool) -> None:
        if member in self._peers or len(self._peers) >= self._options.max_peers:
            raise ProtocolError(f"member {member!r} cannot join")
        peer = Peer(member, polite, self._outbox, self._options.queued_messages)
        self._peers[member] = self._unmet[member] = peer
        self._announce()

    def _announce(self) -> None:
        self._news.set()
        self._news = trio.Event()
