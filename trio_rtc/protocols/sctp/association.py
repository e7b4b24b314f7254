"""The SCTP association over DTLS, without input or output of its own.

What it is made of: RFC 9260 (SCTP), RFC 8261 (over DTLS), RFC 3758 (partial reliability), RFC 6525 (stream
reset), RFC 7053 (immediate acknowledgement), RFC 9653 (zero checksum), as RFC 8831 asks of data channels.

The state of the association and all that changes it is in :mod:`.lifecycle`: setting up and ending. Here is what flows
while it lives: messages, packets, acknowledgements, and the timers of the data transfer.

What leaves when. ``datagrams_to_send`` bundles control chunks, one SACK, retransmissions and new data into packets,
at most ``max_burst`` in a call; the rest follows by timer. A packet that is not full leaves at once when nothing is
on its way, or when a message has been received since data last left. While the application goes on sending with
only SACKs coming back, less than a batch of full packets waits for more until ``coalescing_delay`` has passed
since the last one, which ``next_timer`` reports. SACKs and control chunks never wait.

Left out: multi-homing and address parameters (RFC 8261 section 6.1 forbids them), ECN, AUTH, interleaving (RFC 8260),
and of RFC 6525 adding streams and resetting TSNs, which are denied.
"""

import random
from collections.abc import Sequence

from trio_rtc.enums import RTCSctpTransportState
from trio_rtc.errors import InvalidStateError, OperationError, ProtocolError

from .counters import Counters
from .events import AssociationError, BufferedAmountLow, MessagesAvailable, SctpEvent
from .lifecycle import Lifecycle
from .options import SctpOptions
from .packet import chunks
from .packet.causes import CauseCode, describe_causes
from .packet.data import DATA, DATA_HEADER_SIZE
from .packet.header import HEADER_SIZE
from .packet.parameters import Parameter
from .packet_builder import PacketBuilder
from .packet_validation import find_drop_reason, matches_fast_path
from .state import ControlBlock
from .statistics import AssociationStatistics, build_statistics
from .tx.path_share import PathShare
from .tx.send_queue import SendQueue, make_reliability

# Chunks that have a packet of their own (section 6.10).
_UNBUNDLED = frozenset((chunks.Init.kind, chunks.InitAck.kind, chunks.ShutdownComplete.kind))


class Association:
    """One SCTP association, in the contract of :class:`trio_rtc.protocols._contract.Core`.

    Args:
        options: See :class:`.SctpOptions`.
        rng: Source of tags, TSNs, nonces and the cookie's secret.

    Attributes:
        counters: What was counted of packets; ``statistics`` has that and more.
    """

    def __init__(self, options: SctpOptions, *, rng: random.Random) -> None:
        self.counters = Counters()
        self._options = options
        self._rng = rng
        self._events: list[SctpEvent] = []
        max_payload = options.max_packet_size - HEADER_SIZE - DATA_HEADER_SIZE
        self._queue = SendQueue(max_payload)
        self._builder = PacketBuilder(options, self._queue, max_payload, self.counters)
        self._share = PathShare(
            options.max_packet_size - HEADER_SIZE, options.shared_queue_delay, options.max_congestion_window
        )
        self._lifecycle = Lifecycle(
            options,
            rng,
            share=self._share,
            queue=self._queue,
            builder=self._builder,
            counters=self.counters,
            events=self._events,
        )

    # Questions.

    @property
    def state(self) -> RTCSctpTransportState:
        """The state as W3C has it."""
        if self._lifecycle.closed:
            return RTCSctpTransportState.CLOSED
        if self._lifecycle.is_established:
            return RTCSctpTransportState.CONNECTED
        return RTCSctpTransportState.CONNECTING

    @property
    def closed(self) -> bool:
        """Whether the association has ended."""
        return self._lifecycle.closed

    @property
    def total_buffered(self) -> int:
        """Bytes of all streams that have not been put into a packet yet."""
        return self._queue.total

    def buffered_amount(self, stream_id: int) -> int:
        """Return the bytes of a stream's messages that have not been put into a packet yet."""
        return self._queue.buffered(stream_id)

    @property
    def acknowledgement_due(self) -> bool:
        """Whether a SACK is to leave at once, such as a window update after ``receive_message``."""
        block = self._lifecycle.block
        return block is not None and block.receiver.ack_due

    def peek_payload_protocol(self, stream_id: int) -> int | None:
        """Return the payload protocol identifier of the message that ``receive_message`` would take."""
        block = self._lifecycle.last_block
        return None if block is None else block.receiver.peek_payload_protocol(stream_id)

    def statistics(self) -> AssociationStatistics:
        """Return a snapshot of all counters."""
        return build_statistics(self.counters, self._lifecycle.last_block, self._queue)

    # Verbs.

    def connect(self, now: float) -> None:
        """Send INIT, unless the peer was first. Both sides may call it.

        Raises:
            InvalidStateError: The association has ended.
        """
        if self.closed:
            raise InvalidStateError("the association has ended")
        self._lifecycle.connect(now)

    def send(
        self,
        stream_id: int,
        payload_protocol_id: int,
        data: bytes,
        now: float,
        *,
        ordered: bool = True,
        max_retransmits: int | None = None,
        lifetime: float | None = None,
    ) -> None:
        """Queue a message. It may be called before the handshake.

        Args:
            stream_id: The stream.
            payload_protocol_id: What the message is, RFC 8831 section 8.
            data: The message, at least a byte.
            now: The time.
            ordered: Whether it keeps its place among the stream's ordered messages.
            max_retransmits: How often a lost chunk of it is sent again; None for as long as it takes.
            lifetime: How long it is tried, in seconds; None for as long as it takes.

        Raises:
            ValueError: There is no such stream, or no data.
            InvalidStateError: The association has ended or is ending.
            OperationError: The send buffer is full.
        """
        lifecycle = self._lifecycle
        if not lifecycle.accepts_messages:
            raise InvalidStateError("the association has ended or is ending")
        if not 0 <= stream_id < lifecycle.outbound_streams:
            raise ValueError(f"stream {stream_id}, there are {lifecycle.outbound_streams}")
        if not data:
            raise ValueError("a message has at least one byte")
        if self._queue.total + len(data) > self._options.send_buffer_size:
            raise OperationError(f"{self._queue.total} bytes wait to be sent already")
        reliability = None
        if max_retransmits is not None or lifetime is not None:
            expires_at = None if lifetime is None else now + lifetime
            reliability = make_reliability(
                stream_id, ordered=ordered, max_retransmits=max_retransmits, expires_at=expires_at
            )
        self._queue.push(stream_id, payload_protocol_id, data, ordered, reliability)

    def receive_message(self, stream_id: int) -> tuple[int, bytes] | None:
        """Take the next message of a stream: its payload protocol identifier and its data.

        What is taken makes room for more, which the peer may have to be told: call ``datagrams_to_send``
        after a run of these. Messages stay here when the association ends.
        """
        block = self._lifecycle.last_block
        if block is None:
            return None
        receiver = block.receiver
        message = receiver.pop_message(stream_id)
        if receiver.ack_due:
            self._builder.wake()
        return message

    def retain_message(self, stream_id: int) -> tuple[int, bytes] | None:
        """Take the next message of a stream without making room for more, which ``release_message`` does later.

        For who has to clear a stream for its next use, while the messages still wait to be read.
        """
        block = self._lifecycle.last_block
        return None if block is None else block.receiver.retain_message(stream_id)

    def release_message(self, message: tuple[int, bytes]) -> None:
        """Make the room of a message that was set aside; call ``datagrams_to_send`` after a run of these."""
        block = self._lifecycle.last_block
        if block is not None:
            block.receiver.release_message(message)
            if block.receiver.ack_due:
                self._builder.wake()

    def is_send_deferred(self, now: float) -> bool:
        """Return whether what was queued last waits for more, so that there is nothing to take at present.

        For callers who queue many small messages: the last ``next_timer`` still tells when to look again.
        """
        return self._builder.is_quiet(now)

    def set_buffered_amount_low_threshold(self, stream_id: int, threshold: int) -> None:
        """Set at or under which buffered amount, in bytes, the event BufferedAmountLow tells it; default 0."""
        self._queue.set_threshold(stream_id, threshold)

    def share_path(self, max_bitrate: float | None, now: float) -> bool:
        """Leave room for media that is sent on the same path; see ``tx/path_share.py``.

        Args:
            max_bitrate: How many bits a second data may take at most, infinite for what the path leaves; ``None``
                where no media is sent.
            now: The time.

        Returns:
            Whether more data may leave now, so that ``datagrams_to_send`` has to be called.
        """
        if not self._share.set_max_bitrate(max_bitrate, now):
            return False
        self._builder.wake()
        return True

    def path_restored(self, now: float) -> None:
        """Retransmit at once what a dead path has lost: T3-rtx may have backed off to many seconds."""
        block = self._lifecycle.block
        if block is not None:
            block.transmitter.path_restored(now)
            self.handle_timer(now)

    def reset_streams(self, stream_ids: Sequence[int], now: float) -> None:
        """Reset our side of streams (RFC 6525), once the messages queued so far are acknowledged.

        Messages queued on them from now on wait until the peer has performed the reset. A stream that is
        being reset already is not reset twice.

        Raises:
            InvalidStateError: The association has not been established, or has ended.
        """
        block = self._lifecycle.block
        if block is None or not self._lifecycle.is_established:
            raise InvalidStateError("the association is not established")
        for stream_id in stream_ids:
            self._queue.begin_reset(stream_id)
            block.resets.request(stream_id)
        self._builder.wake()

    def shutdown(self, now: float) -> None:
        """End in order: what is queued is sent and acknowledged first. Idempotent."""
        self._lifecycle.shutdown()

    def close(self, now: float) -> None:
        """Send ABORT, if there is a peer, and end. Idempotent."""
        self._lifecycle.close()

    def lower_closed(self, now: float) -> None:
        """Hear that DTLS is gone: end without a word."""
        self._lifecycle.lower_closed()

    # Input and output.

    def receive(self, batch: Sequence[bytes], now: float) -> None:
        """Take packets that DTLS has authenticated."""
        lifecycle = self._lifecycle
        if lifecycle.closed:
            return
        self.counters.packets_received += len(batch)
        self._builder.wake()
        accepts_zero_checksum = self._options.zero_checksum
        for packet in batch:
            block = lifecycle.data_block
            try:
                if block is not None and matches_fast_path(
                    packet, block.inbound_header, accepts_zero_checksum
                ):
                    # Ours, intact, in a state that takes data.
                    offset = HEADER_SIZE
                    if packet[HEADER_SIZE] == DATA:
                        offset = block.receiver.receive_data(packet, HEADER_SIZE)
                    if offset < len(packet):
                        self._receive_chunks(packet, offset, now)
                elif self._is_valid(packet):
                    self._receive_chunks(packet, HEADER_SIZE, now)
            except ProtocolError as error:
                self.counters.drop("malformed", error)
        block = lifecycle.data_block
        if block is not None:
            self._finish_batch(block, now)

    def handle_timer(self, now: float) -> None:
        """Act on what is due."""
        self._builder.handle_timer(now)
        self._lifecycle.handle_timer(now)
        block = self._lifecycle.block
        if block is None or now < block.next_timer():
            return
        self._builder.wake()
        block.receiver.handle_timer(now)
        block.transmitter.handle_timer(now)
        block.resets.handle_timer(now)
        heartbeat = block.path.handle_timer(now, block.transmitter.timeout.value, self._rng)
        if heartbeat is not None:
            self._builder.queue_control(heartbeat.encode())
        if block.errors > self._options.max_retransmissions:
            self._lifecycle.fail()

    def next_timer(self) -> float:
        """Return the next deadline."""
        lifecycle = self._lifecycle
        deadline = min(self._builder.flush_at, lifecycle.establishment_deadline)
        if lifecycle.timer is not None:
            deadline = min(deadline, lifecycle.timer.deadline)
        block = lifecycle.block
        return deadline if block is None else min(deadline, block.next_timer())

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """Take packets: at most ``max_burst`` with data, the rest follows by timer."""
        builder = self._builder
        if builder.is_quiet(now):
            return []
        packets: list[bytes] = []
        lifecycle = self._lifecycle
        block = lifecycle.block
        if block is not None:
            if block.resets.is_busy:
                self._events += block.resets.prepare(self._queue, block.transmitter)
            if not lifecycle.accepts_messages:
                lifecycle.progress(now)
            if lifecycle.is_established:
                packets = builder.build_packets(block, now, with_data=lifecycle.sends_data)
            elif (due := lifecycle.take_due_cookie()) is not None:
                # Nothing else may leave before COOKIE ACK.
                packets = builder.build_cookie_echo(block, due, now)
        packets += builder.take_packets()
        self.counters.packets_sent += len(packets)
        return packets

    def events(self) -> Sequence[SctpEvent]:
        """Take what has happened."""
        if not self._events and not self._queue.low_streams:
            return ()
        happened = self._events.copy()
        self._events.clear()
        if self._queue.low_streams:
            low = self._queue.take_low_streams()
            if not self._lifecycle.closed:
                happened += [BufferedAmountLow(stream_id) for stream_id in low]
        return happened

    # What comes in.

    def _is_valid(self, packet: bytes) -> bool:
        """Check a packet out of the fast path; count what is wrong with it."""
        block = self._lifecycle.block
        peer_tag = None if block is None else block.peer_tag
        reason = find_drop_reason(packet, self._options, self._lifecycle.local_tag, peer_tag)
        if reason is not None:
            self.counters.drop(reason)
        return reason is None

    def _receive_chunks(self, packet: bytes, offset: int, now: float) -> None:
        lifecycle = self._lifecycle
        end = len(packet)
        sack_taken = False
        while offset < end:
            block = lifecycle.data_block
            if packet[offset] == DATA:
                if block is None:
                    lifecycle.drop_out_of_state("data out of state")
                    return
                offset = block.receiver.receive_data(packet, offset)
            else:
                start = offset
                chunk, offset = chunks.parse_chunk(packet, start)
                if type(chunk) is chunks.Sack and block is not None:
                    # By far the most common control chunk: not through the match of all the others. One a packet
                    # is taken, as no sender has more: it can cost a look at all that is outstanding.
                    if sack_taken:
                        continue
                    sack_taken = True
                    block.transmitter.handle_sack(chunk, now)
                    block.path.record_acknowledgement(now)
                elif chunk.kind in _UNBUNDLED and (start > HEADER_SIZE or offset < end):
                    # Section 8.5.1: silently discarded. What stood before it in the packet has its effect.
                    self.counters.drop("bundled")
                    return
                elif not self._handle_chunk(chunk, now):
                    return

    def _handle_chunk(self, chunk: chunks.Chunk, now: float) -> bool:
        """Take a control chunk; return whether the rest of the packet is to be read."""
        lifecycle = self._lifecycle
        if isinstance(chunk, chunks.LifecycleChunk):
            return lifecycle.handle_chunk(chunk, now)
        if isinstance(chunk, chunks.UnknownChunk):
            if chunk.is_reported:
                report = Parameter(CauseCode.UNRECOGNIZED_CHUNK_TYPE, chunk.encode())
                self._builder.queue_control(chunks.Error((report,)).encode())
            return not chunk.stops_processing
        if lifecycle.block is not None and lifecycle.is_established:
            self._handle_transfer_chunk(lifecycle.block, chunk, now)
        else:
            lifecycle.drop_out_of_state("chunk out of state")
        return True

    def _handle_transfer_chunk(self, block: ControlBlock, chunk: chunks.TransferChunk, now: float) -> None:
        match chunk:
            case chunks.Sack():
                pass  # SHUTDOWN ACK is sent: everything has been acknowledged
            case chunks.HeartbeatAck(info):
                round_trip = block.path.handle_ack(info, now)
                if round_trip is not None:
                    block.transmitter.timeout.update(round_trip)
            case chunks.Heartbeat(info):
                self._builder.queue_control(chunks.HeartbeatAck(info).encode())
            case chunks.ForwardTsn():
                if block.capabilities.partial_reliability:
                    block.receiver.handle_forward_tsn(chunk)
            case chunks.ReConfig():
                self._events += block.resets.handle_chunk(chunk, block.receiver, self._queue)

    def _finish_batch(self, block: ControlBlock, now: float) -> None:
        """Do what is done once for a batch of packets."""
        receiver = block.receiver
        receiver.finish_batch(now)
        has_news = receiver.has_unacknowledged
        if has_news:
            self._builder.release()
        if receiver.reassembly.ready:
            self._events.append(MessagesAvailable(receiver.reassembly.take_ready_streams()))
        if receiver.violation is not None:
            words = f"the peer broke the protocol: {describe_causes((receiver.violation,))}"
            self._lifecycle.abort(receiver.violation, AssociationError(words, receiver.violation.kind))
            return
        if receiver.reports:
            for report in receiver.take_error_causes():
                self._builder.queue_control(chunks.Error((report,)).encode())
        self._events += block.resets.perform_deferred(receiver)
        if has_news:
            self._lifecycle.handle_data_after_shutdown()
