"""One UDP port for any number of connections.

A :class:`UdpMux` is a :class:`~trio_rtc.transports.network.Network` whose sockets share one socket for each address of
the host. A received packet belongs to

1. the connection with the username fragment, if it is a connectivity check: the part of USERNAME before the colon
   (RFC 8445 section 7.2.2);
2. the connection that has sent the request, if it is a response: by the transaction ID;
3. the connection that has accepted its source, if it is anything else. A source is accepted by a connection's ICE
   agent when an authenticated check has passed (``Agent.accepted_paths``). The first connection that accepts it keeps
   it until it has closed its socket, or has received no check of this source for ``claim_timeout``: a peer that forges
   the source of its checks cannot take the packets of another connection.

Checks with an unknown username fragment are reported to the application, if it has asked for them. The packets are
kept for a moment, so that the connection that the application makes for them begins with the first check.
"""

import logging
import struct
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Self

import trio

from trio_rtc import _attrs as attrs
from trio_rtc._attrs import validators
from trio_rtc._environment import require_trio
from trio_rtc._error_filters import ungrouped_errors
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.stun import AttributeType, is_stun

from .network import DatagramSocket, InterfaceAddress, Network, StreamSocket
from .udp import SystemNetwork, usable_addresses

logger = logging.getLogger("trio_rtc.udp")

_ATTRIBUTE_HEADER = struct.Struct("!HH")
_USERNAME = int(AttributeType.USERNAME)
_CLASS_BITS = 0x0110
_MAX_ATTRIBUTES = 32
_MAX_USERNAME = 513  # RFC 8489 section 14.3
_BATCH_LIMIT = 64
_MAX_EARLY_PACKETS = 4  # of an unknown username fragment
_KEPT_USERNAME_FRAGMENTS = 2  # of this ICE generation and of the one before


@strict_class
@attrs.frozen
class UdpMuxOptions:
    """Bounds of a UDP multiplexer.

    Attributes:
        max_queued_packets: Maximum number of received packets that wait in one connection's socket; further ones are
            dropped, and counted as ``overflowed``.
        max_transactions: Maximum number of our requests whose responses are awaited, of all connections together; the
            oldest is forgotten first.
        max_sources: Maximum number of sources that connections have accepted, of all together; the one that was
            confirmed least recently is forgotten first.
        claim_timeout: Seconds without a check after which another connection may accept the same source.
        max_unknown_checks: Maximum number of unknown username fragments that wait for the application, and of those
            whose packets are kept; further ones are dropped, and counted as ``unknown``.
        unknown_check_lifetime: Seconds for which the packets of an unknown username fragment are kept.
    """

    max_queued_packets: int = attrs.field(default=1024, validator=validators.ge(1))
    max_transactions: int = attrs.field(default=16_384, validator=validators.ge(1))
    max_sources: int = attrs.field(default=65_536, validator=validators.ge(1))
    claim_timeout: float = attrs.field(default=30.0, validator=validators.gt(0))
    max_unknown_checks: int = attrs.field(default=128, validator=validators.ge(0))
    unknown_check_lifetime: float = attrs.field(default=5.0, validator=validators.gt(0))


@strict_class
@attrs.frozen
class UnknownCheck:
    """The first connectivity check with a username fragment that no connection has.

    It is not authenticated: any host can send one, with any source.

    Attributes:
        username_fragment: The part of USERNAME before the colon: the fragment that our side is expected to have.
        remote_username_fragment: The part behind the colon.
        remote_address: Source of the check.
        local_address: Address of the socket that has received it.
    """

    username_fragment: str
    remote_username_fragment: str
    remote_address: Address
    local_address: Address


@attrs.frozen
class _Received:
    """Consecutive packets of one source, and the arrival time of each; no times if they are not known."""

    source: Address
    packets: list[bytes]
    arrivals: Sequence[float]


@attrs.define
class _Claim:
    holder: "MuxSocket"
    confirmed_at: float


@attrs.define
class _Early:
    """The packets of an unknown username fragment, with the sockets that have received them."""

    expires: float
    packets: list[tuple["_SharedSocket", _Received]] = attrs.Factory(list)


class MuxSocket:
    """A connection's part of a shared socket (see :class:`trio_rtc.transports.network.DatagramSocket`)."""

    def __init__(self, shared: "_SharedSocket", mux: "UdpMux") -> None:
        self._shared = shared
        self._mux = mux
        self._queue: deque[_Received] = deque()
        self._queued = 0
        self._waiting = trio.lowlevel.ParkingLot()
        self._username_fragments: deque[str] = deque()
        self._arrival_times: Sequence[float] = ()
        self._closed = False
        self._unsent = 0
        self.sources: set[Address] = set()

    @property
    def local_address(self) -> Address:
        return self._shared.datagram_socket.local_address

    @property
    def unsendable(self) -> int:
        """Number of datagrams that were sent after ``close``. Others are counted by the shared socket."""
        return self._unsent

    @property
    def arrival_times(self) -> Sequence[float]:
        return self._arrival_times

    def enable_arrival_times(self) -> None:
        self._shared.datagram_socket.enable_arrival_times()

    def set_username_fragment(self, username_fragment: str) -> None:
        """Receive checks with a username fragment, and for now those with the one before."""
        known = self._username_fragments
        if self._closed or (known and known[-1] == username_fragment):
            return
        if username_fragment in known:
            known.remove(username_fragment)  # a restart was rolled back
        elif len(known) == _KEPT_USERNAME_FRAGMENTS:
            self._shared.forget_username_fragment(known.popleft(), self)
        known.append(username_fragment)
        self._shared.add_username_fragment(username_fragment, self)

    def accept_source(self, source: Address, now: float) -> None:
        """Receive packets of a source: an authenticated check of it has passed."""
        self._shared.accept_source(source, self, now)

    async def receive_batch(self) -> Sequence[tuple[Address, list[bytes]]]:
        if self._queue:
            await trio.lowlevel.checkpoint()
        while not self._queue:
            if self._closed:
                raise trio.ClosedResourceError("the socket was closed")
            await self._waiting.park()
        runs: list[tuple[Address, list[bytes]]] = []
        arrivals: list[float] = []
        count = 0
        while self._queue and count < _BATCH_LIMIT:
            received = self._queue.popleft()
            count += len(received.packets)
            arrivals += received.arrivals
            if runs and runs[-1][0] == received.source:
                runs[-1][1].extend(received.packets)
            else:
                runs.append((received.source, received.packets))
        self._queued -= count
        self._arrival_times = arrivals if len(arrivals) == count else ()
        return runs

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        if self._closed:
            self._unsent += len(batch)
            return True
        for packet in batch:
            if _may_be_stun(packet) and is_stun(packet) and not _message_type(packet) & _CLASS_BITS:
                self._shared.expect_response(packet[8:20], self)
        return self._shared.datagram_socket.send_nowait(batch, remote)

    async def drain(self) -> None:
        await self._shared.datagram_socket.drain()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for username_fragment in self._username_fragments:
            self._shared.forget_username_fragment(username_fragment, self)
        for source in self.sources:
            self._shared.forget_source(source, self)
        self._queue.clear()
        self._queued = 0
        self._waiting.unpark_all()

    def push(self, received: _Received) -> None:
        """Queue received packets; a full queue drops them."""
        count = len(received.packets)
        if self._closed or self._queued + count > self._mux.options.max_queued_packets:
            self._mux.overflowed += count
            return
        self._queued += count
        self._queue.append(received)
        if self._waiting:
            self._waiting.unpark_all()


class _SharedSocket:
    """A socket of the host, and the connections that use it."""

    def __init__(self, datagram_socket: DatagramSocket, mux: "UdpMux") -> None:
        self.datagram_socket = datagram_socket
        self._mux = mux
        self._by_username_fragment: dict[str, MuxSocket] = {}
        self._by_source: OrderedDict[Address, _Claim] = OrderedDict()
        self._by_transaction: OrderedDict[bytes, MuxSocket] = OrderedDict()

    @property
    def entries(self) -> int:
        """Number of entries of all tables that belong to open sockets."""
        return len(self._by_username_fragment) + len(self._by_source)

    async def run(self) -> None:
        """Receive and distribute packets until the socket is closed."""
        try:
            while True:
                runs = await self.datagram_socket.receive_batch()
                now = trio.current_time()
                arrivals = self.datagram_socket.arrival_times
                for source, packets in runs:
                    self.distribute(_Received(source, packets, arrivals[: len(packets)]), now)
                    arrivals = arrivals[len(packets) :]
        except trio.ClosedResourceError:
            pass
        finally:
            self.datagram_socket.close()

    def add_username_fragment(self, username_fragment: str, owner: MuxSocket) -> None:
        self._by_username_fragment[username_fragment] = owner
        self._mux.replay(username_fragment)

    def forget_username_fragment(self, username_fragment: str, owner: MuxSocket) -> None:
        if self._by_username_fragment.get(username_fragment) is owner:
            del self._by_username_fragment[username_fragment]

    def accept_source(self, source: Address, owner: MuxSocket, now: float) -> None:
        claim = self._by_source.get(source)
        if claim is not None and claim.holder is not owner:
            if now - claim.confirmed_at < self._mux.options.claim_timeout:
                return
            claim.holder.sources.discard(source)
            claim = None
        if claim is None:
            claim = self._by_source[source] = _Claim(owner, now)
            owner.sources.add(source)
            if len(self._by_source) > self._mux.options.max_sources:
                forgotten, former = self._by_source.popitem(last=False)
                former.holder.sources.discard(forgotten)
        claim.confirmed_at = now
        self._by_source.move_to_end(source)

    def forget_source(self, source: Address, owner: MuxSocket) -> None:
        claim = self._by_source.get(source)
        if claim is not None and claim.holder is owner:
            del self._by_source[source]

    def expect_response(self, transaction_id: bytes, owner: MuxSocket) -> None:
        self._by_transaction[transaction_id] = owner
        if len(self._by_transaction) > self._mux.options.max_transactions:
            self._by_transaction.popitem(last=False)

    def distribute(self, received: _Received, now: float) -> None:
        """Pass packets to the connections that they belong to, or drop them."""
        source, packets, arrivals = received.source, received.packets, received.arrivals
        if not any(map(_may_be_stun, packets)):
            claim = self._by_source.get(source)
            if claim is not None:
                claim.holder.push(received)
            return
        for index, packet in enumerate(packets):
            single = _Received(source, [packet], arrivals[index : index + 1])
            if is_stun(packet):
                receiver = self._find_stun_receiver(packet, single, now)
            else:
                claim = self._by_source.get(source)
                receiver = None if claim is None else claim.holder
            if receiver is not None:
                receiver.push(single)

    def _find_stun_receiver(self, packet: bytes, received: _Received, now: float) -> MuxSocket | None:
        if _message_type(packet) & 0x0100:
            return self._by_transaction.pop(packet[8:20], None)
        username = find_username(packet)
        if username is None:
            # A keepalive indication of ICE has no USERNAME.
            claim = self._by_source.get(received.source)
            return None if claim is None else claim.holder
        username_fragment, _, remote = username.partition(":")
        receiver = self._by_username_fragment.get(username_fragment)
        if receiver is None:
            local = self.datagram_socket.local_address
            check = UnknownCheck(username_fragment, remote, received.source, local)
            self._mux.keep_unknown(check, self, received, now)
        return receiver


@strict_class
class UdpMux:
    """One UDP port for any number of connections: a network whose sockets share it.

    Each connection gets ``Settings(network=mux)``. The connections must end before the block of the multiplexer does::

        async with trio_rtc.UdpMux(port=3478) as mux:
            settings = trio_rtc.Settings(network=mux)
            async with trio_rtc.RTCPeerConnection(settings=settings) as pc:
                ...

    Args:
        port: The port; 0: a free one for each address.
        network: The network below; ``None``: this host's.
        interface_filter: Returns for each address of this host whether it may be used. By default, loopback addresses
            are used only if there are no others, and link-local ones are not used.
        options: Bounds.

    Attributes:
        options: Bounds.
        overflowed: Number of received packets that were dropped because a connection's queue was full.
        unknown: Number of received checks with an unknown username fragment that were dropped.
    """

    options = UdpMuxOptions()
    overflowed = 0
    unknown = 0

    def __init__(
        self,
        port: int = 0,
        *,
        network: Network | None = None,
        interface_filter: Callable[[InterfaceAddress], bool] | None = None,
        options: UdpMuxOptions | None = None,
    ) -> None:
        self.options = options or self.options
        self._port = port
        self._network = network or SystemNetwork()
        self._interface_filter = interface_filter
        self._shared: dict[InterfaceAddress, _SharedSocket] = {}
        self._early: OrderedDict[str, _Early] = OrderedDict()
        self._into_unknown: trio.MemorySendChannel[UnknownCheck] | None = None
        self._block: AbstractAsyncContextManager[None]

    # -- the block -------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        require_trio("async with UdpMux")
        block = self._run()
        await block.__aenter__()
        self._block = block
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._block.__aexit__(kind, error, traceback)

    @asynccontextmanager
    async def _run(self) -> AsyncIterator[None]:
        with ungrouped_errors():
            async with trio.open_nursery() as nursery:
                try:
                    for interface in self._choose_interfaces():
                        opened = await self._network.bind_udp(interface, self._port)
                        shared = self._shared[interface] = _SharedSocket(opened, self)
                        nursery.start_soon(shared.run)
                    yield
                finally:
                    for shared in self._shared.values():
                        shared.datagram_socket.close()
                    nursery.cancel_scope.cancel()

    def _choose_interfaces(self) -> Sequence[InterfaceAddress]:
        addresses = self._network.interface_addresses()
        if self._interface_filter is not None:
            return [address for address in addresses if self._interface_filter(address)]
        return usable_addresses(addresses)

    @property
    def local_addresses(self) -> Sequence[Address]:
        """The addresses of the shared sockets."""
        return [shared.datagram_socket.local_address for shared in self._shared.values()]

    @property
    def entries(self) -> int:
        """Number of username fragments and sources of all connections: 0 when all have ended."""
        return sum(shared.entries for shared in self._shared.values())

    # -- Network ---------------------------------------------------------------------------------------------

    def interface_addresses(self) -> Sequence[InterfaceAddress]:
        """Return the addresses that have a shared socket."""
        return list(self._shared)

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> MuxSocket:
        """Return a connection's part of a shared socket.

        Raises:
            OSError: There is none on this address, or ``port`` is another port.
        """
        await trio.lowlevel.checkpoint()
        shared = self._shared.get(interface)
        if shared is None or port not in (0, shared.datagram_socket.local_address.port):
            raise OSError(f"the UDP multiplexer has no socket on {interface.host} with port {port}")
        return MuxSocket(shared, self)

    async def connect_tcp(self, interface: InterfaceAddress, remote: Address) -> StreamSocket:
        """Open a TCP connection, of the network below."""
        return await self._network.connect_tcp(interface, remote)

    async def open_multicast(self, interface: InterfaceAddress, group: Address) -> DatagramSocket:
        """Open a multicast socket, of the network below."""
        return await self._network.open_multicast(interface, group)

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Resolve a host name by the network below."""
        return await self._network.resolve(host, port)

    # -- unknown username fragments --------------------------------------------------------------------------

    @asynccontextmanager
    async def unknown_checks(self) -> AsyncIterator[trio.MemoryReceiveChannel[UnknownCheck]]:
        """Report connectivity checks with a username fragment that no connection has, each fragment once.

        The application can make the connection that the peer expects, with ICE credentials that it derives from the
        check: its first packets are kept for ``unknown_check_lifetime``.
        """
        if self._into_unknown is not None:
            raise RuntimeError("unknown_checks() is in use: one block at a time reports them")
        into, out = trio.open_memory_channel[UnknownCheck](self.options.max_unknown_checks)
        self._into_unknown = into
        try:
            async with out:
                yield out
        finally:
            self._into_unknown = None
            self._early.clear()
            await trio.lowlevel.checkpoint()

    def keep_unknown(
        self, check: UnknownCheck, shared: _SharedSocket, received: _Received, now: float
    ) -> None:
        """Keep a check for a connection that the application may make, and report a new username fragment."""
        while self._early and next(iter(self._early.values())).expires <= now:
            self._early.popitem(last=False)
        early = self._early.get(check.username_fragment)
        if self._into_unknown is None or (
            early is None and len(self._early) >= self.options.max_unknown_checks
        ):
            self.unknown += 1
            return
        if early is None:
            try:
                self._into_unknown.send_nowait(check)
            except (trio.WouldBlock, trio.BrokenResourceError):
                self.unknown += 1
                return
            early = self._early[check.username_fragment] = _Early(now + self.options.unknown_check_lifetime)
        if len(early.packets) < _MAX_EARLY_PACKETS:
            early.packets.append((shared, received))

    def replay(self, username_fragment: str) -> None:
        """Distribute the packets that were kept for a username fragment."""
        early = self._early.pop(username_fragment, None)
        for shared, received in () if early is None else early.packets:
            shared.distribute(received, trio.current_time())


def find_username(packet: bytes) -> str | None:
    """Return USERNAME of a STUN message, which is not authenticated; ``None`` if there is none that is valid."""
    position, end = 20, len(packet)
    for _ in range(_MAX_ATTRIBUTES):
        if position + 4 > end:
            return None
        kind, length = _ATTRIBUTE_HEADER.unpack_from(packet, position)
        position += 4
        if kind == _USERNAME:
            if length > _MAX_USERNAME or position + length > end:
                return None
            return packet[position : position + length].decode(errors="replace")
        position += (length + 3) & ~3
    return None


def _may_be_stun(packet: bytes) -> bool:
    return packet[:1] < b"\x04"


def _message_type(packet: bytes) -> int:
    return packet[0] << 8 | packet[1]
