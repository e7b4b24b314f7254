"""The ICE transport: connects the agent to its sockets, and demultiplexes received packets.

Packets are demultiplexed by their first byte (RFC 7983). STUN is passed to the agent. DTLS and SRTP are passed to the
layers above, without the agent's task, if an authenticated check has passed between their addresses; otherwise they
are dropped and counted.
"""

import contextlib
import logging
from collections.abc import Callable, Sequence
from itertools import groupby

import trio

from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import Agent, IceClosed, IceEvent, LocalCandidateGathered, SelectedPairChanged

from .base import Inbox, Transport
from .network import DatagramSocket
from .udp_mux import MuxSocket

logger = logging.getLogger("trio_rtc.ice")

ReceivedRtp = tuple[list[bytes], Sequence[float]]
"""Received RTP and RTCP packets, and their arrival times; no times if they are not known."""

MAX_DATAGRAM_SIZE = 2048
"""Maximum size of a received datagram in bytes; libwebrtc has the same limit for media packets.

WebRTC sends no packets above the path MTU, and the processing cost of a datagram grows with its length.
"""


class IceTransport(Transport[list[Datagram], Datagram, IceEvent]):
    """Drives an ICE agent over any number of sockets.

    Attributes:
        bytes_sent: Number of bytes sent for the layers above.
        bytes_received: Number of bytes passed to the layers above.
        packets_sent: Number of packets sent for the layers above.
        packets_discarded: Number of packets of the layers above that the socket discarded instead of sending them.
        bytes_discarded: Their bytes.
        packets_received: Number of packets passed to the layers above.
        last_sent_at: When the last packet of the layers above was sent; ``None`` before the first.
        last_received_at: When the last packet for the layers above arrived; ``None`` before the first.
        unsent: Number of packets of the layers above without a selected pair, and of STUN packets without a socket.
        unexpected: Number of received packets from a path without an authenticated check, of no known protocol, or
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
        self.packets_discarded = self.bytes_discarded = 0
        self.last_sent_at: float | None = None
        self.last_received_at: float | None = None
        self.unsent = self.unexpected = 0
        self._rtp_inbox: Inbox[ReceivedRtp] | None = None
        self._dtls_inbox = dtls_inbox
        self._report = report
        self._accepted_paths = agent.accepted_paths
        self._sockets: dict[Address, DatagramSocket] = {}
        self._mux_sockets: dict[Address, MuxSocket] = {}
        self._unsendable_by_removed = 0
        self._route: tuple[DatagramSocket, Address] | None = None

    @property
    def unsendable(self) -> int:
        """Number of datagrams of all layers that the sockets could not send, closed sockets included."""
        return self._unsendable_by_removed + sum(each.unsendable for each in self._sockets.values())

    def set_dtls_inbox(self, inbox: Inbox[list[bytes]]) -> None:
        """Set the inbox for DTLS; packets queued in the former one are lost."""
        self._dtls_inbox = inbox

    def set_rtp_inbox(self, inbox: Inbox[ReceivedRtp]) -> None:
        """Set the inbox for RTP and RTCP, which are dropped without one."""
        self._rtp_inbox = inbox
        for datagram_socket in self._sockets.values():
            datagram_socket.enable_arrival_times()

    def add_socket(self, datagram_socket: DatagramSocket) -> None:
        self._sockets[datagram_socket.local_address] = datagram_socket
        if isinstance(datagram_socket, MuxSocket):
            self._mux_sockets[datagram_socket.local_address] = datagram_socket
            datagram_socket.set_username_fragment(self.agent.local_parameters.username_fragment)
        if self._rtp_inbox is not None:
            datagram_socket.enable_arrival_times()

    def remove_socket(self, datagram_socket: DatagramSocket) -> None:
        """Remove a closed socket; its counters are kept."""
        self._mux_sockets.pop(datagram_socket.local_address, None)
        if self._sockets.pop(datagram_socket.local_address, None) is not None:
            self._unsendable_by_removed += datagram_socket.unsendable
        if self._route is not None and self._route[0] is datagram_socket:
            self._route = None

    def send_nowait(self, batch: Sequence[bytes], now: float) -> bool:
        """Send data on the selected pair; without one it is dropped, as on a network without a route."""
        route = self._route
        if route is None:
            self.unsent += len(batch)
            return True
        datagram_socket, remote = route
        lost_before = datagram_socket.unsendable
        all_sent = datagram_socket.send_nowait(batch, remote)
        lost = datagram_socket.unsendable - lost_before
        if lost:
            # A full queue loses the last ones; other errors concern all.
            discarded = batch[-lost:]
            self.packets_discarded += len(discarded)
            self.bytes_discarded += sum(map(len, discarded))
            batch = batch[:-lost]
            if not batch:
                return all_sent
        self.last_sent_at = now
        self.packets_sent += len(batch)
        self.bytes_sent += sum(map(len, batch))
        return all_sent

    async def drain(self) -> None:
        """Wait until the socket of the selected pair has sent its queued datagrams."""
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
        """Demultiplex received packets: STUN to the agent's inbox, DTLS and SRTP to those of the layers above.

        Called by the socket's task. Data does not pass the agent's task, which does not process it.
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
        if (local, remote) not in self._accepted_paths:
            self.unexpected += len(dtls) + len(rtp)
            return
        if dtls:
            self._count_received(dtls, now)
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
        self._count_received(packets, now)
        self._rtp_inbox.push((packets, arrivals), len(packets), now)

    def _count_received(self, packets: list[bytes], now: float) -> None:
        self.last_received_at = now
        self.packets_received += len(packets)
        self.bytes_received += sum(map(len, packets))

    def _receive(self, item: list[Datagram], now: float) -> None:
        self.agent.receive(item, now)
        if self._mux_sockets:
            for datagram in item:
                shared = self._mux_sockets.get(datagram.local)
                if shared is not None and (datagram.local, datagram.remote) in self._accepted_paths:
                    shared.accept_source(datagram.remote, now)

    def _handle(self, event: IceEvent, now: float) -> None:
        if isinstance(event, SelectedPairChanged):
            self._select(event)
        elif isinstance(event, LocalCandidateGathered) and self._mux_sockets:
            # The first event of a new ICE generation, whichever side has restarted ICE.
            for shared in self._mux_sockets.values():
                shared.set_username_fragment(self.agent.local_parameters.username_fragment)
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
    """Wait until a socket has sent its queued datagrams, or is closed."""
    with contextlib.suppress(trio.ClosedResourceError):
        await datagram_socket.drain()
