"""The multicast DNS transport: resolves the ``.local`` names of remote candidates on the local networks."""

import logging
import random
from collections.abc import Callable, Sequence

import trio

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.mdns import (
    GROUP_IPV4,
    GROUP_IPV6,
    PORT,
    MdnsClosed,
    MdnsEvent,
    NameResolved,
    ResolutionFailed,
    Resolver,
    ResolverOptions,
)

from .base import Inbox, Transport
from .network import DatagramSocket, InterfaceAddress, Network
from .udp import UdpTransport

logger = logging.getLogger("trio_rtc.mdns")

_IPV4_GROUP = Address(GROUP_IPV4, PORT)
_IPV6_GROUP = Address(GROUP_IPV6, PORT)


class MdnsTransport(Transport[list[bytes], bytes, MdnsEvent]):
    """Drives a resolver over a multicast socket on every interface. Created with the first name."""

    def __init__(
        self,
        network: Network,
        interfaces: Sequence[InterfaceAddress],
        rng: random.Random,
        report: Callable[[str, Sequence[str]], None],
    ) -> None:
        self.resolver = Resolver(ResolverOptions(), rng=rng)
        super().__init__(self.resolver, Inbox[list[bytes]]())
        self._network = network
        self._interfaces = interfaces
        self._report = report
        self._sockets: list[tuple[DatagramSocket, Address]] = []

    @property
    def unsendable(self) -> int:
        """Number of queries that the sockets could not send."""
        return sum(datagram_socket.unsendable for datagram_socket, _ in self._sockets)

    def resolve(self, name: str) -> None:
        """Resolve a name; its addresses are reported, none if it does not resolve."""
        self.resolver.resolve(name, trio.current_time())
        self.wake()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open the sockets and resolve until cancelled."""
        async with trio.open_nursery() as nursery:
            for interface in self._interfaces:
                group = _IPV6_GROUP if interface.is_ipv6 else _IPV4_GROUP
                try:
                    datagram_socket = await self._network.open_multicast(interface, group)
                except OSError as error:
                    logger.info("cannot open a multicast socket on %s: %s", interface.host, error)
                    continue
                self._sockets.append((datagram_socket, group))
                nursery.start_soon(UdpTransport(datagram_socket, self._receive_packets).run)
            await super().run(task_status=task_status)
            nursery.cancel_scope.cancel()

    def _receive_packets(
        self, local: Address, remote: Address, packets: list[bytes], now: float, arrivals: Sequence[float]
    ) -> None:
        # RFC 6762 section 6: responses from another source port must be ignored.
        if remote.port == PORT:
            self._inbox.push(packets, len(packets), now)

    def _receive(self, item: list[bytes], now: float) -> None:
        self.resolver.receive(item, now)

    def _handle(self, event: MdnsEvent, now: float) -> None:
        match event:
            case NameResolved():
                self._report(event.name, event.hosts)
            case ResolutionFailed():
                self._report(event.name, ())
            case MdnsClosed():
                pass

    def _send_down(self, datagrams: list[bytes], now: float) -> bool:
        # A loop, because all() would skip the sockets after a full one.
        all_sent = True
        for datagram_socket, group in self._sockets:
            all_sent &= datagram_socket.send_nowait(datagrams, group)
        return all_sent

    async def _drain(self) -> None:
        for datagram_socket, _ in self._sockets:
            await datagram_socket.drain()

    def _close_upper_inboxes(self) -> None:
        """No layer is above."""
