"""What a signaling server allows and what a client waits for."""

import attrs

from .rooms import RoomLimits


@attrs.frozen
class ServerOptions:
    """What a server allows.

    Attributes:
        limits: Bounds of the rooms.
        max_connections: WebSockets at once. Further handshakes are refused (503).
        max_connections_per_address: WebSockets at once from one IPv4 address or one IPv6 /64 network. Further
            handshakes are refused (429). Behind a reverse proxy all connections have the proxy's address: set it to
            ``max_connections`` there, and let the proxy count.
        connection_rate: New connections a second from one IPv4 address or one IPv6 /64 network in the long run,
            requests for pages included. Further ones are closed before TLS; without TLS they are answered with 429.
            Behind a reverse proxy set ``connection_burst`` to ``math.inf``, and let the proxy count.
        connection_burst: New connections that may come from one address at once.
        max_handshakes: Connections at once whose HTTP request or handshake is not complete. A further connection takes
            the place of the oldest one from the address that has the most.
        max_handshakes_per_address: The same from one address; the oldest one of this address goes.
        max_message_size: Characters of one message.
        message_rate: Messages a second that a member may send in the long run.
        message_burst: Messages that a member may send at once.
        byte_rate: Bytes a second that a connection may send in the long run, TLS and framing included.
        byte_burst: Bytes that a connection may send at once.
        frame_rate: Frames a second that a member may send in the long run: fragments of messages, pings and pongs
            included. As many reads from the network are allowed.
        frame_burst: Frames that a member may send at once.
        handshake_timeout: Seconds for TLS, the HTTP request and the WebSocket handshake, together.
        close_timeout: Seconds for the closing handshake.
        ping_interval: Seconds between two pings.
        ping_timeout: Seconds for the answer to a ping.
        origins: The origins ("https://example.org") whose pages may connect, ``None`` for pages of this very
            host, or a set with ``"*"`` for all. Programs, which send no ``Origin``, always may.
        hosts: Names of this host ("signaling.example.org"), for ``origins=None``. IP addresses, ``localhost`` and the
            ``host`` given to ``serve`` need not be listed; ``"*"`` is any name, and opens the server to DNS rebinding.
    """

    limits: RoomLimits = attrs.field(factory=RoomLimits)
    max_connections: int = 1000
    max_connections_per_address: int = 100
    connection_rate: float = 20.0
    connection_burst: float = 200.0
    max_handshakes: int = 256
    max_handshakes_per_address: int = 32
    max_message_size: int = 65_536
    message_rate: float = 50.0
    message_burst: float = 200.0
    byte_rate: float = 262_144.0
    byte_burst: float = 1_048_576.0
    frame_rate: float = 200.0
    frame_burst: float = 1000.0
    handshake_timeout: float = 10.0
    close_timeout: float = 2.0
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    origins: frozenset[str] | None = None
    hosts: frozenset[str] = frozenset()


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
