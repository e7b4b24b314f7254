"""The network interface of the transports, so that a simulated network can replace the host's.

``SystemNetwork`` (in :mod:`trio_rtc.transports.udp`) is the host's network; ``trio_rtc.testing`` has a simulated one.

``DatagramSocket`` is also the interface of sockets that are not UDP: an allocation on a TURN server, whose local
address is the relayed transport address, and a TCP candidate (RFC 6544), which frames its packets (RFC 4571). The
local address identifies the socket in an ICE transport.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from trio_rtc import _attrs as attrs
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.protocols._contract import Address


@strict_class
@attrs.frozen
class InterfaceAddress:
    """An address of this host.

    Attributes:
        name: Name of the interface ("eth0").
        host: Numeric IPv4 or IPv6 address, without scope.
        scope_id: The interface's index, which a link-local IPv6 address needs; otherwise 0.
    """

    name: str
    host: str
    scope_id: int = 0

    @property
    def is_ipv6(self) -> bool:
        """Whether this is an IPv6 address."""
        return ":" in self.host


class DatagramSocket(Protocol):
    """A bound socket that sends and receives batches of datagrams."""

    @property
    def local_address(self) -> Address:
        """Local address of the socket; of a relayed socket, the relayed transport address."""

    @property
    def unsendable(self) -> int:
        """Number of datagrams lost locally: no route, too long, queue full, or the socket was closed."""

    @property
    def arrival_times(self) -> Sequence[float]:
        """Arrival time of each packet of the last batch, on trio's clock; empty if not known."""

    def enable_arrival_times(self) -> None:
        """Enable ``arrival_times`` where the system supports it. They have a cost, and only media needs them."""

    async def receive_batch(self) -> Sequence[tuple[Address, list[bytes]]]:
        """Wait for datagrams and return all that have arrived (at most about 64), grouped by sender.

        Consecutive datagrams from one sender are one item; the order of arrival is kept.

        Raises:
            trio.ClosedResourceError: The socket was closed.
        """

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        """Send datagrams to ``remote`` without waiting.

        A failure to reach ``remote`` (no route, connection refused) raises no error, and the datagrams are lost.
        Datagrams sent on a closed socket are lost, too: it may have been closed in the same scheduler turn.

        Returns:
            Whether all are sent. If not, the rest is queued, and ``drain`` waits until it is sent.
        """

    async def drain(self) -> None:
        """Wait until the datagrams queued by ``send_nowait`` are sent.

        Raises:
            trio.ClosedResourceError: The socket was closed.
        """

    def close(self) -> None:
        """Close the socket. A waiting ``receive_batch`` raises ``trio.ClosedResourceError``."""


class StreamSocket(Protocol):
    """A TCP connection, or TLS on one."""

    @property
    def local_address(self) -> Address:
        """Local address of the connection."""

    @property
    def room(self) -> int:
        """Number of bytes that ``send_nowait`` accepts without dropping a message."""

    @property
    def unsendable(self) -> int:
        """Number of messages that were dropped: the queue was full, or the connection has ended."""

    async def receive_some(self) -> bytes:
        """Wait for the next bytes; none at the end of the stream.

        Raises:
            trio.ClosedResourceError: The connection was closed here.
            OSError: It was reset.
        """

    def send_nowait(self, batch: Sequence[bytes]) -> bool:
        """Send messages without waiting. A message that the queue has no room for is dropped whole.

        Returns:
            Whether all are sent. If not, the rest is queued, and ``drain`` waits until it is sent.
        """

    async def drain(self) -> None:
        """Wait until the queue is empty.

        Raises:
            trio.ClosedResourceError: The connection was closed.
        """

    def close(self) -> None:
        """Close the connection. A waiting ``receive_some`` raises ``trio.ClosedResourceError``."""


BindSocket = Callable[[], Awaitable[DatagramSocket]]
"""Binds a UDP socket on one interface, with a port of ``Settings.port_range``; raises ``OSError``."""


class Network(Protocol):
    """The network of a host."""

    def interface_addresses(self) -> Sequence[InterfaceAddress]:
        """Return the addresses of this host, including loopback and link-local ones."""

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> DatagramSocket:
        """Bind a UDP socket on one address.

        Raises:
            OSError: The address or port is not available.
        """

    async def connect_tcp(self, interface: InterfaceAddress, remote: Address) -> StreamSocket:
        """Open a TCP connection from one address.

        Raises:
            OSError: The address is not available, or the connection was refused. Time-outs are the caller's.
        """

    async def open_multicast(self, interface: InterfaceAddress, group: Address) -> DatagramSocket:
        """Open a socket that has joined a multicast group and can send to it (for mDNS).

        Raises:
            OSError: The interface does not support multicast.
        """

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Resolve a host name to numeric addresses (a numeric one is returned unchanged).

        Raises:
            OSError: The name does not resolve.
        """
