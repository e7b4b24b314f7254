"""TCP connections of this host, written in messages without waiting."""

import contextlib
import logging
import socket
from collections import deque
from collections.abc import Sequence

import trio

from trio_rtc.protocols._contract import Address

from .network import InterfaceAddress

logger = logging.getLogger("trio_rtc.tcp")

MAX_QUEUED_BYTES = 256 * 1024
_READ_SIZE = 64 * 1024
_WOULD_BLOCK = (BlockingIOError, InterruptedError)


class SystemStreamSocket:
    """A TCP connection of this host (see :class:`trio_rtc.transports.network.StreamSocket`)."""

    def __init__(self, sock: socket.socket, local_address: Address) -> None:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            # Packets of real-time media must not wait for acknowledgements.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._local_address = local_address
        self._queue: deque[memoryview] = deque()
        self._queued_bytes = 0
        self._draining = trio.Lock()
        self._broken = False
        self._closed = False
        self.unsendable = 0

    @property
    def local_address(self) -> Address:
        return self._local_address

    @property
    def room(self) -> int:
        return MAX_QUEUED_BYTES - self._queued_bytes

    async def receive_some(self) -> bytes:
        while True:
            self._check_open()
            await trio.lowlevel.wait_readable(self._socket)
            with contextlib.suppress(*_WOULD_BLOCK):
                return self._socket.recv(_READ_SIZE)

    def send_nowait(self, batch: Sequence[bytes]) -> bool:
        for message in batch:
            if self._closed or self._broken or len(message) > self.room:
                self.unsendable += 1
                continue
            self._queue.append(memoryview(message))
            self._queued_bytes += len(message)
        if self._closed:
            return True
        self._write()
        return not self._queue

    async def drain(self) -> None:
        # In trio, only one task can wait for a socket.
        async with self._draining:
            while self._queue:
                self._check_open()
                await trio.lowlevel.wait_writable(self._socket)
                self._write()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            trio.lowlevel.notify_closing(self._socket)
            self.unsendable += len(self._queue)
            self._socket.close()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("the connection was closed")

    def _write(self) -> None:
        queue = self._queue
        try:
            while queue:
                sent = self._socket.sendmsg(list(queue)[:64])
                self._queued_bytes -= sent
                while queue and sent >= len(queue[0]):
                    sent -= len(queue.popleft())
                if sent:
                    queue[0] = queue[0][sent:]
        except _WOULD_BLOCK:
            pass
        except OSError as error:
            # The connection was reset, which ``receive_some`` reports.
            logger.debug("sending from %s failed: %s", self._local_address, error)
            self._broken = True
            self.unsendable += len(queue)
            queue.clear()
            self._queued_bytes = 0


async def connect_tcp(interface: InterfaceAddress, remote: Address) -> SystemStreamSocket:
    """Open a TCP connection from an address of this host.

    Raises:
        OSError: The address is not available, or the connection was refused.
    """
    family = socket.AF_INET6 if interface.is_ipv6 else socket.AF_INET
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    scope = (0, interface.scope_id) if interface.is_ipv6 else ()
    try:
        await sock.bind((interface.host, 0, *scope))
        await sock.connect((remote.host, remote.port, *scope))
        local_address = Address(interface.host, sock.getsockname()[1])
        return SystemStreamSocket(socket.socket(family, socket.SOCK_STREAM, 0, sock.detach()), local_address)
    except BaseException:
        sock.close()
        raise
