"""Options of signaling servers and clients."""

from trio_rtc import _attrs as attrs

from .server_rooms import RoomLimits


@attrs.frozen
class ServerOptions:
    """The limits of a server.

    Attributes:
        limits: Bounds of the rooms.
        max_connections: Maximum WebSockets. Further handshakes are rejected (503).
        max_connections_per_address: Maximum WebSockets from one IPv4 address or one IPv6 /64 network. Further
            handshakes are rejected (429). Behind a reverse proxy all connections have the proxy's address: set it to
            ``max_connections`` there, and limit connections in the proxy.
        connection_rate: New connections per second from one IPv4 address or one IPv6 /64 network in the long run,
            requests for pages included. Further ones are closed before TLS; without TLS they are answered with 429.
            Behind a reverse proxy set ``connection_burst`` to ``math.inf``, and limit the rate in the proxy.
        connection_burst: New connections from one address at once.
        max_handshakes: Maximum connections whose HTTP request or handshake is incomplete. A further connection
            displaces the oldest one of the address that has the most.
        max_handshakes_per_address: The same for one address; its oldest connection is displaced.
        max_message_size: Maximum characters of a message.
        message_rate: Messages per second that a member may send in the long run.
        message_burst: Messages that a member may send at once.
        byte_rate: Bytes per second that a connection may send in the long run, TLS and framing included.
        byte_burst: Bytes that a connection may send at once.
        frame_rate: Frames per second that a member may send in the long run: fragments of messages, pings and pongs
            included. The rate of reads from the network has the same limit.
        frame_burst: Frames that a member may send at once.
        handshake_timeout: Seconds for TLS, the HTTP request and the WebSocket handshake together.
        close_timeout: Seconds for the closing handshake.
        ping_interval: Seconds between two pings.
        ping_timeout: Seconds for the answer to a ping.
        origins: The origins ("https://example.org") whose pages may connect, ``None`` for pages of this host only, or a
            set with ``"*"`` for all. Programs, which send no ``Origin``, may always connect.
        hosts: Names of this host ("signaling.example.org"), for ``origins=None``. IP addresses, ``localhost`` and the
            ``host`` passed to ``serve`` need not be listed; ``"*"`` allows any name, and exposes the server to DNS
            rebinding.
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
    """The bounds and timeouts of a client.

    Attributes:
        max_message_size: Maximum characters of a message from the server.
        queued_messages: Maximum messages of one peer in its queue. If a peer sends more, only its channel breaks.
        max_peers: Maximum peers. A server that announces more violates the protocol.
        connect_timeout: Seconds for each of the connection, its handshake and the welcome.
        close_timeout: Seconds for pending messages and the closing handshake.
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
