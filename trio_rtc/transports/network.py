"""What the transports need of a network, so that a simulated one can stand in for the host's.

``SystemNetwork`` (in :mod:`trio_rtc.transports.udp`) is the real one; ``trio_rtc.testing`` has a simulated one.
"""

from collections.abc import Sequence
from typing import Protocol

import attrs

from trio_rtc.protocols._contract import Address


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
    """A bound UDP socket that takes and gives batches."""

    @property
    def local_address(self) -> Address:
        """The address that the socket is bound to."""

    @property
    def unsendable(self) -> int:
        """How many datagrams were lost on this side: no route, too long, too many kept, or the socket was closed."""

    @property
    def arrival_times(self) -> Sequence[float]:
        """When each packet of the last batch came, on trio's clock; empty where nobody knows better than now."""

    def enable_arrival_times(self) -> None:
        """Note from now on when packets come, where the system tells it: it has a price, and only media needs it."""

    async def receive_batch(self) -> Sequence[tuple[Address, list[bytes]]]:
        """Wait for datagrams, then return all that are there (at most about 64), grouped by sender.

        Runs of datagrams from one sender are one item; the order of arrival is kept.

        Raises:
            trio.ClosedResourceError: The socket was closed.
        """

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        """Send datagrams to ``remote`` without waiting.

        A failure to reach ``remote`` (no route, connection refused) is not an error: datagrams may be lost. What is
        sent on a closed socket is lost too: it may have been closed in the turn in which its owner sends.

        Returns:
            Whether all have left. If not, the rest is kept, and ``drain`` waits until that has left too.
        """

    async def drain(self) -> None:
        """Wait until what ``send_nowait`` has kept has left.

        Raises:
            trio.ClosedResourceError: The socket was closed.
        """

    def close(self) -> None:
        """Close the socket. Whoever waits in ``receive_batch`` gets ``trio.ClosedResourceError``."""


class Network(Protocol):
    """A host's view of a network."""

    def interface_addresses(self) -> Sequence[InterfaceAddress]:
        """Return the addresses of this host, loopback and link-local ones included."""

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> DatagramSocket:
        """Bind a UDP socket on one address.

        Raises:
            OSError: The address or port cannot be had.
        """

    async def open_multicast(self, interface: InterfaceAddress, group: Address) -> DatagramSocket:
        """Open a socket that is member of a multicast group and can send to it (for mDNS).

        Raises:
            OSError: Multicast is not to be had on this interface.
        """

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Look up the numeric addresses of a host name (numeric ones are returned as they are).

        Raises:
            OSError: The name does not resolve.
        """
