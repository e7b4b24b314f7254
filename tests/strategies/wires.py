"""Test doubles for the layers below a transport: sockets with full buffers, and wires that can be blocked."""

import math
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import attrs
import trio

from trio_rtc.protocols._contract import Address
from trio_rtc.transports.base import Inbox
from trio_rtc.transports.network import DatagramSocket, InterfaceAddress, Network, StreamSocket
from trio_rtc.transports.udp import SystemNetwork

LOOPBACK = [
    address.host for address in SystemNetwork().interface_addresses() if address.host in ("127.0.0.1", "::1")
]
"""Loopback addresses of this host; containers often have no IPv6."""


class NarrowSocket(socket.socket):
    """One end of a local socket pair that looks like a UDP socket with a small send buffer.

    Attributes:
        destinations: Destinations of all datagrams sent.
        source: Source address of all received datagrams.
        ancillary: Ancillary data of received datagrams, in order; the last entry is repeated.
        reads: Number of reads, failed ones included.
        failures: Exceptions that the next reads raise.
    """

    def __init__(self, end: socket.socket) -> None:
        super().__init__(fileno=end.detach())
        self.destinations: list[tuple[object, ...]] = []
        self.source: tuple[object, ...] = ("10.0.0.2", 7)
        self.ancillary: list[list[tuple[int, int, bytes]]] = [[]]
        self.reads = 0
        self.failures: list[OSError] = []

    def _count_read(self) -> None:
        self.reads += 1
        if self.failures:
            raise self.failures.pop(0)

    def sendto(self, data: bytes, destination: tuple[object, ...]) -> int:  # type: ignore[override]
        count = self.send(data)
        self.destinations.append(destination)
        return count

    def recvfrom_into(self, buffer: Any, size: int = 0, flags: int = 0) -> tuple[int, tuple[object, ...]]:
        self._count_read()
        return self.recv_into(buffer, size, flags), self.source

    def recvmsg_into(
        self, buffers: Iterable[Any], ancillary_size: int = 0, flags: int = 0
    ) -> tuple[int, list[tuple[int, int, bytes]], int, tuple[object, ...]]:
        (buffer,) = buffers
        self._count_read()
        length = self.recv_into(buffer, 0, flags)
        ancillary = self.ancillary.pop(0) if len(self.ancillary) > 1 else self.ancillary[0]
        return length, ancillary, 0, self.source


class NarrowIpv6Socket(NarrowSocket):
    """A narrow socket of the IPv6 family."""

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6


class RefusingSocket(socket.socket):
    """A UDP socket of a kernel or device without segmentation: ``refusals`` are errors by name of the call."""

    def __init__(self, refusals: dict[str, OSError]) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_DGRAM)
        self.refusals = refusals
        self.refused: list[str] = []

    def _refuse(self, name: str) -> None:
        if name in self.refusals:
            self.refused.append(name)
            raise self.refusals[name]

    def setsockopt(self, level: int, *args: Any) -> None:
        if level == socket.IPPROTO_UDP:
            self._refuse("setsockopt")
        super().setsockopt(level, *args)

    def getsockopt(self, level: int, *args: Any) -> Any:
        if level == socket.IPPROTO_UDP:
            self._refuse("getsockopt")
        return super().getsockopt(level, *args)

    def sendmsg(self, *args: Any) -> int:
        self._refuse("sendmsg")
        return super().sendmsg(*args)


class Gate:
    """A gate that tasks and callbacks wait for while it is shut."""

    def __init__(self) -> None:
        self.is_open = True
        self._waiting = trio.lowlevel.ParkingLot()

    def shut(self) -> None:
        self.is_open = False

    def open(self) -> None:
        self.is_open = True
        self._waiting.unpark_all()

    async def wait(self) -> None:
        while not self.is_open:
            await self._waiting.park()


class Wire:
    """A lower layer that passes batches to a function, and queues them while its gate is shut.

    Attributes:
        gate: While it is shut, batches are queued and ``drain`` waits.
        sent: Batches that were sent.
    """

    def __init__(self, deliver: Callable[[list[bytes]], None] = lambda batch: None) -> None:
        self.gate = Gate()
        self.sent: list[list[bytes]] = []
        self.deliver = deliver
        self._kept: deque[list[bytes]] = deque()

    @property
    def packets(self) -> list[bytes]:
        return [packet for batch in self.sent for packet in batch]

    def send_nowait(self, batch: Sequence[bytes], now: float) -> bool:
        self._kept.append(list(batch))
        self._pass_on()
        return not self._kept

    async def drain(self) -> None:
        while self._kept:
            await self.gate.wait()
            self._pass_on()

    def _pass_on(self) -> None:
        while self._kept and self.gate.is_open:
            batch = self._kept.popleft()
            self.sent.append(batch)
            self.deliver(batch)


class DeliveryTask:
    """Delivers the batches of wires in a task of its own, because no network delivers in the sender's step."""

    def __init__(self) -> None:
        self._sent, self._in_flight = trio.open_memory_channel[tuple[Inbox[list[bytes]], list[bytes]]](
            math.inf
        )

    def to(self, inbox: Inbox[list[bytes]]) -> Callable[[list[bytes]], None]:
        """Return the ``deliver`` function of a wire that ends at this inbox."""
        return lambda batch: self._sent.send_nowait((inbox, batch))

    async def run(self) -> None:
        async for inbox, batch in self._in_flight:
            inbox.push(batch, len(batch), trio.current_time())


@attrs.define
class PassThroughSocket:
    """A socket that delegates to another one; tests override single methods.

    Arrival times are hidden, because an override may delay packets.
    """

    inner: DatagramSocket

    @property
    def local_address(self) -> Address:
        return self.inner.local_address

    @property
    def unsendable(self) -> int:
        return self.inner.unsendable

    @property
    def arrival_times(self) -> Sequence[float]:
        return ()

    def enable_arrival_times(self) -> None:
        pass

    async def receive_batch(self) -> Sequence[tuple[Address, list[bytes]]]:
        return await self.inner.receive_batch()

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        return self.inner.send_nowait(batch, remote)

    async def drain(self) -> None:
        await self.inner.drain()

    def close(self) -> None:
        self.inner.close()


@attrs.define
class PassThroughNetwork:
    """A network that delegates to another one; tests override how sockets are opened."""

    inner: Network

    def interface_addresses(self) -> Sequence[InterfaceAddress]:
        return self.inner.interface_addresses()

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> DatagramSocket:
        return await self.inner.bind_udp(interface, port)

    async def connect_tcp(self, interface: InterfaceAddress, remote: Address) -> StreamSocket:
        return await self.inner.connect_tcp(interface, remote)

    async def open_multicast(self, interface: InterfaceAddress, group: Address) -> DatagramSocket:
        return await self.inner.open_multicast(interface, group)

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        return await self.inner.resolve(host, port)


FREE_INTERFACE = "wlan0"
"""Its sockets are never jammed."""


@attrs.define
class JammedSocket(PassThroughSocket):
    """A socket that queues datagrams while the gate of its host is shut."""

    _gate: Gate
    _kept: list[tuple[Sequence[bytes], Address]] = attrs.Factory(list)
    _closed: trio.Event = attrs.Factory(trio.Event)

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        self._kept.append((batch, remote))
        if self._gate.is_open:
            self._pass_on()
        return not self._kept

    async def drain(self) -> None:
        while self._kept:
            async with trio.open_nursery() as nursery:
                for wait in (self._gate.wait, self._closed.wait):
                    nursery.start_soon(self._wait_for_one, wait, nursery.cancel_scope)
            if self._closed.is_set():
                raise trio.ClosedResourceError
            self._pass_on()

    async def _wait_for_one(self, wait: Callable[[], Awaitable[None]], done: trio.CancelScope) -> None:
        await wait()
        done.cancel()

    def close(self) -> None:
        self._closed.set()
        self.inner.close()

    def _pass_on(self) -> None:
        for batch, remote in self._kept:
            self.inner.send_nowait(batch, remote)
        self._kept.clear()


@attrs.define
class JammedHost(PassThroughNetwork):
    """A host whose sockets can be jammed.

    Attributes:
        gate: While it is shut, nothing is sent.
    """

    gate: Gate = attrs.Factory(Gate)

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> JammedSocket:
        gate = self.gate if interface.name != FREE_INTERFACE else Gate()
        return JammedSocket(await self.inner.bind_udp(interface, port), gate)


class ScriptedSocket:
    """A datagram socket that receives the test's datagrams and records those sent.

    Attributes:
        gate: While it is shut, datagrams are queued and ``drain`` waits.
        sent: Datagrams sent, with their destinations.
        closed: Whether the socket is closed.
        unsendable: Reported number of lost datagrams.
        room: Number of datagrams of a batch that are accepted; the others are lost.
    """

    def __init__(self, local_address: Address) -> None:
        self._local_address = local_address
        self._incoming, self._arrivals = trio.open_memory_channel[list[tuple[Address, list[bytes]]]](100)
        self._kept: deque[tuple[bytes, Address]] = deque()
        self.gate = Gate()
        self.sent: list[tuple[bytes, Address]] = []
        self.closed = False
        self.keeps_arrivals = False
        self.unsendable = 0
        self.room = 1000

    @property
    def local_address(self) -> Address:
        return self._local_address

    def arrive(self, *runs: tuple[Address, list[bytes]]) -> None:
        """Receive datagrams from a remote address."""
        self._incoming.send_nowait(list(runs))

    @property
    def arrival_times(self) -> Sequence[float]:
        return ()

    def enable_arrival_times(self) -> None:
        self.keeps_arrivals = True

    async def receive_batch(self) -> list[tuple[Address, list[bytes]]]:
        return await self._arrivals.receive()

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        self._kept.extend((data, remote) for data in batch[: self.room])
        self.unsendable += max(0, len(batch) - self.room)
        self._pass_on()
        return not self._kept

    async def drain(self) -> None:
        while self._kept:
            await self.gate.wait()
            self._pass_on()

    def close(self) -> None:
        self.closed = True
        self._arrivals.close()

    def _pass_on(self) -> None:
        while self._kept and self.gate.is_open:
            self.sent.append(self._kept.popleft())


class ScriptedNetwork:
    """A network with scripted addresses, ports, names and multicast groups.

    Attributes:
        addresses: The addresses of the host.
        names: Addresses by host name.
        taken_ports: Ports that cannot be bound.
        sockets: All UDP sockets opened.
        multicast: All multicast sockets opened, with their groups.
        without_multicast: Addresses without multicast.
        lookup_gate: While it is shut, lookups wait.
        bind_gate: While it is shut, binding UDP sockets waits.
    """

    def __init__(self, *addresses: str) -> None:
        self.addresses = [InterfaceAddress("eth0", address) for address in addresses]
        self.names: dict[str, list[str]] = {}
        self.taken_ports: set[int] = set()
        self.sockets: list[ScriptedSocket] = []
        self.multicast: list[tuple[ScriptedSocket, Address]] = []
        self.without_multicast: set[str] = set()
        self.lookup_gate = Gate()
        self.bind_gate = Gate()

    def interface_addresses(self) -> list[InterfaceAddress]:
        return self.addresses

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> ScriptedSocket:
        await trio.lowlevel.checkpoint()
        await self.bind_gate.wait()
        address = Address(interface.host, port or 50_000 + len(self.sockets))
        if port in self.taken_ports or any(opened.local_address == address for opened in self.sockets):
            raise OSError("the port is taken")
        self.sockets.append(ScriptedSocket(address))
        return self.sockets[-1]

    async def connect_tcp(self, interface: InterfaceAddress, remote: Address) -> StreamSocket:
        raise OSError("no TCP")

    async def open_multicast(self, interface: InterfaceAddress, group: Address) -> ScriptedSocket:
        await trio.lowlevel.checkpoint()
        if interface.host in self.without_multicast:
            raise OSError("no multicast here")
        self.multicast.append((ScriptedSocket(Address(interface.host, group.port)), group))
        return self.multicast[-1][0]

    async def resolve(self, host: str, port: int) -> list[Address]:
        await trio.lowlevel.checkpoint()
        await self.lookup_gate.wait()
        if host not in self.names:
            raise OSError("no such name")
        return [Address(found, port) for found in self.names[host]]
