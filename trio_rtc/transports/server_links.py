"""Connections to a TURN server (RFC 8656 section 3.1): UDP, TCP and TLS.

Over TCP and TLS, messages are framed by their own length fields (section 12.5, RFC 8489 section 6.2.2).
"""

import logging
from collections.abc import Sequence
from typing import Protocol

import trio

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.turn import StreamFramer

from .network import DatagramSocket, StreamSocket

logger = logging.getLogger("trio_rtc.turn")


class ServerLink(Protocol):
    """A connection to a server, which sends and receives STUN and ChannelData messages.

    The implementers are one for each transport protocol.
    """

    @property
    def reliable(self) -> bool:
        """Whether messages are neither lost nor reordered (TCP, TLS)."""

    @property
    def local_address(self) -> Address:
        """Local address of the connection."""

    @property
    def unsendable(self) -> int:
        """Number of messages lost locally."""

    @property
    def arrival_times(self) -> Sequence[float]:
        """Arrival time of each message of the last batch; empty if not known."""

    def enable_arrival_times(self) -> None:
        """Enable ``arrival_times`` where the system supports it."""

    async def receive(self) -> list[bytes]:
        """Wait for messages of the server.

        Raises:
            trio.ClosedResourceError: The connection has ended.
        """

    def send_nowait(self, batch: Sequence[bytes]) -> bool:
        """Send messages without waiting. Return whether all are sent; if not, ``drain`` waits until they are."""

    async def drain(self) -> None:
        """Wait until the messages queued by ``send_nowait`` are sent.

        Raises:
            trio.ClosedResourceError: The connection was closed.
        """

    def close(self) -> None:
        """Close the connection. A waiting ``receive`` raises ``trio.ClosedResourceError``."""


class UdpLink:
    """UDP to a server. Packets of other addresses are dropped, and counted as ``unexpected``.

    Args:
        datagram_socket: A socket of its own.
    """

    reliable = False

    def __init__(self, datagram_socket: DatagramSocket, server: Address) -> None:
        self._socket = datagram_socket
        self._server = server
        self._arrival_times: Sequence[float] = ()
        self.unexpected = 0

    @property
    def local_address(self) -> Address:
        return self._socket.local_address

    @property
    def unsendable(self) -> int:
        return self._socket.unsendable

    @property
    def arrival_times(self) -> Sequence[float]:
        return self._arrival_times

    def enable_arrival_times(self) -> None:
        self._socket.enable_arrival_times()

    async def receive(self) -> list[bytes]:
        while True:
            runs = await self._socket.receive_batch()
            accepted = [packet for source, packets in runs if source == self._server for packet in packets]
            foreign = sum(len(packets) for source, packets in runs if source != self._server)
            # Times belong to all packets of the batch.
            self._arrival_times = () if foreign else self._socket.arrival_times
            self.unexpected += foreign
            if accepted:
                return accepted

    def send_nowait(self, batch: Sequence[bytes]) -> bool:
        return self._socket.send_nowait(batch, self._server)

    async def drain(self) -> None:
        await self._socket.drain()

    def close(self) -> None:
        self._socket.close()


class StreamLink:
    """TCP or TLS to a server.

    Args:
        stream: A connection of its own.
    """

    reliable = True
    arrival_times: Sequence[float] = ()

    def __init__(self, stream: StreamSocket) -> None:
        self._stream = stream
        self._framer = StreamFramer()

    @property
    def local_address(self) -> Address:
        return self._stream.local_address

    @property
    def unsendable(self) -> int:
        return self._stream.unsendable

    def enable_arrival_times(self) -> None:
        """Do nothing: when a part of a stream has arrived is not known."""

    async def receive(self) -> list[bytes]:
        while True:
            try:
                data = await self._stream.receive_some()
                messages = self._framer.receive(data)
            except (OSError, ProtocolError) as error:
                logger.debug("the connection from %s to the server has failed: %s", self.local_address, error)
                data, messages = b"", []
            if not data:
                self._stream.close()
                raise trio.ClosedResourceError("the server has closed the connection")
            if messages:
                return messages

    def send_nowait(self, batch: Sequence[bytes]) -> bool:
        return self._stream.send_nowait(batch)

    async def drain(self) -> None:
        await self._stream.drain()

    def close(self) -> None:
        self._stream.close()
