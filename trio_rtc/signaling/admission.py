"""Admission of connections to a server, and displacement when there are too many. Pure.

A connection is *pending* until its opening handshake is complete, and *open* afterwards. Pending connections cost an
attacker only a TCP connection, so they never block a newcomer: it displaces the oldest one of its own address, or of
the address with the most. A newcomer can be blocked only by filling the whole table within the time of a handshake.
Open connections are never displaced; when there are as many as allowed, further handshakes are rejected.

The rate of new connections of each address is limited before that, which bounds the cost of connections (a TLS
handshake, parsing a request).
"""

import ipaddress
from collections.abc import Callable
from http import HTTPStatus

from trio_rtc import _attrs as attrs

from .options import ServerOptions
from .token_bucket import TokenBucket

_IPV6_NETWORK_BITS = 64
MAX_RATED_SOURCES = 4096
"""Maximum addresses whose rate of new connections is recorded."""


class ConnectionRateLimiter:
    """Limits the rate of new connections of each address, with token buckets in a table of bounded size.

    A rejected connection consumes no token, so that an address that keeps trying is still admitted at the allowed rate.
    When the table is full, the least recently used bucket is removed; a flooding address keeps its own in use.
    """

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        # Ordered by last use.
        self._buckets: dict[str, TokenBucket] = {}

    def admit(self, source: str | None, now: float) -> bool:
        """Record a new connection at time ``now`` in seconds; return whether its address may connect.

        ``source`` is the result of ``source_of``. Connections without an address are always admitted.
        """
        if source is None:
            return True
        bucket = self._buckets.pop(source, None)
        if bucket is None:
            bucket = TokenBucket(self._options.connection_rate, self._options.connection_burst)
            if len(self._buckets) >= MAX_RATED_SOURCES:
                del self._buckets[next(iter(self._buckets))]
        self._buckets[source] = bucket
        return bucket.admit(now)

    def __len__(self) -> int:
        return len(self._buckets)


@attrs.define(eq=False)
class TrackedConnection:
    """A connection of an address or IPv6 network, open when its handshake is complete; ``displace`` closes it."""

    source: str | None
    displace: Callable[[], None]
    is_open: bool = False


class ConnectionTable:
    """All connections of a server."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        # Ordered by arrival within each source.
        self._pending: dict[str | None, dict[TrackedConnection, None]] = {}
        self._pending_count = 0
        self._open: dict[str | None, int] = {}
        self._open_count = 0

    def add(self, source: str | None, displace: Callable[[], None]) -> TrackedConnection:
        """Record a new connection from a ``source`` (see ``source_of``); displace another one if there is no room."""
        own = self._pending.get(source, {})
        if source is not None and len(own) >= self._options.max_handshakes_per_address:
            self._displace_oldest(source)
        elif self._pending_count >= self._options.max_handshakes:
            self._displace_oldest(max(self._pending, key=lambda each: len(self._pending[each])))
        connection = TrackedConnection(source, displace)
        self._pending.setdefault(source, {})[connection] = None
        self._pending_count += 1
        return connection

    def open(self, connection: TrackedConnection) -> HTTPStatus | None:
        """Move a connection from pending to open, or return the status with which to reject it."""
        source = connection.source
        if source is not None and self._open.get(source, 0) >= self._options.max_connections_per_address:
            return HTTPStatus.TOO_MANY_REQUESTS
        if self._open_count >= self._options.max_connections:
            return HTTPStatus.SERVICE_UNAVAILABLE
        self._remove_pending(connection)
        connection.is_open = True
        self._open_count += 1
        self._open[source] = self._open.get(source, 0) + 1
        return None

    def remove(self, connection: TrackedConnection) -> None:
        """Remove a connection that has ended. Idempotent for a displaced one."""
        if not connection.is_open:
            self._remove_pending(connection)
            return
        connection.is_open = False
        self._open_count -= 1
        self._open[connection.source] -= 1
        if not self._open[connection.source]:
            del self._open[connection.source]

    def _displace_oldest(self, source: str | None) -> None:
        oldest = next(iter(self._pending[source]))
        self._remove_pending(oldest)
        oldest.displace()

    def _remove_pending(self, connection: TrackedConnection) -> None:
        pending = self._pending.get(connection.source, {})
        if connection not in pending:
            return
        del pending[connection]
        self._pending_count -= 1
        if not pending:
            del self._pending[connection.source]


def source_of(address: str | None) -> str | None:
    """Return the key under which the connections of an address are counted.

    It is the address, or for IPv6 the /64 network, since a single host can use all of its addresses.
    """
    if address is None:
        return None
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _IPV6_NETWORK_BITS), strict=False))
