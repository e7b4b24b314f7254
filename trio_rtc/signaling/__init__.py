"""Signaling over WebSocket: rooms, peers, and W3C's perfect negotiation between them.

A server (``serve``) holds rooms in memory. A program enters one with ``connect`` and receives a channel to every
other member::

    async with signaling.connect("ws://127.0.0.1:8080/", room="lobby") as room:
        peer = await room.receive()
        async with trio_rtc.RTCPeerConnection() as pc, trio.open_nursery() as nursery:
            await nursery.start(signaling.negotiate, peer, pc)
            ...

Wire format
-----------

A client opens a WebSocket on any path of the server with ``?room=NAME`` (1 to 128 characters), and both sides send
JSON objects as text messages. The server sends four types of messages:

``{"type": "welcome", "id": ID, "members": [ID, ...]}``
    The first message: the client's id, and the ids of the members already in the room, in order of arrival.

``{"type": "joined", "id": ID}``
    A member joined the room.

``{"type": "left", "id": ID}``
    A member left the room. Its id is never reused.

``{"type": "message", "from": ID, "data": OBJECT}``
    A message from another member.

A client sends one type of message:

``{"data": OBJECT, "to": ID}``
    A message to one member, or without ``to`` to all others in the room.

The server does not inspect ``data``. ``negotiate`` uses the objects of W3C's example: ``{"description": ...}`` or
``{"candidate": ...}`` as returned by ``toJSON()``. So a browser needs only this::

    const socket = new WebSocket(`ws://${location.host}/?room=lobby`);
    const pc = new RTCPeerConnection();
    const send = (data) => socket.send(JSON.stringify({data}));
    pc.onicecandidate = ({candidate}) => send({candidate});
    socket.onmessage = async ({data: text}) => {
      const {type, data} = JSON.parse(text);
      if (type !== "message") return;
      if (data.candidate !== undefined) return pc.addIceCandidate(data.candidate);
      await pc.setRemoteDescription(data.description);
      if (data.description.type !== "offer") return;
      await pc.setLocalDescription();
      send({description: pc.localDescription});
    };

The server closes a connection with one of these codes: 4400 (not a message of this format), 4404 (room name missing or
too long), 4408 (messages not received in time, or pings not answered), 4503 (room or server full), 1009 (message too
big), 1002 and 1007 (violations of RFC 6455). A client that sends faster than allowed is not closed but read more
slowly. A page in a browser may connect if it was served by the same host under a name that the server knows
(``ServerOptions.hosts``), or if its origin is in ``ServerOptions.origins``.
"""

from trio_rtc._strict_names.checks import check_public_arguments as _check_public_arguments

from .client import SignalingError, connect
from .client_room import Peer, Room
from .http import Page
from .messages import CloseCode, JsonObject
from .negotiation import negotiate
from .options import ClientOptions, ServerOptions
from .server import ServerCounts, SignalingServer, serve
from .server_rooms import RoomLimits

__all__ = [
    "ClientOptions",
    "CloseCode",
    "JsonObject",
    "Page",
    "Peer",
    "Room",
    "RoomLimits",
    "ServerCounts",
    "ServerOptions",
    "SignalingError",
    "SignalingServer",
    "connect",
    "negotiate",
    "serve",
]

_check_public_arguments(globals())
