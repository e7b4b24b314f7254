"""Builds packets from queued control chunks, retransmissions and new data.

A packet has a SACK first, then control chunks, then as much data as fits (RFC 9260 section 6.10). The windows and the
pacing rate of the transmitter limit the packets of data; Nagle's algorithm (:mod:`.tx.nagle`) may delay one that is not
full. After a call that has left data behind, the builder knows until when another call would return nothing, so that
queueing many small messages is cheap.
"""

import math
from typing import Final

from trio_rtc import _attrs as attrs

from .counters import Counters
from .options import SctpOptions
from .packet.chunks import Chunk, CookieAck, CookieEcho
from .packet.header import HEADER_SIZE, add_checksum, encode_header, encode_packet
from .state import ControlBlock
from .tx.nagle import BATCH_PACKETS, Nagle
from .tx.send_queue import SendQueue
from .tx.transmitter import Transmitter

# Replies to one batch of packets; further requests in the batch are ignored.
_MAX_PENDING: Final = 32


@attrs.frozen
class CookiePacket:
    """The content of a COOKIE ECHO packet.

    Attributes:
        report: An ERROR chunk to bundle with it if there is room; may be empty.
        with_data: Whether data may be bundled with it.
    """

    cookie: bytes
    report: bytes
    with_data: bool


class PacketBuilder:
    """Builds the packets of an association.

    Args:
        full_size: The payload of a full packet, in bytes.
        counters: Counts control chunks that are dropped.

    Attributes:
        flush_at: When delayed data, or the rest of a burst, must be sent; ``math.inf`` for none.
    """

    def __init__(self, options: SctpOptions, queue: SendQueue, full_size: int, counters: Counters) -> None:
        self.flush_at = math.inf
        self._options = options
        self._queue = queue
        self._counters = counters
        self._capacity = options.max_packet_size - HEADER_SIZE
        self._nagle = Nagle(options.coalescing_delay, BATCH_PACKETS * full_size)
        self._packets: list[bytes] = []
        self._control: list[bytes] = []
        self._quiet_until = -math.inf
        self._quiet_below: float = 0

    # Queueing.

    def queue_packet(self, verification_tag: int, chunk: bytes) -> None:
        """Queue a packet of one chunk, with a checksum and its own verification tag."""
        if len(self._packets) < _MAX_PENDING:
            header = encode_header(self._options.local_port, self._options.remote_port, verification_tag)
            self._packets.append(encode_packet(header, [chunk]))

    def queue_control(self, chunk: Chunk) -> None:
        """Queue a control chunk; drop it, if possible unencoded, if too many are queued or it does not fit a packet."""
        encoded = chunk.encode() if len(self._control) < _MAX_PENDING else None
        if encoded is None or len(encoded) > self._capacity:
            self._counters.drop("reply")
            return
        self._control.append(encoded)
        self._quiet_until = -math.inf

    def queue_control_first(self, chunk: bytes) -> None:
        """Queue a control chunk before all others, unless it is there already."""
        if self._control[:1] != [chunk]:
            self._control.insert(0, chunk)

    def stop_timer(self) -> None:
        """Stop the timer after the association has ended; packets of ``queue_packet`` are still sent."""
        self.flush_at = math.inf

    def discard_packets(self) -> None:
        self._packets.clear()

    def wake(self) -> None:
        """Make the next call examine everything again, after a change."""
        self._quiet_until = -math.inf

    def release(self) -> None:
        """Release delayed data, because a message was received."""
        self._nagle.received = True
        self._quiet_until = -math.inf

    def handle_timer(self, now: float) -> None:
        """Stop an expired timer: the next call sends the delayed data."""
        if now >= self.flush_at:
            self.flush_at = math.inf

    # Building.

    def is_quiet(self, now: float) -> bool:
        """Return whether ``build_packets`` would return nothing, judging from its last call."""
        return now < self._quiet_until and self._queue.total < self._quiet_below

    def take_packets(self) -> list[bytes]:
        packets, self._packets = self._packets, []
        return packets

    def build_cookie_echo(self, block: ControlBlock, due: CookiePacket, now: float) -> list[bytes]:
        """Return a packet of COOKIE ECHO, a report if there is one, and data if that is allowed."""
        self._nagle.record_sent(now)
        source = block.transmitter if due.with_data else None
        control = [CookieEcho(due.cookie).encode()]
        # Nothing else may be sent before COOKIE ACK is received, so a report that does not fit is dropped.
        if due.report and len(control[0]) + len(due.report) <= self._capacity:
            control.append(due.report)
        if source is None or not source.reports_bursts:
            return self._bundle(block, control, source, now, max_packets=1)
        source.begin_burst(now)
        packets = self._bundle(block, control, source, now, max_packets=1)
        source.finish_burst(now)
        return packets

    def build_packets(self, block: ControlBlock, now: float, *, with_data: bool) -> list[bytes]:
        """Return the packets that may leave now, data only if the state of the association allows it."""
        transmitter = block.transmitter
        queued = with_data and bool(self._queue.active)
        if not queued and not self._control and not _has_chunks(block):
            # Usual after a batch that needs no acknowledgement yet.
            self.flush_at = math.inf
            self._quiet_until = -math.inf
            return []
        partial, held_until = True, -math.inf
        if queued and not transmitter.outstanding.lost:
            if not transmitter.outstanding.chunks:
                self._nagle.received = True
            held_until = self._nagle.release_time(self._queue.total)
            partial = self._nagle.received or -math.inf < held_until <= now
        wants = with_data and held_until <= now and transmitter.wants_packet(partial)
        most: float = self._options.max_burst
        reports = wants and transmitter.reports_bursts
        if reports:
            most = min(most, transmitter.begin_burst(now))
            wants = most > 0
        control = self._take_control(block, now, with_data=wants)
        packets: list[bytes] = []
        if wants or control:
            source = transmitter if wants else None
            packets = self._bundle(block, control, source, now, max_packets=most, partial=partial)
        if wants:
            self._nagle.record_sent(now)
            if reports:
                transmitter.finish_burst(now)
                # Data that pacing delays is not delayed again by Nagle's algorithm.
                self._nagle.received = len(packets) >= most < self._options.max_burst
        if with_data:
            self._plan(transmitter, now, burst_cut=len(packets) >= self._options.max_burst)
        return packets

    def _plan(self, transmitter: Transmitter, now: float, *, burst_cut: bool) -> None:
        """Set the time of the next call, if data is left."""
        self.flush_at = math.inf
        self._quiet_until = -math.inf
        if transmitter.forward_pending:
            self.flush_at = now + self._options.burst_interval
            return
        queue = self._queue
        if not queue.active and not transmitter.outstanding.lost:
            return
        if not transmitter.wants_packet(partial=True):
            # Only a SACK or T3-rtx opens the windows.
            transmitter.arm_window_probe(now)
            self._quiet_until = self._quiet_below = math.inf
            return
        if burst_cut:
            self.flush_at = now + self._options.burst_interval
        else:
            self.flush_at = max(self._nagle.release_time(0), now + self._options.burst_interval)
            self._quiet_until = self.flush_at
            self._quiet_below = self._nagle.batch_size
        if transmitter.congestion.pacing_rate is not None:
            self.flush_at = self._quiet_until = max(self.flush_at, transmitter.next_paced_burst)
            self._quiet_below = math.inf

    def _take_control(self, block: ControlBlock, now: float, *, with_data: bool) -> list[bytes]:
        """Return and remove the control chunks to send now, with a SACK first if there is something to acknowledge."""
        # A new list, because the chunks added below must not be sent again with the next packet.
        control, self._control = self._control, []
        if block.resets.may_have_work and block.resets.has_chunks:
            control += block.resets.take_chunks(now, block.transmitter.timeout.value)
        if block.transmitter.forward_pending:
            forward = block.transmitter.take_forward_tsn()
            if forward is not None:
                control.append(forward.encode())
        receiver = block.receiver
        if receiver.ack_due or (receiver.has_unacknowledged and (with_data or control)):
            # COOKIE ACK comes before everything else (section 6.10).
            position = 1 if control and control[0][0] == CookieAck.kind else 0
            control = [*control[:position], receiver.make_sack().encode(), *control[position:]]
        return control

    def _bundle(
        self,
        block: ControlBlock,
        control: list[bytes],
        source: Transmitter | None,
        now: float,
        *,
        max_packets: float,
        partial: bool = True,
    ) -> list[bytes]:
        """Return packets with all of ``control`` and with data from ``source``, at most ``max_packets`` with data."""
        packets: list[bytes] = []
        header, capacity = block.outbound_header, self._capacity
        parts = [header]
        space = capacity
        for chunk in control:
            if len(chunk) > space:
                packets.append(b"".join(parts))
                parts = [header]
                space = capacity
            parts.append(chunk)
            space -= len(chunk)
        if source is not None:
            fill = source.fill_packet
            more = True
            while more and len(packets) < max_packets:
                more = fill(parts, space, now, partial)
                if len(parts) == 1:
                    break
                packets.append(b"".join(parts))
                parts = [header]
                space = capacity
        if len(parts) > 1:
            packets.append(b"".join(parts))
        # A packet with COOKIE ECHO must have a checksum (RFC 9653 section 5.2).
        if not block.capabilities.zero_checksum or (control and control[0][0] == CookieEcho.kind):
            return [add_checksum(packet) for packet in packets]
        return packets


def _has_chunks(block: ControlBlock) -> bool:
    """Return whether there is something to send other than new data and queued control chunks."""
    transmitter = block.transmitter
    return (
        block.receiver.ack_due
        or transmitter.forward_pending
        or bool(transmitter.outstanding.lost)
        or (block.resets.may_have_work and block.resets.has_chunks)
    )
