"""Signaling over WebSocket: rooms, peers, and W3C's perfect negotiation between them.

A server (``serve``) keeps rooms in memory. A program enters one with ``connect`` and gets a channel to every
other member::

    async with signaling.connect("ws://127.0.0.1:8080/", room="lobby") as room:
        peer = await room.receive()
        async with trio_rtc.RTCPeerConnection() as pc, trio.open_nursery() as nursery:
            await nursery.start(signaling.negotiate, peer, pc)
            ...

The wire format
---------------

A client opens a WebSocket on any path of the server with ``?room=NAME`` (1 to 128 characters), and both sides send
JSON objects as text messages. The server says four things:

``{"type": "welcome", "id": ID, "members": [ID, ...]}``
    is its first message: the client's own id, and who was in the room before, in the order in which they came.

``{"type": "joined", "id": ID}``
    Another member came.

``{"type": "left", "id": ID}``
    Another member went. Its id is never used again.

``{"type": "message", "from": ID, "data": OBJECT}``
    Another member said something.

A client says one thing:

``{"data": OBJECT, "to": ID}``
    for one member, or without ``to`` for all others in the room.

The server does not look into ``data``. ``negotiate`` puts there what W3C's example does: ``{"description": ...}`` or
``{"candidate": ...}`` in the spelling of ``toJSON()``. So this is all that a browser needs::

    const socket = new WebSocket(`ws://${location.host}/?room=lobby`);
    const pc = new RTCPeerConnection();
    const say = (data) => socket.send(JSON.stringify({data}));
    pc.onicecandidate = ({candidate}) => say({candidate});
    socket.onmessage = async ({data: text}) => {
      const {type, data} = JSON.parse(text);
      if (type !== "message") return;
      if (data.candidate !== undefined) return pc.addIceCandidate(data.candidate);
      await pc.setRemoteDescription(data.description);
      if (data.description.type !== "offer") return;
      await pc.setLocalDescription();
      say({description: pc.localDescription});
    };

The server ends a connection with a close code that says why: 4400 (not a message of this format), 4404 (no
room named, or its name too long), 4408 (messages not taken, or pings not answered), 4503 (room or server full),
1009 (message too big), 1002 and 1007 (frames that break RFC 6455). A client that sends more quickly than allowed is
not dismissed but read more slowly. A browser's page may connect when it was served by the same host under a name that
the server knows (``ServerOptions.hosts``), or when its origin is in ``ServerOptions.origins``.
"""

from trio_rtc._strict_names.checks import check_public_arguments as _check_public_arguments

from .client import SignalingError, connect
from .http import Page
from .membership import Peer, Room
from .messages import CloseCode, JsonObject
from .negotiation import negotiate
from .options import ClientOptions, ServerOptions
from .rooms import RoomLimits
from .server import ServerCounts, SignalingServer, serve

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
