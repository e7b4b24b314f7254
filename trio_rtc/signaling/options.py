"""What a signaling server allows and what a client waits for."""

import attrs

from .rooms import RoomLimits


@attrs.frozen
class ServerOptions:
    """What a server allows.

    Attributes:
        limits: Bounds of the rooms.
        max_connections: Connections at once, those that are still shaking hands included.
        max_message_size: Characters of one message.
        message_rate: Messages a second that a member may send in the long run.
        message_burst: Messages that a member may send at once.
        handshake_timeout: Seconds for the HTTP request and for the WebSocket handshake, each.
        close_timeout: Seconds for the closing handshake.
        ping_interval: Seconds between two pings.
        ping_timeout: Seconds for the answer to a ping.
        origins: The origins ("https://example.org") whose pages may connect, ``None`` for pages of this very
            host, or a set with ``"*"`` for all. Programs, which send no ``Origin``, always may.
    """

    limits: RoomLimits = attrs.field(factory=RoomLimits)
    max_connections: int = 1000
    max_message_size: int = 65_536
    message_rate: float = 50.0
    message_burst: float = 200.0
    handshake_timeout: float = 10.0
    close_timeout: float = 2.0
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    origins: frozenset[str] | None = None


@attrs.frozen
class ClientOptions:
    """What a client waits for and keeps.

    Attributes:
        max_message_size: Characters of one message from the server.
        queued_messages: Messages of one peer that wait to be received. When a peer sends more, its channel
            breaks and the others go on.
        max_peers: Peers at once. A server that announces more is not trusted any further.
        connect_timeout: Seconds for the connection and its handshake.
        close_timeout: Seconds for what is still to be sent and the closing handshake.
        ping_interval: Seconds between two pings.
        ping_timeout: Seconds for the answer to a ping.
    """

    max_message_size: int = 131_072
    queued_messages: int = 1000
    max_peers: int = 1000
    connect_timeout: float = 20.0
    close_timeout: float = 2.0
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
