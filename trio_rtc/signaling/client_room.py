"""The client's view of a room: the other members, each of them a channel.

A room yields a :class:`Peer` for every other member, once. A peer is a ``trio.abc.Channel`` of JSON objects that ends
when that member leaves. The reading task feeds both.
"""

import logging
from collections.abc import Mapping
from types import MappingProxyType

import trio

from trio_rtc.errors import ProtocolError

from .messages import (
    ClientMessage,
    JsonObject,
    MemberJoined,
    MemberLeft,
    RelayedMessage,
    ServerMessage,
    Welcome,
    encode_client_message,
)
from .options import ClientOptions

logger = logging.getLogger("trio_rtc.signaling")

_LEFT = "peer has left"


class Peer(trio.abc.Channel[JsonObject]):
    """Another member of the room: a channel of JSON objects to this member alone.

    Attributes:
        id: The member's id in the room.
        polite: Whether this side is the polite one in a perfect negotiation. Both sides agree: the member who came
            later is polite.
    """

    def __init__(self, member: str, polite: bool, outbox: trio.MemorySendChannel[str], queued: int) -> None:
        self.id = member
        self.polite = polite
        self._outbox = outbox
        self._inbox_sender, self._inbox = trio.open_memory_channel[JsonObject](queued)
        self._disconnect_reason: str | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<Peer {self.id}>"

    async def send(self, value: JsonObject) -> None:
        """Send a JSON object.

        Raises:
            TypeError: It contains a value that JSON cannot represent.
            ValueError: It contains a number that is not finite.
            trio.ClosedResourceError: This channel was closed, or the room was left.
            trio.BrokenResourceError: The member has left, or the connection to the server was lost.
        """
        text = encode_client_message(ClientMessage(value, self.id))
        if self._closed:
            raise trio.ClosedResourceError
        if self._disconnect_reason is not None:
            raise trio.BrokenResourceError(self._disconnect_reason)
        await self._outbox.send(text)

    async def receive(self) -> JsonObject:
        """Return the next object from this member.

        Raises:
            trio.EndOfChannel: The member has left.
            trio.ClosedResourceError: This channel was closed, or the room was left.
            trio.BrokenResourceError: The connection to the server was lost, or the member sent more than the queue
                holds (``ClientOptions.queued_messages``).
        """
        try:
            return await self._inbox.receive()
        except trio.EndOfChannel:
            if self._disconnect_reason == _LEFT:
                raise
            raise trio.BrokenResourceError(self._disconnect_reason) from None

    async def aclose(self) -> None:
        """Close the channel. The member stays in the room."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Close the channel without a checkpoint."""
        self._closed = True
        self._inbox.close()

    def push(self, data: JsonObject) -> None:
        """Queue a message of the member; called by the room."""
        try:
            self._inbox_sender.send_nowait(data)
        except trio.WouldBlock:
            self.disconnect("peer sent more messages than queued_messages")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            logger.debug("dropped a message of %r, whose channel is closed", self)

    def disconnect(self, reason: str) -> None:
        """End the channel after the queued messages; called by the room."""
        if self._disconnect_reason is None:
            self._disconnect_reason = reason
            self._inbox_sender.close()


class Room(trio.abc.ReceiveChannel[Peer]):
    """A room that was entered: a channel of its other members, each received once.

    Attributes:
        id: The id of this client in the room.
    """

    def __init__(self, welcome: Welcome, outbox: trio.MemorySendChannel[str], options: ClientOptions) -> None:
        self.id = welcome.id
        self._outbox = outbox
        self._options = options
        self._peers: dict[str, Peer] = {}
        # Keyed by id, so that a member that leaves before it is received is removed from the queue as well.
        self._unreceived: dict[str, Peer] = {}
        self._changed = trio.Event()
        self._disconnect_reason: str | None = None
        self._closed = False
        for member in welcome.members:
            self._add(member, polite=True)

    @property
    def peers(self) -> Mapping[str, Peer]:
        """The other members that are in the room now, by id, in order of arrival."""
        return MappingProxyType(self._peers)

    async def receive(self) -> Peer:
        """Wait for another member.

        Raises:
            trio.ClosedResourceError: The room was left.
            trio.BrokenResourceError: The connection to the server was lost; the error gives the reason.
        """
        await trio.lowlevel.checkpoint()
        while True:
            if self._closed:
                raise trio.ClosedResourceError
            if self._unreceived:
                return self._unreceived.pop(next(iter(self._unreceived)))
            if self._disconnect_reason is not None:
                raise trio.BrokenResourceError(self._disconnect_reason)
            await self._changed.wait()

    async def aclose(self) -> None:
        """Leave the room; every channel to a peer is closed."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Leave the room without a checkpoint."""
        self._closed = True
        self._outbox.close()
        for peer in self._peers.values():
            peer.close()
        self._notify()

    def handle_message(self, message: ServerMessage) -> None:
        """Handle a message of the server; called by the reading task.

        Raises:
            ProtocolError: The message is not allowed in this state.
        """
        match message:
            case MemberJoined(id=member):
                self._add(member, polite=False)
            case MemberLeft(id=member):
                self._unreceived.pop(member, None)
                if (peer := self._peers.pop(member, None)) is not None:
                    peer.disconnect(_LEFT)
            case RelayedMessage(sender=member, data=data):
                if (peer := self._peers.get(member)) is not None:
                    peer.push(data)
            case Welcome():
                raise ProtocolError("server sent a second welcome")

    def disconnect(self, reason: str) -> None:
        """Record that the connection to the server is lost; called by the reading task."""
        if self._disconnect_reason is None:
            self._disconnect_reason = reason
            for peer in self._peers.values():
                peer.disconnect(reason)
            self._notify()

    def _add(self, member: str, *, polite: bool) -> None:
        if member in self._peers or len(self._peers) >= self._options.max_peers:
            raise ProtocolError(
                f"member {member!r} joined twice or exceeds max_peers ({self._options.max_peers})"
            )
        peer = Peer(member, polite, self._outbox, self._options.queued_messages)
        self._peers[member] = self._unreceived[member] = peer
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
