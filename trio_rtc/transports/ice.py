"""ICE's shell: joins the agent to the sockets and hands upward what is not ICE's.

Packets are told apart by their first byte (RFC 7983). STUN goes to the agent. Everything else goes up only if
it came over a pair of addresses that has passed an authenticated check: the rest is dropped and counted.
Here is the one place where data packets skip a core, and its task: an agent has nothing to say about them.
"""

import contextlib
import logging
from collections.abc import Callable, Sequence
from itertools import groupby

import trio

from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import Agent, IceClosed, IceEvent, SelectedPairChanged

from .base import Inbox, Transport
from .network import DatagramSocket

logger = logging.getLogger("trio_rtc.ice")

ReceivedRtp = tuple[list[bytes], Sequence[float]]
"""Packets of media, and when each of them came; nothing where only the present is known."""

MAX_DATAGRAM_SIZE = 2048
"""Bytes of the largest datagram that is taken; libwebrtc takes no larger packets of media either.

Nothing that WebRTC sends is longer than the path MTU, and what a datagram may cost grows with its length.
"""


class IceTransport(Transport[list[Datagram], Datagram, IceEvent]):
    """Drives an ICE agent over any number of sockets.

    Attributes:
        agent: The core.
        bytes_sent: Bytes of data sent for the layers above.
        bytes_received: Bytes of data handed to the layers above.
        packets_sent: The same in packets.
        packets_received: The same in packets.
        unsent: Packets of the layers above that found no selected pair, and those of ICE whose socket is gone.
        unexpected: Packets that came from where no authenticated check has come from, are of no known kind, or are
            larger than ``MAX_DATAGRAM_SIZE``.
    """

    def __init__(
        self,
        agent: Agent,
        inbox: Inbox[list[Datagram]],
        dtls_inbox: Inbox[list[bytes]],
        report: Callable[[IceEvent], None],
    ) -> None:
        super().__init__(agent, inbox)
        self.agent = agent
        self.bytes_sent = self.bytes_received = self.packets_sent = self.packets_received = 0
        self.unsent = self.unexpected = 0
        self._rtp_inbox: Inbox[ReceivedRtp] | None = None
        self._dtls_inbox = dtls_inbox
        self._report = report
        self._sockets: dict[Address, DatagramSocket] = {}
        self._unsendable_by_removed = 0
        self._route: tuple[DatagramSocket, Address] | None = None

    @property
    def unsendable(self) -> int:
        """Datagrams of any layer that no socket could send, those of sockets that are gone included."""
        return self._unsendable_by_removed + sum(each.unsendable for each in self._sockets.values())

    def set_rtp_inbox(self, inbox: Inbox[ReceivedRtp]) -> None:
        """Say where media goes from now on. Until then it is dropped."""
        self._rtp_inbox = inbox
        for datagram_socket in self._sockets.values():
            datagram_socket.enable_arrival_times()

    def add_socket(self, datagram_socket: DatagramSocket) -> None:
        """Let the agent send on a socket."""
        self._sockets[datagram_socket.local_address] = datagram_socket
        if self._rtp_inbox is not None:
            datagram_socket.enable_arrival_times()

    def remove_socket(self, datagram_socket: DatagramSocket) -> None:
        """Forget a socket that was closed, but not what it has counted."""
        if self._sockets.pop(datagram_socket.local_address, None) is not None:
            self._unsendable_by_removed += datagram_socket.unsendable
        if self._route is not None and self._route[0] is datagram_socket:
            self._route = None

    def send_nowait(self, batch: Sequence[bytes], now: float) -> bool:
        """Send data over the selected pair; without one it is lost, as on any network without a route."""
        route = self._route
        if route is None:
            self.unsent += len(batch)
            return True
        self.packets_sent += len(batch)
        self.bytes_sent += sum(map(len, batch))
        return route[0].send_nowait(batch, route[1])

    async def drain(self) -> None:
        """Wait until the socket of the selected pair has sent what it has kept."""
        if self._route is not None:
            await _drain_or_lose(self._route[0])

    def receive_packets(
        self,
        local: Address,
        remote: Address,
        packets: list[bytes],
        now: float,
        arrivals: Sequence[float] = (),
    ) -> None:
        """Sort what a socket has received: STUN to the agent's inbox, data straight to the inbox above.

        Called by the task of the socket. An agent has nothing to say about data, so data is spared its task.
        """
        dtls: list[bytes] = []
        rtp: list[bytes] = []
        stun: list[Datagram] = []
        for packet in packets:
            kind = packet[0] if packet else 255
            if len(packet) > MAX_DATAGRAM_SIZE:
                self.unexpected += 1
            elif 19 < kind < 64:
                dtls.append(packet)
            elif 127 < kind < 192:
                rtp.append(packet)
            elif kind < 4:
                stun.append(Datagram(packet, local, remote))
            else:
                self.unexpected += 1
        if stun:
            self._inbox.push(stun, len(stun), now)
        if not (dtls or rtp):
            return
        if not self.agent.accepts(local, remote):
            self.unexpected += len(dtls) + len(rtp)
            return
        if dtls:
            self._count_received(dtls)
            self._dtls_inbox.push(dtls, len(dtls), now)
        if rtp:
            if arrivals and len(rtp) != len(packets):
                both = zip(packets, arrivals, strict=True)
                arrivals = [
                    at
                    for packet, at in both
                    if packet and 127 < packet[0] < 192 and len(packet) <= MAX_DATAGRAM_SIZE
                ]
            self._receive_rtp(rtp, now, arrivals)

    def _receive_rtp(self, packets: list[bytes], now: float, arrivals: Sequence[float]) -> None:
        if self._rtp_inbox is None:
            self.unexpected += len(packets)
            return
        self._count_received(packets)
        self._rtp_inbox.push((packets, arrivals), len(packets), now)

    def _count_received(self, packets: list[bytes]) -> None:
        self.packets_received += len(packets)
        self.bytes_received += sum(map(len, packets))

    def _receive(self, item: list[Datagram], now: float) -> None:
        self.agent.receive(item, now)

    def _handle(self, event: IceEvent, now: float) -> None:
        if isinstance(event, SelectedPairChanged):
            self._select(event)
        elif isinstance(event, IceClosed):
            self._route = None
        self._report(event)

    def _select(self, event: SelectedPairChanged) -> None:
        pair = event.pair
        if pair is None:
            self._route = None
            return
        datagram_socket = self._sockets.get(pair.local_base)
        self._route = None if datagram_socket is None else (datagram_socket, pair.remote_address)
        logger.info("selected pair: %s", pair)

    def _send_down(self, datagrams: list[Datagram], now: float) -> bool:
        all_sent = True
        for (local, remote), run in groupby(datagrams, key=lambda datagram: datagram[1:]):
            datagram_socket = self._sockets.get(local)
            batch = [datagram.data for datagram in run]
            if datagram_socket is None:
                self.unsent += len(batch)
            else:
                all_sent &= datagram_socket.send_nowait(batch, remote)
        return all_sent

    async def _drain(self) -> None:
        for datagram_socket in tuple(self._sockets.values()):
            await _drain_or_lose(datagram_socket)

    def _close_upper_inboxes(self) -> None:
        self._dtls_inbox.close()
        if self._rtp_inbox is not None:
            self._rtp_inbox.close()


async def _drain_or_lose(datagram_socket: DatagramSocket) -> None:
    """Wait until a socket has sent what it has kept; what it has when its address goes away is lost."""
    with contextlib.suppress(trio.ClosedResourceError):
        await datagram_socket.drain()
