"""UDP sockets of this host, read and written in batches.

A raw non-blocking socket is awaited once and then read until it is empty (at most 64 datagrams), because a system call
through trio costs several times the raw one. On Linux, a run of equal-sized datagrams is sent in one call
(``UDP_SEGMENT``) and received in one (``UDP_GRO``); elsewhere, datagrams are sent and received singly. For media, the
kernel timestamps each datagram (``SO_TIMESTAMPNS``): datagrams that are read together did not arrive together, and the
bandwidth estimator needs the differences.

Datagrams are received into one buffer per thread and copied from it. ``recv`` would allocate a ``bytes`` object of the
maximum size for each datagram and shrink it, which leaves a hole of nearly 64 KiB in the C heap; longer-lived objects
fill the holes, and the heap grows although no memory leaks.
"""

import contextlib
import errno
import functools
import ipaddress
import logging
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import ifaddr
import trio

from trio_rtc._strict_names.argument_types import check_fields
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.protocols._contract import Address

from .arrival_times import SO_TIMESTAMPNS, ArrivalTimes, enable_arrival_times, parse_timestamp
from .network import DatagramSocket, InterfaceAddress
from .tcp import SystemStreamSocket, connect_tcp

logger = logging.getLogger("trio_rtc.udp")

# <linux/udp.h>; the socket module does not have them.
_SOL_UDP = 17
_UDP_SEGMENT = 103
_UDP_GRO = 104

_MAX_BATCH = 64
_MAX_SEGMENTS = 48
_MAX_PAYLOAD = 65507
_MAX_QUEUED = 256
_BUFFER_SIZE = 4 << 20
_SEGMENT_SIZE = struct.Struct("H")
_ANCILLARY_SIZE = 64

_WOULD_BLOCK = (errno.EAGAIN, errno.EWOULDBLOCK)
_NO_SEGMENTATION = (errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOPROTOOPT)


class _ReceiveBuffer(threading.local):
    """Receive buffer of a thread: receiving contains no ``await``, but sockets of other threads may receive."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(_MAX_PAYLOAD))


_receive_buffer = _ReceiveBuffer()


def _has_segmentation(sock: socket.socket) -> bool:
    """Return whether the kernel supports UDP_SEGMENT and UDP_GRO."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        sock.getsockopt(_SOL_UDP, _UDP_SEGMENT)
        # Last, because a socket with this option must be read by ``_receive_joined``.
        sock.setsockopt(_SOL_UDP, _UDP_GRO, 1)
    except OSError:
        return False
    return True


class SystemDatagramSocket:
    """A UDP socket of this host (see :class:`trio_rtc.transports.network.DatagramSocket`).

    Attributes:
        unsendable: Number of datagrams that the system refused to send (no route, message too long, filtered), that
            exceeded the queue, or that were queued at ``close`` or sent after it.
    """

    def __init__(self, sock: socket.socket, local_address: Address, *, scope_id: int = 0) -> None:
        sock.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_SIZE)
        self._socket = sock
        self._local_address = local_address
        self._scope_id = scope_id
        self._is_ipv6 = sock.family == socket.AF_INET6
        self._segmentation = _has_segmentation(sock)
        self._queue: deque[tuple[bytes, tuple[object, ...]]] = deque()
        self._draining = trio.Lock()
        self._single_reads = -1
        self._last_source: tuple[object, ...] | None = None
        self._last_remote = local_address
        self._arrivals: ArrivalTimes | None = None
        self._buffer = _receive_buffer.view
        self._closed = False
        self.unsendable = 0

    @property
    def arrival_times(self) -> Sequence[float]:
        return () if self._arrivals is None else self._arrivals.times

    def enable_arrival_times(self) -> None:
        if self._arrivals is None:
            self._arrivals = enable_arrival_times(self._socket)

    @property
    def local_address(self) -> Address:
        return self._local_address

    async def receive_batch(self) -> list[tuple[Address, list[bytes]]]:
        while True:
            self._check_open()
            await trio.lowlevel.wait_readable(self._socket)
            batch = self._drain()
            if batch:
                return batch

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        """Send datagrams without waiting; if the socket's buffer is full, the rest is queued for ``drain``."""
        queue = self._queue
        destination = (remote.host, remote.port, 0, self._scope_id) if self._is_ipv6 else remote
        if not queue:
            sent = self._send(batch, destination)
            if sent == len(batch):
                return True
            batch = batch[sent:]
        if self._closed:
            self.unsendable += len(batch)
            return True
        room = max(0, _MAX_QUEUED - len(queue))
        queue.extend((datagram, destination) for datagram in batch[:room])
        self.unsendable += max(0, len(batch) - room)
        return False

    async def drain(self) -> None:
        queue = self._queue
        # In trio, only one task can wait for a socket.
        async with self._draining:
            while queue:
                self._check_open()
                await trio.lowlevel.wait_writable(self._socket)
                while queue and self._send([queue[0][0]], queue[0][1]):
                    queue.popleft()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            trio.lowlevel.notify_closing(self._socket)
            self.unsendable += len(self._queue)
            self._socket.close()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the socket was closed")

    def _drain(self) -> list[tuple[Address, list[bytes]]]:
        # A read of an empty socket costs as much as one that returns a packet. If packets arrive singly, a further read
        # is tried only every fourth time.
        self._single_reads += 1
        limit = _MAX_BATCH if self._single_reads & 3 == 0 else 1
        batch: list[tuple[Address, list[bytes]]] = []
        last: tuple[object, ...] | None = None
        packets: list[bytes] = []
        count = 0
        arrivals = self._arrivals
        receive = self._receive_one if arrivals is None and not self._segmentation else self._receive_joined
        if arrivals is not None:
            arrivals.begin_batch()
        while count < limit:
            try:
                datagrams, source, stamped = receive()
            except OSError as error:
                if error.errno not in _WOULD_BLOCK:
                    # An ICMP error of an earlier send, or the interface is down. The datagram, if any, is lost.
                    logger.debug("receiving on %s failed: %s", self._local_address, error)
                break
            if source != last:
                last = source
                packets = []
                batch.append((self._address_of(source), packets))
            packets += datagrams
            count += len(datagrams)
            if arrivals is not None:
                arrivals.record(len(datagrams), stamped)
            if len(datagrams) > 1:
                limit = _MAX_BATCH
        if count > 1:
            self._single_reads = -1
        return batch

    def _address_of(self, source: tuple[str, int]) -> Address:
        """Return the address of a sender. The last one is cached, since most datagrams have the same sender."""
        if source != self._last_source:
            self._last_source = source
            self._last_remote = Address(source[0].partition("%")[0], source[1])
        return self._last_remote

    def _receive_one(self) -> tuple[list[bytes], tuple[str, int], float]:
        buffer = self._buffer
        length, source = self._socket.recvfrom_into(buffer)
        return [bytes(buffer[:length])], source, 0.0

    def _receive_joined(self) -> tuple[list[bytes], tuple[str, int], float]:
        """Return datagrams that GRO has joined, their sender, and the Unix time of arrival (0 if unknown)."""
        buffer = self._buffer
        length, ancillary, _, source = self._socket.recvmsg_into((buffer,), _ANCILLARY_SIZE)
        size = 0
        stamped = 0.0
        for level, kind, value in ancillary:
            if level == _SOL_UDP and kind == _UDP_GRO:
                size = int.from_bytes(value, sys.byteorder)
            elif level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                stamped = parse_timestamp(value)
        if 0 < size < length:
            data = buffer[:length]
            return [bytes(data[at : at + size]) for at in range(0, length, size)], source, stamped
        return [bytes(buffer[:length])], source, stamped

    def _send(self, batch: Sequence[bytes], destination: tuple[object, ...]) -> int:
        """Send until the socket's buffer is full; return the number of datagrams sent or refused."""
        if len(batch) == 1 or not self._segmentation:
            return self._send_each(batch, destination)
        sent = 0
        for run in _equal_sized_runs(batch):
            done = self._send_run(run, destination)
            sent += done
            if done < len(run):
                break
        return sent

    def _send_each(self, batch: Sequence[bytes], destination: tuple[object, ...]) -> int:
        sendto = self._socket.sendto
        for index, datagram in enumerate(batch):
            try:
                sendto(datagram, destination)
            except OSError as error:
                if error.errno in _WOULD_BLOCK:
                    return index
                self._count_unsendable(1, error)
        return len(batch)

    def _send_run(self, run: list[bytes], destination: tuple[object, ...]) -> int:
        if len(run) == 1 or not self._segmentation:
            return self._send_each(run, destination)
        ancillary = [(_SOL_UDP, _UDP_SEGMENT, _SEGMENT_SIZE.pack(len(run[0])))]
        try:
            self._socket.sendmsg(run, ancillary, 0, destination)
        except OSError as error:
            if error.errno in _WOULD_BLOCK:
                return 0
            if error.errno in _NO_SEGMENTATION:
                # The device does not support it: this socket sends datagrams singly from now on.
                self._segmentation = False
                return self._send_each(run, destination)
            self._count_unsendable(len(run), error)
        return len(run)

    def _count_unsendable(self, datagrams: int, error: OSError) -> None:
        self.unsendable += datagrams
        logger.debug("sending from %s failed: %s", self._local_address, error)


def _equal_sized_runs(batch: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Split a batch into runs for one ``UDP_SEGMENT`` call each: equal sizes, except a shorter last one."""
    index, end = 0, len(batch)
    while index < end:
        size = len(batch[index])
        # Segments cannot be empty: empty datagrams are sent singly.
        most = min(_MAX_SEGMENTS, _MAX_PAYLOAD // size) if size else 1
        stop = min(end, index + max(1, most))
        last = index + 1
        while last < stop and len(batch[last]) == size:
            last += 1
        if last < stop and 0 < len(batch[last]) < size:
            last += 1
        yield list(batch[index:last])
        index = last


def usable_addresses(addresses: Iterable[InterfaceAddress]) -> list[InterfaceAddress]:
    """Return the addresses from which candidates are gathered.

    Unspecified, multicast and link-local addresses are excluded, as in browsers. Loopback addresses are used
    only if there are no others, so that two programs on a host without a network can connect.
    """
    usable: list[InterfaceAddress] = []
    loopback: list[InterfaceAddress] = []
    for address in dict.fromkeys(addresses):
        ip = ipaddress.ip_address(address.host)
        if ip.is_loopback:
            loopback.append(address)
        elif not (ip.is_unspecified or ip.is_multicast or ip.is_link_local):
            usable.append(address)
    return usable or loopback


@functools.lru_cache(maxsize=1)
def _interface_addresses(_tick: int) -> Sequence[InterfaceAddress]:
    """Return the addresses of this host; read once per tick, for the many connections of a server."""
    addresses = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            if isinstance(ip.ip, str):
                addresses.append(InterfaceAddress(adapter.name, ip.ip))
            else:
                addresses.append(InterfaceAddress(adapter.name, ip.ip[0], ip.ip[2]))
    return tuple(addresses)


@strict_class
class SystemNetwork:
    """The network of this host (see :class:`trio_rtc.transports.network.Network`)."""

    def interface_addresses(self) -> list[InterfaceAddress]:
        """Return the addresses of this host, at most a tenth of a second old."""
        return list(_interface_addresses(int(time.monotonic() * 10)))

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> SystemDatagramSocket:
        """Bind a UDP socket on one address."""
        await trio.lowlevel.checkpoint()
        sock = _new_socket(interface)
        try:
            if interface.is_ipv6:
                sock.bind((interface.host, port, 0, interface.scope_id))
            else:
                sock.bind((interface.host, port))
        except OSError:
            sock.close()
            raise
        return SystemDatagramSocket(
            sock, Address(interface.host, sock.getsockname()[1]), scope_id=interface.scope_id
        )

    async def connect_tcp(self, interface: InterfaceAddress, remote: Address) -> SystemStreamSocket:
        """Open a TCP connection from one address."""
        check_fields(remote, Address)
        return await connect_tcp(interface, remote)

    async def open_multicast(self, interface: InterfaceAddress, group: Address) -> SystemDatagramSocket:
        """Open a socket that is member of a multicast group."""
        check_fields(group, Address)
        await trio.lowlevel.checkpoint()
        sock = _new_socket(interface)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "SO_REUSEPORT"):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            _join_group(sock, interface, group)
        except OSError:
            sock.close()
            raise
        return SystemDatagramSocket(sock, Address(interface.host, group.port), scope_id=interface.scope_id)

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Look up the addresses of a host name."""
        try:
            found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except ValueError as error:
            # Python encodes the name first, and refuses names that cannot be encoded or contain NUL.
            raise OSError(f"not a host name: {host!r}") from error
        addresses = [Address(str(entry[4][0]), port) for entry in found]
        return list(dict.fromkeys(addresses))


def _new_socket(interface: InterfaceAddress) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if interface.is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    if interface.is_ipv6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


def _join_group(sock: socket.socket, interface: InterfaceAddress, group: Address) -> None:
    if interface.is_ipv6:
        index = interface.scope_id or socket.if_nametoindex(interface.name)
        sock.bind(("", group.port))
        member = socket.inet_pton(socket.AF_INET6, group.host) + struct.pack("@I", index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
    else:
        sock.bind(("", group.port))
        own = socket.inet_aton(interface.host)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group.host) + own)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        # RFC 6762 section 11: receivers may check the TTL of mDNS packets.
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)


Receive = Callable[[Address, Address, list[bytes], float, Sequence[float]], None]
"""Receives packets of a socket: its local address, the sender, the packets, the time, and the arrival time of each
packet (none if not known). Never waits."""


class UdpTransport:
    """Receives from one socket and passes everything on.

    Attributes:
        socket: The socket, on which the ICE transport sends.
    """

    def __init__(self, datagram_socket: DatagramSocket, receive: Receive) -> None:
        self.socket = datagram_socket
        self._receive = receive

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Receive until the socket is closed. Closes the socket."""
        task_status.started()
        receive = self._receive
        local = self.socket.local_address
        try:
            while True:
                batch = await self.socket.receive_batch()
                now = trio.current_time()
                arrivals = self.socket.arrival_times
                for remote, packets in batch:
                    receive(local, remote, packets, now, arrivals[: len(packets)])
                    arrivals = arrivals[len(packets) :]
        except trio.ClosedResourceError:
            logger.debug("%s was closed", local)
        finally:
            self.socket.close()
