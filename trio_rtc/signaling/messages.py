"""The wire format, both directions: what is said, and what a hostile other side may not say.

Pure: text in, values out. The format itself is described in :mod:`trio_rtc.signaling`.
"""

import json
from enum import IntEnum
from typing import Any, NoReturn, TypeAlias

import attrs

from trio_rtc.errors import ProtocolError

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object; its values are whatever JSON can say."""


class CloseCode(IntEnum):
    """Why the server ended a connection, in the range that RFC 6455 section 7.4.2 leaves to applications."""

    BAD_MESSAGE = 4400
    """The client sent something that is not a message of this format."""
    BAD_ROOM = 4404
    """The URL names no room, or one with a name that is too long."""
    TOO_SLOW = 4408
    """The client did not take its messages, or did not answer a ping."""
    FULL = 4503
    """The room has as many members, or the server as many rooms, as it may have."""


@attrs.frozen
class Addressed:
    """What a client says: ``data`` for the member ``to``, or for all others when that is ``None``."""

    data: JsonObject
    to: str | None = None


@attrs.frozen
class Welcome:
    """The first message from the server: our own name, and who was in the room before us."""

    id: str
    members: tuple[str, ...]


@attrs.frozen
class MemberJoined:
    """Another member has come in."""

    id: str


@attrs.frozen
class MemberLeft:
    """Another member has gone. Its id is never given to anyone else."""

    id: str


@attrs.frozen
class Relayed:
    """What another member said."""

    sender: str
    data: JsonObject


ServerMessage: TypeAlias = Welcome | MemberJoined | MemberLeft | Relayed


def write_client_message(message: Addressed) -> str:
    """Return the text of a client's message.

    Raises:
        TypeError: ``data`` holds something that JSON has no word for.
        ValueError: ``data`` holds a number that is not finite, half a surrogate pair, or itself.
    """
    fields: JsonObject = {"data": message.data}
    if message.to is not None:
        fields["to"] = message.to
    return _dump(fields)


def parse_client_message(text: str) -> Addressed:
    """Read what a client sent.

    Raises:
        ProtocolError: It is not a client's message.
    """
    fields = _load(text)
    data, to = fields.get("data"), fields.get("to")
    if not isinstance(data, dict):
        raise ProtocolError('"data" has to be an object')
    if to is not None and not isinstance(to, str):
        raise ProtocolError('"to" has to be the id of a member')
    return Addressed(data, to)


def write_server_message(message: ServerMessage) -> str:
    """Return the text of a server's message.

    Raises:
        ProtocolError: The data that is to be relayed was read, but cannot be written.
    """
    match message:
        case Welcome(id=own_id, members=members):
            return _dump({"type": "welcome", "id": own_id, "members": list(members)})
        case MemberJoined(id=member):
            return _dump({"type": "joined", "id": member})
        case MemberLeft(id=member):
            return _dump({"type": "left", "id": member})
        case Relayed(sender=sender, data=data):
            try:
                return _dump({"type": "message", "from": sender, "data": data})
            except Exception as error:
                # Python reads 1e999 as infinity and "\ud800" as half a surrogate pair; others would not take them.
                raise ProtocolError(f"data that cannot be passed on: {error}") from None


def parse_server_message(text: str) -> ServerMessage:
    """Read what a server sent.

    Raises:
        ProtocolError: It is not a server's message.
    """
    match _load(text):
        case {"type": "welcome", "id": str(own_id), "members": list(members)}:
            if not all(isinstance(member, str) for member in members):
                raise ProtocolError("the ids of members have to be strings")
            return Welcome(own_id, tuple(members))
        case {"type": "joined", "id": str(member)}:
            return MemberJoined(member)
        case {"type": "left", "id": str(member)}:
            return MemberLeft(member)
        case {"type": "message", "from": str(sender), "data": dict(data)}:
            return Relayed(sender, data)
        case _:
            raise ProtocolError("not a message of a signaling server")


def _dump(fields: JsonObject) -> str:
    # Not escaped, so that text grows no longer on its way; what UTF-8 cannot encode is a ValueError here.
    text = json.dumps(fields, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    text.encode()
    return text


def _load(text: str) -> JsonObject:
    try:
        fields = json.loads(text, parse_constant=_refuse_constant)
    except Exception as error:
        raise ProtocolError(f"not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ProtocolError("a message has to be a JSON object")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    # Python's parser takes NaN and Infinity, a browser's does not: relayed, they would break the other members.
    raise ValueError(f"{name} is not JSON")
