"""Hosts and sockets on the simulated network, which replace the system's network."""

import errno
import ipaddress
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NoReturn

import trio

from trio_rtc._strict_names.argument_types import check_fields
from trio_rtc.protocols._contract import Address
from trio_rtc.transports.network import InterfaceAddress

from .nat import Segment
from .packet import DropReason, Packet
from .router import Router

BATCH_LIMIT = 64
RECEIVE_BUFFER = 256 * 1024
_EPHEMERAL_PORTS = range(49_152, 65_536)

Service = Callable[[bytes, Address, Address], Iterable[tuple[bytes, Address]]]
"""A function that answers datagrams: ``(data, source, destination) -> [(data, destination)]``."""


class SimulatedSocket:
    """A UDP socket on a simulated host, with the interface of ``trio_rtc.transports.network.DatagramSocket``."""

    def __init__(self, host: "SimulatedHost", address: Address, receive_buffer: int) -> None:
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
        """The count of datagrams that were lost because the socket was closed; the network's trace has later losses."""
        return self._unsendable

    @property
    def local_address(self) -> Address:
        """The address to which the socket is bound."""
        return self._address

    @property
    def arrival_times(self) -> Sequence[float]:
        """Empty: virtual time does not advance between a packet's arrival and its receipt."""
        return ()

    def enable_arrival_times(self) -> None:
        """Do nothing; arrival times are always exact."""

    @property
    def host(self) -> "SimulatedHost":
        """The socket's host."""
        return self._host

    async def receive_batch(self) -> Sequence[tuple[Address, list[bytes]]]:
        """Wait for datagrams and return at most 64 of them, in order of arrival, grouped by consecutive sender.

        Raises:
            trio.ClosedResourceError: The socket is closed.
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
        """Send datagrams. Those that cannot reach ``remote`` are lost silently, as are all after ``close``.

        Returns:
            ``True``: a simulated socket always has room.
        """
        check_fields(remote, Address)
        if self._closed:
            self._unsendable += len(batch)
        else:
            self._host.send(batch, self._address, remote)
        return True

    async def drain(self) -> None:
        """Execute a checkpoint; there is always room."""
        await trio.lowlevel.checkpoint()

    async def send_batch(self, batch: Sequence[bytes], remote: Address) -> None:
        """Send datagrams as ``send_nowait`` does, with a checkpoint, for tests that use the socket directly.

        Raises:
            trio.ClosedResourceError: The socket is closed.
        """
        await trio.lowlevel.checkpoint()
        if self._closed:
            raise trio.ClosedResourceError
        self.send_nowait(batch, remote)

    def close(self) -> None:
        """Close the socket and discard received datagrams."""
        if self._closed:
            return
        self._closed = True
        self._queue.clear()
        self._host.release(self)
        self._waiting.unpark_all()

    @property
    def name(self) -> str:
        """The name of the socket's host."""
        return self._host.name

    def deliver(self, packet: Packet) -> DropReason | None:
        """Deliver a packet to a multicast group of the socket; return the reason if it is dropped."""
        return self._host.deliver_multicast(self, packet)

    def push(self, data: bytes, source: Address) -> bool:
        """Put a datagram into the receive buffer; return whether there was room."""
        if self._queued_bytes + len(data) > self._receive_buffer:
            return False
        self._queued_bytes += len(data)
        self._queue.append((source, data))
        if self._waiting:
            self._waiting.unpark_all()
        return True


class SimulatedHost:
    """A host, with the interface of ``trio_rtc.transports.network.Network``.

    ``SimulatedNetwork.add_host`` creates hosts.

    Attributes:
        name: The host's name on the network, for links, partitions and the trace.
        segment: The host's segment.
    """

    def __init__(
        self,
        name: str,
        segment: Segment,
        router: Router,
        names: Mapping[str, Sequence[str]],
        *,
        receive_buffer: int,
    ) -> None:
        self.name = name
        self.segment = segment
        self._router = router
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
        """The open sockets; after a test there should be none."""
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
        """Bind a UDP socket to an address.

        Args:
            interface: The address, one of :meth:`interface_addresses`.
            port: The port; 0 chooses a free one.

        Raises:
            OSError: The host does not have the address, the port is in use, or the network has ended.
            RuntimeError: The network has never run.
        """
        await trio.lowlevel.checkpoint()
        self._require_interface(interface)
        address = Address(interface.host, port or self._free_port(interface.host))
        if address in self._sockets or address.port in self._services:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        opened = self._sockets[address] = SimulatedSocket(self, address, self._receive_buffer)
        return opened

    async def connect_tcp(self, interface: InterfaceAddress, remote: Address) -> NoReturn:
        """Fail: only datagrams travel on the simulated network.

        Raises:
            OSError: Always, as on a network that blocks TCP.
        """
        check_fields(remote, Address)
        await trio.lowlevel.checkpoint()
        self._require_interface(interface)
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

    async def open_multicast(self, interface: InterfaceAddress, group: Address) -> SimulatedSocket:
        """Open a socket that receives datagrams to a multicast group and to its own address and port.

        A group reaches the hosts of one segment: those behind the same NAT, or those behind none.

        Args:
            interface: The address, one of :meth:`interface_addresses`.
            group: The address and port of the group.

        Raises:
            OSError: The host does not have the address, or the network has ended.
            RuntimeError: The network has never run.
        """
        check_fields(group, Address)
        await trio.lowlevel.checkpoint()
        self._require_interface(interface)
        address = Address(interface.host, group.port)
        opened = SimulatedSocket(self, address, self._receive_buffer)
        self._sockets.setdefault(address, opened)
        self._memberships[opened] = group
        self.segment.groups.setdefault(group, []).append(opened)
        return opened

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Resolve a name that was added by ``SimulatedNetwork.add_name``.

        Raises:
            OSError: The name is unknown.
        """
        await trio.lowlevel.checkpoint()
        try:
            return [Address(str(ipaddress.ip_address(host)), port)]
        except ValueError:
            pass
        addresses = self._names.get(host.lower().rstrip("."), ())
        if not addresses:
            raise socket.gaierror(
                socket.EAI_NONAME, f"no name {host!r} on the simulated network; use add_name()"
            )
        return [Address(address, port) for address in addresses]

    def set_interface(self, name: str, *, up: bool) -> None:
        """Set an interface up or down. When it is down, sockets on it stay open, but send and receive nothing.

        Raises:
            ValueError: The interface does not exist.
        """
        if name not in self._interfaces.values():
            known = ", ".join(sorted(set(self._interfaces.values())))
            raise ValueError(f"{self.name} has no interface {name!r}, only {known or 'none'}")
        if up:
            self._down.discard(name)
        else:
            self._down.add(name)

    def add_address(self, interface: str, host: str) -> None:
        """Add an address to the host.

        Raises:
            ValueError: The address is not numeric, or is in use.
        """
        host = str(ipaddress.ip_address(host))
        self.segment.claim(host, self)
        self._interfaces[host] = interface

    def remove_address(self, host: str) -> None:
        """Remove an address from the host. Sockets on it stay open, but send and receive nothing.

        Raises:
            ValueError: The host does not have the address.
        """
        if host not in self._interfaces:
            raise ValueError(f"{self.name} does not have the address {host}")
        del self._interfaces[host]
        self.segment.release(host)

    def add_service(self, port: int, service: Service) -> None:
        """Answer all datagrams to a port on every address by a function instead of a socket.

        Raises:
            OSError: The port is in use.
        """
        if port in self._services or any(address.port == port for address in self._sockets):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self._services[port] = service

    def remove_service(self, port: int) -> None:
        """Remove the service of a port; datagrams to it are lost from now on."""
        self._services.pop(port, None)

    def send(self, batch: Sequence[bytes], source: Address, destination: Address) -> None:
        """Send datagrams into the network; called by the host's sockets."""
        self._router.send(
            self.name, self.segment, batch, source, destination, reachable=self._is_up(source.host)
        )

    def deliver(self, packet: Packet) -> DropReason | None:
        """Deliver a packet to a socket or service; return the reason if it was dropped. Called by the network."""
        if not self._is_up(packet.destination.host):
            return DropReason.INTERFACE_DOWN
        receiver = self._sockets.get(packet.destination)
        if receiver is not None:
            accepted = receiver.push(packet.data, packet.source)
            return None if accepted else DropReason.RECEIVE_BUFFER_FULL
        service = self._services.get(packet.destination.port)
        if service is None:
            return DropReason.PORT_UNREACHABLE
        for data, remote in service(packet.data, packet.source, packet.destination):
            self.send([data], packet.destination, remote)
        return None

    def deliver_multicast(self, member: SimulatedSocket, packet: Packet) -> DropReason | None:
        """Deliver a packet to a member of a multicast group, as ``deliver`` does."""
        if member not in self._memberships:
            return DropReason.PORT_UNREACHABLE
        if not self._is_up(member.local_address.host):
            return DropReason.INTERFACE_DOWN
        return None if member.push(packet.data, packet.source) else DropReason.RECEIVE_BUFFER_FULL

    def release(self, closed: SimulatedSocket) -> None:
        """Release a closed socket; called by the socket."""
        if self._sockets.get(closed.local_address) is closed:
            del self._sockets[closed.local_address]
        group = self._memberships.pop(closed, None)
        if group is not None:
            self.segment.groups[group].remove(closed)

    def _is_up(self, host: str) -> bool:
        interface = self._interfaces.get(host)
        return interface is not None and interface not in self._down

    def _require_interface(self, interface: InterfaceAddress) -> None:
        if not self._router.started:
            raise RuntimeError("simulated network is not running; use it in 'async with network:'")
        if not self._router.running:
            # A cancelled network may end before connections whose gathering is shielded; it is then down.
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
