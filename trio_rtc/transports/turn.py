"""The shell of TURN allocations: a relayed socket, and the client that allocates it.

A :class:`RelayedSocket` has the shape of a UDP socket, so that an ICE transport uses both alike. Its core is
:class:`trio_rtc.protocols.turn.Allocation`. It has no task: the task that receives from it also runs its timers, and
releases the allocation when it ends, also when it is cancelled.
"""

import contextlib
import logging
import math
import random
import ssl
from collections.abc import Iterator, Sequence

import trio

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import IceServer
from trio_rtc.protocols.ice.destinations import refuse_destination
from trio_rtc.protocols.stun import LongTermCredentials
from trio_rtc.protocols.turn import (
    ALLOCATION_MISMATCH,
    AddressFamily,
    Allocation,
    AllocationCreated,
    AllocationFailed,
    AllocationRedirected,
    AllocationRefreshed,
    PeerRefused,
    TurnEvent,
    TurnOptions,
)

from .network import BindSocket, InterfaceAddress, Network
from .server_links import ServerLink, StreamLink, UdpLink
from .tls import TlsStream

logger = logging.getLogger("trio_rtc.turn")

_MAX_REDIRECTIONS = 3
_CONFIRMATION_TIMEOUT = 5.0


class AllocationError(Exception):
    """A TURN server has refused an allocation, with an error response.

    Attributes:
        reason: Reason phrase of the server.
    """

    def __init__(self, code: int, reason: str, local_address: Address) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason
        self.local_address = local_address


class RelayedSocket:
    """A relayed transport address (see :class:`trio_rtc.transports.network.DatagramSocket`).

    Args:
        link: Connection to the server, which belongs to this socket.
    """

    def __init__(self, link: ServerLink, allocation: Allocation) -> None:
        self._link = link
        self._allocation = allocation
        self._created: AllocationCreated | None = None
        self._result: AllocationFailed | AllocationRedirected | None = None
        self._timer = trio.CancelScope()
        self._armed = math.inf
        self._arrival_times: Sequence[float] = ()
        self._confirmed = trio.Event()
        self._receiving = False
        self._closed = False

    @property
    def local_address(self) -> Address:
        """The relayed transport address."""
        assert self._created is not None
        return self._created.relayed_address

    @property
    def link_address(self) -> Address:
        """Local address of the connection to the server."""
        return self._link.local_address

    @property
    def mapped_address(self) -> Address:
        """The client's address as the server sees it."""
        assert self._created is not None
        return self._created.mapped_address

    @property
    def unsendable(self) -> int:
        """Number of packets lost locally: without a permission, or by the connection to the server."""
        return self._allocation.unsent + self._link.unsendable

    @property
    def arrival_times(self) -> Sequence[float]:
        return self._arrival_times

    def enable_arrival_times(self) -> None:
        self._link.enable_arrival_times()

    async def allocate(self) -> AllocationCreated | AllocationFailed | AllocationRedirected:
        """Create the allocation. When this is cancelled, it is released; without one, the connection is closed."""
        now = trio.current_time()
        self._allocation.allocate(now)
        self._flush(now)
        try:
            while self._created is None and self._result is None:
                await self._step()
        except trio.ClosedResourceError:
            self._result = self._result or AllocationFailed(None, "the server has closed the connection")
        except trio.Cancelled:
            await self._release()
            raise
        if self._created is not None:
            return self._created
        self._link.close()
        assert self._result is not None
        return self._result

    async def receive_batch(self) -> Sequence[tuple[Address, list[bytes]]]:
        self._receiving = True
        try:
            while True:
                received = self._allocation.received_data()
                if received:
                    return received
                if self._closed or self._allocation.closed:
                    await self._release()
                    raise trio.ClosedResourceError("the allocation was released")
                await self._step()
        except trio.Cancelled:
            await self._release()
            raise
        finally:
            self._receiving = False

    async def confirm(self) -> bool:
        """Return whether the server still has the allocation. Another task must be receiving."""
        self._confirmed = trio.Event()
        now = trio.current_time()
        self._allocation.refresh(now)
        self._flush(now)
        with trio.move_on_after(_CONFIRMATION_TIMEOUT):
            await self._confirmed.wait()
        return self._confirmed.is_set() and not self._allocation.closed

    def send_nowait(self, batch: Sequence[bytes], remote: Address) -> bool:
        wrapped = self._allocation.wrap(batch, remote)
        if wrapped is not None:
            return self._link.send_nowait(wrapped)
        now = trio.current_time()
        self._allocation.send(batch, remote, now)
        return self._flush(now)

    async def drain(self) -> None:
        await self._link.drain()

    def close(self) -> None:
        """Begin to release the allocation. The task in ``receive_batch`` waits for the server's response."""
        if self._closed:
            return
        self._closed = True
        now = trio.current_time()
        self._allocation.release(now)
        self._flush(now)
        if self._receiving:
            self._timer.cancel()
        else:
            self._link.close()

    async def _step(self) -> None:
        """Wait for packets of the server or for the next timer, and process either."""
        allocation = self._allocation
        self._armed = allocation.next_timer()
        packets: list[bytes] = []
        with trio.CancelScope(deadline=self._armed) as self._timer:
            packets = await self._link.receive()
        now = trio.current_time()
        if packets:
            allocation.receive(packets, now)
            times = self._link.arrival_times
            self._arrival_times = times if allocation.only_channel_data else ()
        allocation.handle_timer(now)
        if not self._flush(now):
            await self._link.drain()

    def _flush(self, now: float) -> bool:
        allocation = self._allocation
        packets = allocation.datagrams_to_send(now)
        all_sent = not packets or self._link.send_nowait(packets)
        for event in allocation.events():
            self._handle(event)
        deadline = allocation.next_timer()
        if deadline < self._armed:
            self._armed = self._timer.deadline = deadline
        return all_sent

    def _handle(self, event: TurnEvent) -> None:
        match event:
            case AllocationCreated():
                self._created = event
            case AllocationFailed() | AllocationRedirected():
                self._result = event
            case AllocationRefreshed():
                self._confirmed.set()
            case PeerRefused():
                logger.info("no packets are relayed to %s: %s %s", event.host, event.code, event.reason)
            case _:
                self._confirmed.set()
                if event.reason is not None:
                    logger.warning("the allocation of %s has ended: %s", self.local_address, event.reason)

    async def _release(self) -> None:
        """Release the allocation, wait for the response at most ``release_timeout``, and close the connection."""
        self._closed = True
        now = trio.current_time()
        self._allocation.release(now)
        self._flush(now)
        try:
            # The core's own timeout ends this; the deadline is for a connection that cannot be written to.
            with trio.CancelScope(shield=True, deadline=now + self._allocation.release_timeout):
                while not self._allocation.closed:
                    await self._step()
        except trio.ClosedResourceError:
            pass
        finally:
            self._link.close()


class TurnClient:
    """Allocates on TURN servers.

    Args:
        options: Times and limits of allocations.
        rng: Source of transaction IDs.
        tls_context: Trusted certificates for ``turns:``; ``None``: those of the system.
    """

    def __init__(
        self,
        options: TurnOptions,
        *,
        network: Network,
        rng: random.Random,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        self._options = options
        self._network = network
        self._rng = rng
        self._tls_context = tls_context

    async def allocate(
        self, server: IceServer, address: Address, interface: InterfaceAddress, bind: BindSocket
    ) -> RelayedSocket:
        """Create an allocation (see :class:`trio_rtc.transports.port_allocator.RelayAllocator`)."""
        contacted = {address}
        while True:
            relayed, result = await self._allocate_with_new_port(server, address, interface, bind)
            if isinstance(result, AllocationCreated):
                return relayed
            if isinstance(result, AllocationFailed):
                if result.code is None:
                    raise OSError(f"{address.host}:{address.port}: {result.reason}")
                raise AllocationError(result.code, result.reason, relayed.link_address)
            logger.debug("%s redirects to %s", address, result.address)
            # RFC 8489 section 10: a server that was contacted before ends the redirection.
            refusal = refuse_server_address(result.address, like=address)
            if result.address in contacted or len(contacted) > _MAX_REDIRECTIONS:
                refusal = "redirected in a circle"
            if refusal is not None:
                raise OSError(f"redirected to {result.address.host}:{result.address.port}: {refusal}")
            address = result.address
            contacted.add(address)

    async def _allocate_with_new_port(
        self, server: IceServer, address: Address, interface: InterfaceAddress, bind: BindSocket
    ) -> tuple[RelayedSocket, AllocationCreated | AllocationFailed | AllocationRedirected]:
        """Allocate; once more from another port if the server still has an allocation of this one (437)."""
        relayed, result = await self._attempt(server, address, interface, bind)
        if isinstance(result, AllocationFailed) and result.code == ALLOCATION_MISMATCH:
            relayed, result = await self._attempt(server, address, interface, bind)
        return relayed, result

    async def _attempt(
        self, server: IceServer, address: Address, interface: InterfaceAddress, bind: BindSocket
    ) -> tuple[RelayedSocket, AllocationCreated | AllocationFailed | AllocationRedirected]:
        credentials = None
        if server.username is not None and server.credential is not None:
            try:
                credentials = LongTermCredentials(server.username, server.credential)
            except ValueError as error:
                raise OSError(str(error)) from error
        link = await self._connect(server, address, interface, bind)
        allocation = Allocation(
            self._options,
            rng=self._rng,
            credentials=credentials,
            # Without the attribute, which old servers do not know, the address is an IPv4 one.
            family=AddressFamily.IPV6 if interface.is_ipv6 else None,
            reliable=link.reliable,
        )
        relayed = RelayedSocket(link, allocation)
        return relayed, await relayed.allocate()

    async def _connect(
        self, server: IceServer, address: Address, interface: InterfaceAddress, bind: BindSocket
    ) -> ServerLink:
        if server.transport == "udp":
            if server.scheme == "turns":
                raise OSError("DTLS to a TURN server is not supported in this version")
            return UdpLink(await bind(), address)
        with _timeout(self._options.timeout, "no TCP connection"):
            connection = await self._network.connect_tcp(interface, address)
        if server.scheme == "turn":
            return StreamLink(connection)
        tls = TlsStream(connection, self._tls_context or ssl.create_default_context(), server.host)
        try:
            with _timeout(self._options.timeout, "no response in the TLS handshake"):
                await tls.handshake()
        except BaseException:
            tls.close()
            raise
        return StreamLink(tls)


@contextlib.contextmanager
def _timeout(seconds: float, message: str) -> Iterator[None]:
    with trio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise TimeoutError(f"{message} within {seconds:g} s")


def refuse_server_address(address: Address, *, like: Address) -> str | None:
    """Return the reason not to follow a redirection to an address; ``None`` if it is permitted."""
    if (":" in address.host) is not (":" in like.host):
        return "another address family"
    return refuse_destination(address)
