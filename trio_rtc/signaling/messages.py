"""The wire format in both directions, and the checks of messages from a hostile sender.

Pure: text in, values out. :mod:`trio_rtc.signaling` describes the format.
"""

import json
from enum import IntEnum
from typing import Any, NoReturn, TypeAlias

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object with any JSON values."""


class CloseCode(IntEnum):
    """The server's reason for closing a connection, in the private range of RFC 6455 section 7.4.2."""

    BAD_MESSAGE = 4400
    """The client sent text that is not a message of this format."""
    BAD_ROOM = 4404
    """The URL names no room, or its name is too long."""
    TOO_SLOW = 4408
    """The client did not receive its messages in time, or did not answer a ping."""
    FULL = 4503
    """The room has its maximum of members, or the server its maximum of rooms."""


@attrs.frozen
class ClientMessage:
    """A client's message: ``data`` for the member ``to``, or for all others if that is ``None``."""

    data: JsonObject
    to: str | None = None


@attrs.frozen
class Welcome:
    """The server's first message: the client's id and the ids of the members already in the room."""

    id: str
    members: tuple[str, ...]


@attrs.frozen
class MemberJoined:
    id: str


@attrs.frozen
class MemberLeft:
    """A member left the room. Its id is never reused."""

    id: str


@attrs.frozen
class RelayedMessage:
    sender: str
    data: JsonObject


ServerMessage: TypeAlias = Welcome | MemberJoined | MemberLeft | RelayedMessage


def encode_client_message(message: ClientMessage) -> str:
    """Return the text of a client's message.

    Raises:
        TypeError: ``data`` contains a value that JSON cannot represent.
        ValueError: ``data`` contains a number that is not finite, a lone surrogate, or itself.
    """
    fields: JsonObject = {"data": message.data}
    if message.to is not None:
        fields["to"] = message.to
    return _dump(fields)


def parse_client_message(text: str) -> ClientMessage:
    fields = _load(text)
    data, to = fields.get("data"), fields.get("to")
    if not isinstance(data, dict):
        raise ProtocolError('"data" must be an object')
    if to is not None and not isinstance(to, str):
        raise ProtocolError('"to" must be the id of a member')
    return ClientMessage(data, to)


def encode_server_message(message: ServerMessage) -> str:
    """Return the text of a server's message; ``ProtocolError`` if relayed data was parsed, but cannot be encoded."""
    match message:
        case Welcome(id=own_id, members=members):
            return _dump({"type": "welcome", "id": own_id, "members": list(members)})
        case MemberJoined(id=member):
            return _dump({"type": "joined", "id": member})
        case MemberLeft(id=member):
            return _dump({"type": "left", "id": member})
        case RelayedMessage(sender=sender, data=data):
            try:
                return _dump({"type": "message", "from": sender, "data": data})
            except Exception as error:
                # Python parses 1e999 as infinity and "\ud800" as a lone surrogate; other parsers would reject them.
                raise ProtocolError(f'"data" cannot be relayed: {error}') from None


def parse_server_message(text: str) -> ServerMessage:
    match _load(text):
        case {"type": "welcome", "id": str(own_id), "members": list(members)}:
            if not all(isinstance(member, str) for member in members):
                raise ProtocolError("ids of members must be strings")
            return Welcome(own_id, tuple(members))
        case {"type": "joined", "id": str(member)}:
            return MemberJoined(member)
        case {"type": "left", "id": str(member)}:
            return MemberLeft(member)
        case {"type": "message", "from": str(sender), "data": dict(data)}:
            return RelayedMessage(sender, data)
        case _:
            raise ProtocolError("text is not a message of a signaling server")


def _dump(fields: JsonObject) -> str:
    # Not escaped, so that relayed text does not grow; text that UTF-8 cannot encode raises ValueError here.
    text = json.dumps(fields, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    text.encode()
    return text


def _load(text: str) -> JsonObject:
    try:
        fields = json.loads(text, parse_constant=_reject_constant)
    except Exception as error:
        raise ProtocolError(f"message is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ProtocolError("message must be a JSON object")
    return fields


def _reject_constant(name: str) -> NoReturn:
    # Python's parser accepts NaN and Infinity, a browser's does not: relayed, they would break the other members.
    raise ValueError(f"{name} is not JSON")
