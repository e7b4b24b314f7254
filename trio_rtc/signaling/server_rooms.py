"""The server's rooms, their members, and each member's queue of messages. Pure: no sockets, no time.

All is bounded: the rooms, the members of each, and each member's queue. A member whose queue overflows is closed,
because waiting for it would let one slow reader block a room.
"""

import itertools
from collections import deque
from collections.abc import Iterator, Mapping

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .messages import (
    ClientMessage,
    CloseCode,
    MemberJoined,
    MemberLeft,
    RelayedMessage,
    Welcome,
    encode_server_message,
)

MAX_ROOM_NAME_LENGTH = 128


class RoomUnavailable(Exception):
    """A room cannot be entered; ``code`` closes the connection."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@attrs.frozen
class RoomLimits:
    """Bounds of the rooms.

    Attributes:
        rooms: Maximum rooms; an empty room does not exist.
        members: Maximum members of one room.
        relayed_characters: Maximum characters of a relayed message, since a number may be longer after parsing and
            encoding.
        queued_messages: Maximum messages in the queue of one member.
        queued_characters: Maximum characters in the queue of one member.
    """

    rooms: int = 1000
    members: int = 32
    relayed_characters: int = 131_072
    queued_messages: int = 1000
    queued_characters: int = 524_288


@attrs.define(eq=False)
class Member:
    """One connection in one room; its id is unique in the server's lifetime."""

    id: str
    room: str
    limits: RoomLimits
    overflowed: bool = False
    _queue: deque[str] = attrs.field(factory=deque)
    _queued_characters: int = 0

    def enqueue(self, text: str) -> None:
        """Queue a message, or mark the member as overflowed."""
        full = (
            len(self._queue) >= self.limits.queued_messages
            or self._queued_characters + len(text) > self.limits.queued_characters
        )
        if full:
            self.overflowed = True
        else:
            self._queue.append(text)
            self._queued_characters += len(text)

    def dequeue(self) -> str | None:
        if not self._queue:
            return None
        text = self._queue.popleft()
        self._queued_characters -= len(text)
        return text


class Rooms:
    """All rooms of a server.

    Each operation returns the members whose queues have changed, so that the caller can wake their senders.
    """

    def __init__(self, limits: RoomLimits) -> None:
        self._limits = limits
        self._rooms: dict[str, dict[str, Member]] = {}
        # Consecutive, not random: ids are public to the room, and runs are reproducible.
        self._ids: Iterator[int] = itertools.count(1)

    def occupancy(self) -> Mapping[str, tuple[str, ...]]:
        return {name: tuple(members) for name, members in self._rooms.items()}

    def join(self, name: str) -> tuple[Member, list[Member]]:
        """Enter a room, created if needed: the new member is sent a welcome, the others are notified."""
        if not 1 <= len(name) <= MAX_ROOM_NAME_LENGTH:
            raise RoomUnavailable(
                CloseCode.BAD_ROOM, f"room must have 1 to {MAX_ROOM_NAME_LENGTH} characters"
            )
        members = self._rooms.get(name)
        if members is None:
            if len(self._rooms) >= self._limits.rooms:
                raise RoomUnavailable(CloseCode.FULL, "server has its maximum of rooms")
            members = self._rooms[name] = {}
        elif len(members) >= self._limits.members:
            raise RoomUnavailable(CloseCode.FULL, "room is full")
        member = Member(str(next(self._ids)), name, self._limits)
        member.enqueue(encode_server_message(Welcome(member.id, tuple(members))))
        others = list(members.values())
        _enqueue_all(others, encode_server_message(MemberJoined(member.id)))
        members[member.id] = member
        return member, [member, *others]

    def leave(self, member: Member) -> list[Member]:
        members = self._rooms.get(member.room, {})
        if members.pop(member.id, None) is None:
            return []
        if not members:
            del self._rooms[member.room]
        others = list(members.values())
        _enqueue_all(others, encode_server_message(MemberLeft(member.id)))
        return others

    def relay(self, sender: Member, message: ClientMessage) -> list[Member]:
        """Relay a message, or raise ``ProtocolError``.

        A message to a member that has left is dropped: the sender is about to be notified.
        """
        members = self._rooms.get(sender.room, {})
        if message.to is None:
            receivers = [member for member in members.values() if member is not sender]
        elif message.to == sender.id:
            raise ProtocolError('"to" must not be the own id')
        else:
            receivers = [members[message.to]] if message.to in members else []
        text = encode_server_message(RelayedMessage(sender.id, message.data))
        if len(text) > self._limits.relayed_characters:
            raise ProtocolError(
                f"relayed message has {len(text)} characters, more than {self._limits.relayed_characters}"
            )
        _enqueue_all(receivers, text)
        return receivers


def _enqueue_all(members: list[Member], text: str) -> None:
    for member in members:
        member.enqueue(text)
