"""Who is in which room, and what waits to be sent to whom. Pure: no sockets, no time.

Everything is bounded: the rooms, the members of each, and what waits for a member. When a member's queue is
full the member is dismissed, because the alternative, to wait for it, would let one slow reader stop a room.
"""

import itertools
from collections import deque
from collections.abc import Iterator, Mapping

import attrs

from trio_rtc.errors import ProtocolError

from .messages import Addressed, CloseCode, MemberJoined, MemberLeft, Relayed, Welcome, write_server_message

MAX_ROOM_NAME_LENGTH = 128


class RoomRefused(Exception):
    """A room cannot be entered.

    Attributes:
        code: The code to close the connection with.
    """

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@attrs.frozen
class RoomLimits:
    """Bounds of the rooms.

    Attributes:
        rooms: Rooms that may exist at once; an empty room does not exist.
        members: Members of one room.
        relayed_characters: Length of a message as it is passed on: a number may be longer than it was.
        queued_messages: Messages that may wait for one member.
        queued_characters: Their total length.
    """

    rooms: int = 1000
    members: int = 32
    relayed_characters: int = 131_072
    queued_messages: int = 1000
    queued_characters: int = 524_288


@attrs.define(eq=False)
class Member:
    """One connection in one room.

    Attributes:
        id: Its name, unique in the server's life.
        room: The name of its room.
        overflowed: Whether it has been so slow that messages for it were lost.
    """

    id: str
    room: str
    limits: RoomLimits
    overflowed: bool = False
    _queue: deque[str] = attrs.field(factory=deque)
    _queued_characters: int = 0

    def put(self, text: str) -> None:
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

    def take(self) -> str | None:
        """Return the next message to send, or ``None``."""
        if not self._queue:
            return None
        text = self._queue.popleft()
        self._queued_characters -= len(text)
        return text


class Rooms:
    """All rooms of a server.

    Each verb returns the members whose queue was written to, so that the caller can wake whoever sends.
    """

    def __init__(self, limits: RoomLimits) -> None:
        self._limits = limits
        self._rooms: dict[str, dict[str, Member]] = {}
        # Counted, not random: ids are public to the room, and what happens replays.
        self._ids: Iterator[int] = itertools.count(1)

    def occupancy(self) -> Mapping[str, tuple[str, ...]]:
        """Return the ids of the members of each room, in the order in which they came."""
        return {name: tuple(members) for name, members in self._rooms.items()}

    def join(self, name: str) -> tuple[Member, list[Member]]:
        """Enter a room, which is made if need be: the newcomer is welcomed and the others hear of it.

        Raises:
            RoomRefused: The name is no name, or a limit is reached.
        """
        if not 1 <= len(name) <= MAX_ROOM_NAME_LENGTH:
            raise RoomRefused(CloseCode.BAD_ROOM, f"a room has 1 to {MAX_ROOM_NAME_LENGTH} characters")
        members = self._rooms.get(name)
        if members is None:
            if len(self._rooms) >= self._limits.rooms:
                raise RoomRefused(CloseCode.FULL, "the server has no room left")
            members = self._rooms[name] = {}
        elif len(members) >= self._limits.members:
            raise RoomRefused(CloseCode.FULL, "the room is full")
        newcomer = Member(str(next(self._ids)), name, self._limits)
        newcomer.put(write_server_message(Welcome(newcomer.id, tuple(members))))
        others = list(members.values())
        _put_all(others, write_server_message(MemberJoined(newcomer.id)))
        members[newcomer.id] = newcomer
        return newcomer, [newcomer, *others]

    def leave(self, member: Member) -> list[Member]:
        """Leave the room. Idempotent."""
        members = self._rooms.get(member.room, {})
        if members.pop(member.id, None) is None:
            return []
        if not members:
            del self._rooms[member.room]
        others = list(members.values())
        _put_all(others, write_server_message(MemberLeft(member.id)))
        return others

    def relay(self, sender: Member, message: Addressed) -> list[Member]:
        """Pass a message on. What is addressed to someone who has gone is dropped: the sender is about to hear.

        Raises:
            ProtocolError: The message cannot be passed on.
        """
        members = self._rooms.get(sender.room, {})
        if message.to is None:
            receivers = [member for member in members.values() if member is not sender]
        elif message.to == sender.id:
            raise ProtocolError("a message to oneself")
        else:
            receivers = [members[message.to]] if message.to in members else []
        text = write_server_message(Relayed(sender.id, message.data))
        if len(text) > self._limits.relayed_characters:
            raise ProtocolError("too large to be passed on")
        _put_all(receivers, text)
        return receivers


def _put_all(members: list[Member], text: str) -> None:
    for member in members:
        member.put(text)
