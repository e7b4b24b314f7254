"""Which connections a server has, and which of them goes when there are too many. Pure.

A connection is *pending* until its opening handshake is complete, and *open* from then on. Pending connections cost
an attacker nothing but a TCP connection, so they never keep a newcomer out: the newcomer takes the place of the
oldest one of its own address, or of the address that has the most. A newcomer can therefore be kept out only by
somebody who fills the whole table within the time that a handshake takes. Open connections stay; when there are as
many as allowed, further handshakes are refused.

How often an address may connect is bounded before all that, so that what each connection costs (a TLS handshake, the
parsing of a request) is spent at a bounded rate.
"""

import ipaddress
from collections.abc import Callable
from http import HTTPStatus

import attrs

from .options import ServerOptions
from .rate import TokenBucket

_IPV6_NETWORK_BITS = 64
MAX_RATED_SOURCES = 4096
"""Addresses whose rate of new connections is recorded."""


class ConnectionRates:
    """Rate of new connections of each address, as token buckets in a table of bounded size.

    A refused connection takes no token, so an address that keeps trying is still admitted at the allowed rate. When the
    table is full, the bucket goes that was used longest ago: an address that floods keeps its own in use.

    Args:
        options: How often an address may connect.
    """

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        # Ordered by their last use.
        self._buckets: dict[str, TokenBucket] = {}

    def admit(self, source: str | None, now: float) -> bool:
        """Record a new connection at time ``now`` (seconds); return whether its address may connect.

        Args:
            source: From ``source_of``. Connections without an address are all admitted.
            now: The current time.
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
        """Return for how many addresses a rate is recorded."""
        return len(self._buckets)


@attrs.define(eq=False)
class Admitted:
    """A connection in the table.

    Attributes:
        source: The address that it is counted for, or the network of an IPv6 address; ``None`` if it has none.
    """

    source: str | None
    displace: Callable[[], None]
    is_open: bool = False


class ConnectionTable:
    """All connections of a server.

    Args:
        options: How many there may be.
    """

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        # Ordered by arrival within each source.
        self._pending: dict[str | None, dict[Admitted, None]] = {}
        self._pending_count = 0
        self._open: dict[str | None, int] = {}
        self._open_count = 0

    def add(self, source: str | None, displace: Callable[[], None]) -> Admitted:
        """Record a new connection, and displace another one if there is no room for it.

        Args:
            source: From ``source_of``.
            displace: Ends the new connection, later.
        """
        own = self._pending.get(source, {})
        if source is not None and len(own) >= self._options.max_handshakes_per_address:
            self._displace_oldest(source)
        elif self._pending_count >= self._options.max_handshakes:
            self._displace_oldest(max(self._pending, key=lambda each: len(self._pending[each])))
        admitted = Admitted(source, displace)
        self._pending.setdefault(source, {})[admitted] = None
        self._pending_count += 1
        return admitted

    def open(self, admitted: Admitted) -> HTTPStatus | None:
        """Move a connection from pending to open, or return the status to refuse it with."""
        source = admitted.source
        if source is not None and self._open.get(source, 0) >= self._options.max_connections_per_address:
            return HTTPStatus.TOO_MANY_REQUESTS
        if self._open_count >= self._options.max_connections:
            return HTTPStatus.SERVICE_UNAVAILABLE
        self._remove_pending(admitted)
        admitted.is_open = True
        self._open_count += 1
        self._open[source] = self._open.get(source, 0) + 1
        return None

    def remove(self, admitted: Admitted) -> None:
        """Remove a connection that has ended. Idempotent for one that was displaced."""
        if not admitted.is_open:
            self._remove_pending(admitted)
            return
        admitted.is_open = False
        self._open_count -= 1
        self._open[admitted.source] -= 1
        if not self._open[admitted.source]:
            del self._open[admitted.source]

    def _displace_oldest(self, source: str | None) -> None:
        oldest = next(iter(self._pending[source]))
        self._remove_pending(oldest)
        oldest.displace()

    def _remove_pending(self, admitted: Admitted) -> None:
        pending = self._pending.get(admitted.source, {})
        if admitted not in pending:
            return
        del pending[admitted]
        self._pending_count -= 1
        if not pending:
            del self._pending[admitted.source]


def source_of(address: str | None) -> str | None:
    """Return what the connections of an address are counted for.

    That is the address, or of IPv6 the /64 network: a single host can use all addresses of one.
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
