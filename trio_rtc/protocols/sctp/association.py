"""The SCTP association over DTLS, as a pure core.

It implements RFC 9260 (SCTP), RFC 8261 (SCTP over DTLS), RFC 3758 (partial reliability), RFC 6525 (stream reset),
RFC 7053 (immediate acknowledgement) and RFC 9653 (zero checksum), as RFC 8831 requires for data channels.

The state machine of establishment and shutdown is in :mod:`.lifecycle`. This module handles data transfer: messages,
packets, acknowledgements and their timers.

``datagrams_to_send`` bundles control chunks, one SACK, retransmissions and new data into packets, at most ``max_burst``
in a call; the rest follows by timer. A packet that is not full leaves at once if nothing is in flight, or if a message
has been received since data was last sent. While the application keeps sending and only SACKs return, less than a
batch of full packets is delayed (Nagle's algorithm) until ``coalescing_delay`` has passed since the last packet;
``next_timer`` reports that time. SACKs and control chunks are never delayed.

Left out: multi-homing and address parameters (RFC 8261 section 6.1 forbids them), ECN, AUTH, interleaving (RFC 8260),
and of RFC 6525 adding streams and resetting TSNs, which are denied.
"""

import random
from collections.abc import Sequence

from trio_rtc.enums import RTCSctpTransportState
from trio_rtc.errors import InvalidStateError, OperationError, ProtocolError
from trio_rtc.protocols._contract import Core

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
from .packet_validation import SPECIAL_CHUNKS, find_drop_reason, matches_with_checksum
from .state import ControlBlock
from .statistics import AssociationStatistics, build_statistics
from .tx.path_share import PathShare
from .tx.send_queue import SendQueue, make_reliability

# Chunks that have a packet of their own (section 6.10).
_UNBUNDLED = frozenset((chunks.Init.kind, chunks.InitAck.kind, chunks.ShutdownComplete.kind))


class Association(Core[bytes, SctpEvent]):
    """One SCTP association.

    Args:
        options: See :class:`.SctpOptions`.
        rng: Source of tags, TSNs, nonces and the cookie's secret.

    Attributes:
        counters: Counters of packets; ``statistics`` includes them.
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

    # State.

    @property
    def state(self) -> RTCSctpTransportState:
        """The state of W3C's ``RTCSctpTransport``."""
        if self._lifecycle.closed:
            return RTCSctpTransportState.CLOSED
        if self._lifecycle.is_established:
            return RTCSctpTransportState.CONNECTED
        return RTCSctpTransportState.CONNECTING

    @property
    def closed(self) -> bool:
        return self._lifecycle.closed

    @property
    def total_buffered(self) -> int:
        """Bytes of all streams that are not in a packet yet."""
        return self._queue.total

    def buffered_amount(self, stream_id: int) -> int:
        """Return the bytes of a stream's counted messages that are not in a packet yet."""
        return self._queue.buffered(stream_id)

    @property
    def acknowledgement_due(self) -> bool:
        """Whether a SACK must be sent at once, such as a window update after ``receive_message``."""
        block = self._lifecycle.block
        return block is not None and block.receiver.ack_due

    def peek_payload_protocol(self, stream_id: int) -> int | None:
        """Return the payload protocol identifier of a stream's next message, None if there is no message."""
        block = self._lifecycle.last_block
        return None if block is None else block.receiver.reassembly.peek_payload_protocol(stream_id)

    def statistics(self) -> AssociationStatistics:
        """Return a snapshot of all counters."""
        return build_statistics(self.counters, self._lifecycle.last_block, self._queue)

    # Actions of the application.

    def connect(self, now: float) -> None:
        """Send INIT, unless the peer's handshake has already established the association. Both sides may call it.

        Raises:
            InvalidStateError: The association has ended.
        """
        if self.closed:
            raise InvalidStateError("connect() needs an association that has not ended; create a new one")
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
        counted: bool = True,
    ) -> None:
        """Queue a message, even before the handshake.

        Args:
            stream_id: The stream.
            payload_protocol_id: Payload protocol identifier (RFC 8831 section 8).
            data: The message, at least one byte.
            now: The time.
            ordered: Whether it is delivered in order with the stream's other ordered messages.
            max_retransmits: Limit of retransmissions of each of its chunks; None for no limit.
            lifetime: Seconds after which it is abandoned; None for no limit.
            counted: Whether ``buffered_amount`` counts it.

        Raises:
            ValueError: The stream does not exist, or there is no data.
            InvalidStateError: The association has ended or is shutting down.
            OperationError: The send buffer is full.
        """
        lifecycle = self._lifecycle
        if not lifecycle.accepts_messages:
            raise InvalidStateError("send() needs an association that has not ended and is not shutting down")
        if not 0 <= stream_id < lifecycle.outbound_streams:
            raise ValueError(f"stream_id must be from 0 to {lifecycle.outbound_streams - 1}, not {stream_id}")
        if not data:
            raise ValueError("data must have at least one byte")
        if self._queue.total + len(data) > self._options.send_buffer_size:
            raise OperationError(
                f"the send buffer is full: {self._queue.total} of {self._options.send_buffer_size} bytes are queued, "
                f"no room for {len(data)}"
            )
        reliability = None
        if max_retransmits is not None or lifetime is not None:
            expires_at = None if lifetime is None else now + lifetime
            reliability = make_reliability(
                stream_id, ordered=ordered, max_retransmits=max_retransmits, expires_at=expires_at
            )
        self._queue.push(stream_id, payload_protocol_id, data, ordered, reliability, counted=counted)

    def receive_message(self, stream_id: int) -> tuple[int, bytes] | None:
        """Return and remove the next message of a stream: its payload protocol identifier and its data.

        That opens the receive window, and the peer may need a window update: call ``datagrams_to_send`` after a run of
        these. Messages remain available after the association has ended.
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
        """Return and remove the next message of a stream, without opening the window until ``release_message``.

        For callers that clear a stream before its next use, while the application has not read its messages yet.
        """
        block = self._lifecycle.last_block
        return None if block is None else block.receiver.retain_message(stream_id)

    def release_message(self, message: tuple[int, bytes]) -> None:
        """Open the window by a retained message; call ``datagrams_to_send`` after a run of these."""
        block = self._lifecycle.last_block
        if block is not None:
            block.receiver.release_message(message)
            if block.receiver.ack_due:
                self._builder.wake()

    def is_send_deferred(self, now: float) -> bool:
        """Return whether queued data is delayed for more data, so that ``datagrams_to_send`` would return nothing.

        For callers that queue many small messages: the last ``next_timer`` is still valid.
        """
        return self._builder.is_quiet(now)

    def set_buffered_amount_low_threshold(self, stream_id: int, threshold: int) -> None:
        """Set the buffered amount, in bytes, at or below which BufferedAmountLow is emitted; default 0."""
        self._queue.set_threshold(stream_id, threshold)

    def share_path(self, max_bitrate: float | None, now: float) -> bool:
        """Leave room for media that is sent on the same path; see ``tx/path_share.py``.

        Args:
            max_bitrate: Bits a second that data may use, infinite for what media leaves; ``None`` while no media is
                sent.
            now: The time.

        Returns:
            Whether more data may leave now, so that ``datagrams_to_send`` must be called.
        """
        if not self._share.set_max_bitrate(max_bitrate, now):
            return False
        self._builder.wake()
        return True

    def path_restored(self, now: float) -> None:
        """Retransmit at once what was lost during an outage: T3-rtx may have backed off to many seconds."""
        block = self._lifecycle.block
        if block is not None:
            block.transmitter.path_restored(now)
            self.handle_timer(now)

    def reset_streams(self, stream_ids: Sequence[int], now: float) -> None:
        """Reset outgoing streams (RFC 6525) once the messages queued so far are acknowledged.

        Messages queued on them later are sent when the peer has performed the reset. A stream whose reset is pending is
        not reset twice.

        Raises:
            InvalidStateError: The association has not been established, or has ended.
        """
        block = self._lifecycle.block
        if block is None or not self._lifecycle.is_established:
            raise InvalidStateError("reset_streams() needs an established association")
        for stream_id in stream_ids:
            self._queue.begin_reset(stream_id)
            block.resets.request(stream_id)
        self._builder.wake()

    def shutdown(self, now: float) -> None:
        """Shut down (section 9.2) after all queued messages are sent and acknowledged. Idempotent."""
        self._lifecycle.shutdown()

    def close(self, now: float) -> None:
        """Send ABORT, if the peer's tag is known, and end. Idempotent."""
        self._lifecycle.close()

    def lower_closed(self, now: float) -> None:
        """End without sending anything: DTLS has closed."""
        self._lifecycle.lower_closed()

    # Input and output.

    def receive(self, batch: Sequence[bytes], now: float) -> None:
        """Process packets that DTLS has authenticated."""
        lifecycle = self._lifecycle
        if lifecycle.closed:
            return
        self.counters.packets_received += len(batch)
        self._builder.wake()
        zero_checksum, special = self._options.zero_checksum, SPECIAL_CHUNKS
        for packet in batch:
            block = lifecycle.data_block
            try:
                if (
                    block is not None
                    and len(packet) > HEADER_SIZE
                    and not len(packet) & 3
                    and packet[HEADER_SIZE] not in special
                    and (
                        (zero_checksum and packet[:HEADER_SIZE] == block.inbound_header)
                        or matches_with_checksum(packet, block.inbound_header)
                    )
                ):
                    # Nearly all packets: valid, in a state that receives data.
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
        self._builder.handle_timer(now)
        self._lifecycle.handle_timer(now)
        block = self._lifecycle.block
        if block is None or now < self.next_timer():
            return
        self._builder.wake()
        block.receiver.handle_timer(now)
        block.transmitter.handle_timer(now)
        block.resets.handle_timer(now)
        heartbeat = block.path.handle_timer(now, block.transmitter.timeout.value, self._rng)
        if heartbeat is not None:
            self._builder.queue_control(heartbeat)
        if block.errors > self._options.max_retransmissions:
            self._lifecycle.fail()

    def next_timer(self) -> float:
        lifecycle = self._lifecycle
        deadline = min(self._builder.flush_at, lifecycle.establishment_deadline)
        if lifecycle.timer is not None:
            deadline = min(deadline, lifecycle.timer.deadline)
        block = lifecycle.block
        if block is None:
            return deadline
        return min(
            deadline,
            block.receiver.ack_deadline,
            block.transmitter.t3_deadline,
            block.path.deadline,
            block.resets.deadline,
        )

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """Return and remove the packets to send, at most ``max_burst`` with data; the rest follows by timer."""
        builder = self._builder
        if builder.is_quiet(now):
            return []
        packets: list[bytes] = []
        lifecycle = self._lifecycle
        block = lifecycle.block
        if block is not None:
            if block.resets.may_have_work:
                self._events += block.resets.prepare(self._queue, block.transmitter)
            if not lifecycle.accepts_messages:
                lifecycle.advance_shutdown(now)
            if lifecycle.is_established:
                packets = builder.build_packets(block, now, with_data=lifecycle.sends_data)
            elif (due := lifecycle.take_due_cookie()) is not None:
                # Nothing else may be sent before COOKIE ACK is received.
                packets = builder.build_cookie_echo(block, due, now)
        packets += builder.take_packets()
        self.counters.packets_sent += len(packets)
        return packets

    def events(self) -> Sequence[SctpEvent]:
        if not self._events and not self._queue.low_streams:
            return ()
        happened = self._events.copy()
        self._events.clear()
        if self._queue.low_streams:
            low = self._queue.take_low_streams()
            if not self._lifecycle.closed:
                happened += [BufferedAmountLow(stream_id) for stream_id in low]
        return happened

    # Received chunks.

    def _is_valid(self, packet: bytes) -> bool:
        """Return whether a packet off the fast path is valid; count it by reason if not."""
        block = self._lifecycle.block
        peer_tag = None if block is None else block.peer_tag
        reason = find_drop_reason(packet, self._options, self._lifecycle.local_tag, peer_tag)
        if reason is not None:
            self.counters.drop(reason)
        return reason is None

    def _receive_chunks(self, packet: bytes, offset: int, now: float) -> None:
        lifecycle = self._lifecycle
        end = len(packet)
        sack_handled = False
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
                    # By far the most common control chunk, so it is not matched with the others. Only the first
                    # SACK of a packet counts: no sender has more, and each may examine all outstanding chunks.
                    if sack_handled:
                        continue
                    sack_handled = True
                    block.transmitter.handle_sack(chunk, now)
                    block.path.record_acknowledgement(now)
                elif chunk.kind in _UNBUNDLED and (start > HEADER_SIZE or offset < end):
                    # Section 8.5.1: discarded silently. The chunks before it in the packet have been processed.
                    self.counters.drop("bundled")
                    return
                elif not self._handle_chunk(chunk, now):
                    return

    def _handle_chunk(self, chunk: chunks.Chunk, now: float) -> bool:
        """Handle a control chunk; return whether to process the rest of the packet."""
        lifecycle = self._lifecycle
        if isinstance(chunk, chunks.LifecycleChunk):
            return lifecycle.handle_chunk(chunk, now)
        if isinstance(chunk, chunks.UnknownChunk):
            if chunk.is_reported:
                report = Parameter(CauseCode.UNRECOGNIZED_CHUNK_TYPE, chunk.encode())
                self._builder.queue_control(chunks.Error((report,)))
            return not chunk.stops_processing
        if lifecycle.block is not None and lifecycle.is_established:
            self._handle_transfer_chunk(lifecycle.block, chunk, now)
        else:
            lifecycle.drop_out_of_state("chunk out of state")
        return True

    def _handle_transfer_chunk(self, block: ControlBlock, chunk: chunks.TransferChunk, now: float) -> None:
        match chunk:
            case chunks.Sack():
                pass  # in ShutdownAckSent: everything has been acknowledged
            case chunks.HeartbeatAck(info):
                round_trip = block.path.handle_ack(info, now)
                if round_trip is not None:
                    block.transmitter.timeout.update(round_trip)
            case chunks.Heartbeat(info):
                self._builder.queue_control(chunks.HeartbeatAck(info))
            case chunks.ForwardTsn():
                if block.capabilities.partial_reliability:
                    block.receiver.handle_forward_tsn(chunk)
            case chunks.ReConfig():
                self._events += block.resets.handle_chunk(chunk, block.receiver, self._queue)

    def _finish_batch(self, block: ControlBlock, now: float) -> None:
        """Finish a batch of packets: acknowledgement, events, reports."""
        receiver = block.receiver
        receiver.finish_batch(now)
        has_new_data = receiver.has_unacknowledged
        if has_new_data:
            self._builder.release()
        if receiver.reassembly.ready:
            self._events.append(MessagesAvailable(receiver.reassembly.take_ready_streams()))
        if receiver.violation is not None:
            words = f"the peer violated the protocol: {describe_causes((receiver.violation,))}"
            self._lifecycle.abort(receiver.violation, AssociationError(words, receiver.violation.kind))
            return
        if receiver.reports:
            for report in receiver.take_error_causes():
                self._builder.queue_control(chunks.Error((report,)))
        if block.resets.may_have_work:
            self._events += block.resets.perform_deferred(receiver)
        if has_new_data and not self._lifecycle.sends_data:
            self._lifecycle.handle_data_after_shutdown()
