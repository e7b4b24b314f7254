"""A host on the simulated network: what a peer connection is given in place of the system's network."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import trio

from trio_rtc.protocols._contract import Address
from trio_rtc.transports.network import InterfaceAddress

from .packet import DropReason, Packet
from .segment import Segment

if TYPE_CHECKING:
    from .carrier import Carrier

BATCH_LIMIT = 64
RECEIVE_BUFFER = 256 * 1024
_EPHEMERAL_PORTS = range(49_152, 65_536)

Service = Callable[[bytes, Address, Address], Iterable[tuple[bytes, Address]]]
"""Answers a datagram: ``(data, source, destination) -> [(data, destination)]``."""


class SimulatedSocket:
    """A UDP socket on a simulated host; has the shape of ``trio_rtc.transports.network.DatagramSocket``."""

    def __init__(self, host: SimulatedHost, address: Address, receive_buffer: int) -> None:
        self._host = host
        self._address = address
        self._receive_buffer = receive_buffer
        self._queue: deque[tuple[Address, bytes]] = deque()
        self._queued_bytes = 0
        self._waiting = trio.lowlevel.ParkingLot()
        self._closed = False
        self._unsendable = 0

    @property
    def unsendable(self) -> int:
        """How many datagrams were lost because the socket was closed; the network's trace has what got lost later."""
        return self._unsendable

    @property
    def local_address(self) -> Address:
        """The address that the socket is bound to."""
        return self._address

    @property
    def arrival_times(self) -> Sequence[float]:
        """Nothing: virtual time stands still between a packet's arrival and its reader's turn."""
        return ()

    def enable_arrival_times(self) -> None:
        """Go on as before."""

    @property
    def host(self) -> SimulatedHost:
        """The host that the socket belongs to."""
        return self._host

    async def receive_batch(self) -> Sequence[tuple[Address, list[bytes]]]:
        """Wait for datagrams, then return up to 64 of them, grouped by sender in the order of arrival.

        Raises:
            trio.ClosedResourceError: The socket was closed.
        """
        if self._queue:
            await trio.lowlevel.checkpoint()
        while not self._queue:
            if self._closed:
                raise trio.ClosedResourceError
            await self._waiting.park()
        runs: list[tuple[Address, list[bytes]]] = []
        for _ in range(min(BATCH_LIMIT, len(self._queue))):
            source, data = self._queue.popleft()
            self._queued_bytes -= len(data)
            if runs and runs[-1][0] == source:
                runs[-1][1].append(data)
            else:
                runs.append((source, [data]))
        return runs

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        """Send datagrams; those that cannot reach ``remote`` are lost without a word, and so are all after ``close``.

        Returns:
            ``True``: a simulated socket has always room.
        """
        if self._closed:
            self._unsendable += len(batch)
        else:
            self._host.send(batch, self._address, remote)
        return True

    async def drain(self) -> None:
        """Do nothing, for there is always room."""
        await trio.lowlevel.checkpoint()

    async def send_batch(self, batch: Sequence[bytes], remote: Address) -> None:
        """Send datagrams as ``send_nowait`` does, with a checkpoint: for tests that speak for themselves.

        Raises:
            trio.ClosedResourceError: The socket was closed.
        """
        await trio.lowlevel.checkpoint()
        if self._closed:
            raise trio.ClosedResourceError
        self.send_nowait(batch, remote)

    def close(self) -> None:
        """Close the socket; what it had received is lost."""
        if self._closed:
            return
        self._closed = True
        self._queue.clear()
        self._host.release(self)
        self._waiting.unpark_all()

    def deliver(self, data: bytes, source: Address) -> bool:
        """Put a datagram into the receive buffer; return whether there was room."""
        if self._queued_bytes + len(data) > self._receive_buffer:
            return False
        self._queued_bytes += len(data)
        self._queue.append((source, data))
        if self._waiting:
            self._waiting.unpark_all()
        return True


class SimulatedHost:
    """A host; has the shape of ``trio_rtc.transports.network.Network``.

    Hosts are made by ``SimulatedNetwork.add_host``.

    Attributes:
        name: The host's name on the network, for links, partitions and the trace.
        segment: The segment that the host is in.
    """

    def __init__(
        self,
        name: str,
        segment: Segment,
        carrier: Carrier,
        names: Mapping[str, Sequence[str]],
        *,
        receive_buffer: int,
    ) -> None:
        self.name = name
        self.segment = segment
        self._carrier = carrier
        self._names = names
        self._receive_buffer = receive_buffer
        self._interfaces: dict[str, str] = {}
        self._down: set[str] = set()
        self._sockets: dict[Address, SimulatedSocket] = {}
        self._memberships: dict[SimulatedSocket, Address] = {}
        self._services: dict[int, Service] = {}
        self._next_port = 0

    @property
    def open_sockets(self) -> tuple[SimulatedSocket, ...]:
        """The sockets that are open: what a test looks at to see that nothing was left behind."""
        return tuple(dict.fromkeys((*self._sockets.values(), *self._memberships)))

    def interface_addresses(self) -> Sequence[InterfaceAddress]:
        """Return the addresses of the interfaces that are up."""
        indices = {name: index for index, name in enumerate(dict.fromkeys(self._interfaces.values()), 1)}
        return [
            InterfaceAddress(name, host, indices[name] if host.startswith("fe80") else 0)
            for host, name in self._interfaces.items()
            if name not in self._down
        ]

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> SimulatedSocket:
        """Bind a UDP socket on one address; port 0 takes a free one.

        Raises:
            OSError: The host does not have the address, the port is taken, or the network has ended.
            RuntimeError: The network has never run.
        """
        await trio.lowlevel.checkpoint()
        self._require_interface(interface)
        address = Address(interface.host, port or self._free_port(interface.host))
        if address in self._sockets or address.port in self._services:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        opened = self._sockets[address] = SimulatedSocket(self, address, self._receive_buffer)
        return opened

    async def open_multicast(self, interface: InterfaceAddress, group: Address) -> SimulatedSocket:
        """Open a socket that hears a multicast group, and what is sent to its own address and port.

        A group reaches the hosts of one segment: those behind the same NAT, or those behind none.

        Raises:
            OSError: The host does not have the address, or the network has ended.
            RuntimeError: The network has never run.
        """
        await trio.lowlevel.checkpoint()
        self._require_interface(interface)
        address = Address(interface.host, group.port)
        opened = SimulatedSocket(self, address, self._receive_buffer)
        self._sockets.setdefault(address, opened)
        self._memberships[opened] = group
        self.segment.groups.setdefault(group, []).append(opened)
        return opened

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Look up a name that was given to ``SimulatedNetwork.add_name``.

        Raises:
            OSError: The name is not known.
        """
        await trio.lowlevel.checkpoint()
        try:
            return [Address(str(ipaddress.ip_address(host)), port)]
        except ValueError:
            pass
        addresses = self._names.get(host.lower().rstrip("."), ())
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, f"the simulated network does not know {host!r}")
        return [Address(address, port) for address in addresses]

    def set_interface(self, name: str, *, up: bool) -> None:
        """Plug or unplug an interface. Sockets on it stay open, but nothing comes or goes.

        Raises:
            ValueError: There is no such interface.
        """
        if name not in self._interfaces.values():
            raise ValueError(f"{self.name} has no interface {name!r}")
        if up:
            self._down.discard(name)
        else:
            self._down.add(name)

    def add_address(self, interface: str, host: str) -> None:
        """Give the host a further address.

        Raises:
            ValueError: The address is not numeric, or is taken.
        """
        host = str(ipaddress.ip_address(host))
        self.segment.claim(host, self)
        self._interfaces[host] = interface

    def remove_address(self, host: str) -> None:
        """Take an address away from the host. Sockets on it stay open, but nothing comes or goes.

        Raises:
            ValueError: The host does not have the address.
        """
        if host not in self._interfaces:
            raise ValueError(f"{self.name} does not have {host}")
        del self._interfaces[host]
        self.segment.release(host)

    def add_service(self, port: int, service: Service) -> None:
        """Answer all datagrams to a port, on every address, by a function instead of a socket.

        Raises:
            OSError: The port is taken.
        """
        if port in self._services or any(address.port == port for address in self._sockets):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self._services[port] = service

    def send(self, batch: Sequence[bytes], source: Address, destination: Address) -> None:
        """Hand datagrams to the network (called by the host's sockets)."""
        self._carrier.send(self, batch, source, destination, reachable=self._is_up(source.host))

    def deliver(self, packet: Packet) -> DropReason | None:
        """Take a packet from the network (called by it); return why it was dropped, if it was."""
        if not self._is_up(packet.destination.host):
            return DropReason.INTERFACE_DOWN
        receiver = self._sockets.get(packet.destination)
        if receiver is not None:
            accepted = receiver.deliver(packet.data, packet.source)
            return None if accepted else DropReason.RECEIVE_BUFFER_FULL
        service = self._services.get(packet.destination.port)
        if service is None:
            return DropReason.PORT_UNREACHABLE
        for data, remote in service(packet.data, packet.source, packet.destination):
            self.send([data], packet.destination, remote)
        return None

    def deliver_multicast(self, member: SimulatedSocket, packet: Packet) -> DropReason | None:
        """Take a packet for one member of a multicast group; return why it was dropped, if it was."""
        if member not in self._memberships:
            return DropReason.PORT_UNREACHABLE
        if not self._is_up(member.local_address.host):
            return DropReason.INTERFACE_DOWN
        return None if member.deliver(packet.data, packet.source) else DropReason.RECEIVE_BUFFER_FULL

    def release(self, closed: SimulatedSocket) -> None:
        """Forget a socket (called by it when it is closed)."""
        if self._sockets.get(closed.local_address) is closed:
            del self._sockets[closed.local_address]
        group = self._memberships.pop(closed, None)
        if group is not None:
            self.segment.groups[group].remove(closed)

    def _is_up(self, host: str) -> bool:
        interface = self._interfaces.get(host)
        return interface is not None and interface not in self._down

    def _require_interface(self, interface: InterfaceAddress) -> None:
        if not self._carrier.started:
            raise RuntimeError("the simulated network is not running: use it in 'async with network:'")
        if not self._carrier.running:
            # A cancelled network may end before connections whose gathering is shielded: as when a system's is down.
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
        if not self._is_up(interface.host):
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))

    def _free_port(self, host: str) -> int:
        for _ in _EPHEMERAL_PORTS:
            port = _EPHEMERAL_PORTS[self._next_port]
            self._next_port = (self._next_port + 1) % len(_EPHEMERAL_PORTS)
            if Address(host, port) not in self._sockets and port not in self._services:
                return port
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
