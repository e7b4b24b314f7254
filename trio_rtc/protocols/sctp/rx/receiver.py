"""The receiving side of an association: handles DATA and FORWARD-TSN, and generates SACKs.

``receive_data`` is the hot loop of the receiving side. A batch of packets is acknowledged by one SACK: at once if two
packets are unacknowledged, if TSNs are missing or duplicate, or if the sender has set the I bit (RFC 9260 section 6.2,
RFC 7053), otherwise after a short delay, so that it can be bundled with data.

``a_rwnd`` is the receive buffer less the charges of :class:`.Reassembly`. A sender does not know our overhead per chunk
and may legitimately exceed the window. So new data is accepted up to twice the buffer unless the advertised window is
zero, and chunks that fill holes up to three times the buffer, since they allow others to be delivered. Chunks beyond
that are dropped and counted, and a SACK with the current window is sent. The same applies to chunks that would have to
be held while thousands are held already, since one chunk may release them all.
"""

import math
from collections import Counter
from typing import Final

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sctp.packet.causes import invalid_stream_identifier, no_user_data, protocol_violation
from trio_rtc.protocols.sctp.packet.chunks import ForwardTsn, Sack
from trio_rtc.protocols.sctp.packet.data import DATA, DATA_HEADER, DATA_HEADER_SIZE, IMMEDIATE, DataHeader
from trio_rtc.protocols.sctp.packet.parameters import Parameter

from .data_tracker import DataTracker
from .reassembly import OVERHEAD, MessageViolation, Reassembly

_TSN_MASK: Final = 0xFFFFFFFF
# A smaller window is advertised as zero, against the silly window syndrome (section 6.2.1).
_SMALLEST_WINDOW: Final = 1500
_PACKETS_PER_ACK: Final = 2
_MAX_REPORTS: Final = 8
# Chunks sent after a deferred reset. A correct sender waits for our response (RFC 6525 section 5.1.2).
_MAX_HELD_CHUNKS: Final = 1024

DataChunk = tuple[int, DataHeader, bytes]
"""The unwrapped TSN, the header as unpacked, the payload."""


class Receiver:
    """Data tracker, reassembly and acknowledgements of one association.

    Attributes:
        reassembly: The received chunks and messages.
        ack_due: Whether a SACK must be sent at once.
        ack_deadline: When a delayed SACK is due, absolute; ``math.inf`` for none.
        violation: Cause to abort the association; set once.
        reports: Error causes to send to the peer, at most a few at a time.
        chunks_received: DATA chunks received, duplicates excluded.
        bytes_received: Their payload.
        dropped: DATA chunks dropped, by reason.
    """

    def __init__(
        self, initial_tsn: int, *, buffer_size: int, max_message_size: int, streams: int, ack_delay: float
    ) -> None:
        self.tracker = DataTracker(initial_tsn)
        self.reassembly = Reassembly(max_message_size)
        self.ack_due = False
        self.ack_deadline = math.inf
        self.violation: Parameter | None = None
        self.reports: list[Parameter] = []
        self.chunks_received = 0
        self.bytes_received = 0
        self.dropped: Counter[str] = Counter()
        self._buffer_size = buffer_size
        self._streams = streams
        self._ack_delay = ack_delay
        self._unacknowledged_packets = 0
        self._acknowledged_before = False
        self._advertised = buffer_size
        self._deferred_reset: tuple[int, frozenset[int]] | None = None
        self._held_chunks: list[DataChunk] = []

    @property
    def has_unacknowledged(self) -> bool:
        """Whether there is something to acknowledge, so that a SACK may be bundled with other chunks."""
        return self.ack_due or self._unacknowledged_packets > 0

    @property
    def reset_is_deferred(self) -> bool:
        """Whether a reset of the peer waits for data that was sent before it."""
        return self._deferred_reset is not None

    @property
    def window(self) -> int:
        """The window to advertise, in bytes."""
        left = self._buffer_size - self.reassembly.charged
        return left if left >= _SMALLEST_WINDOW else 0

    @property
    def _limit(self) -> int:
        """Charge up to which new data is accepted; probes of a closed window are not."""
        if self._is_crowded:
            return 0
        return 2 * self._buffer_size if self._advertised else self._buffer_size

    @property
    def _is_crowded(self) -> bool:
        """Whether so many chunks are held that further ones to hold are dropped."""
        return self.reassembly.is_crowded or len(self._held_chunks) >= _MAX_HELD_CHUNKS

    def receive_data(self, packet: bytes, offset: int) -> int:
        """Process the DATA chunks from ``offset`` on; return the offset of the next chunk of another type."""
        end = len(packet)
        unpack = DATA_HEADER.unpack_from
        tracker, reassembly = self.tracker, self.reassembly
        self._unacknowledged_packets += 1
        limit = self._limit
        while offset < end and packet[offset] == DATA:
            if end - offset < DATA_HEADER_SIZE:
                raise ProtocolError(f"DATA of {end - offset} bytes")
            header = unpack(packet, offset)
            _, flags, length, wire_tsn, stream_id, _, _ = header
            chunk_end = offset + length
            if length <= DATA_HEADER_SIZE or chunk_end > end:
                if length != DATA_HEADER_SIZE:
                    raise ProtocolError(f"DATA of length {length}, {end - offset} bytes left")
                self.violation = self.violation or no_user_data(wire_tsn)
                return end
            payload = packet[offset + DATA_HEADER_SIZE : chunk_end]
            offset = (chunk_end + 3) & ~3
            tsn = tracker.cumulative_tsn + 1
            if wire_tsn == tsn & _TSN_MASK and reassembly.charged < limit:
                if tracker.ranges:
                    tracker.add(tsn)
                else:
                    tracker.cumulative_tsn = tsn
            elif (tsn := self._register(header)) < 0:
                continue
            if flags & IMMEDIATE:
                self.ack_due = True
            self.chunks_received += 1
            self.bytes_received += length - DATA_HEADER_SIZE
            if stream_id >= self._streams or self._deferred_reset is not None:
                self._receive_unusual_chunk((tsn, header, payload))
                continue
            try:
                reassembly.add(tsn, header, payload)
            except MessageViolation as error:
                self.violation = self.violation or protocol_violation(str(error))
                return end
        return offset

    def handle_forward_tsn(self, chunk: ForwardTsn) -> None:
        tsn = self.tracker.unwrap(chunk.new_cumulative_tsn)
        if self.tracker.forward(tsn):
            self.reassembly.skip_to(tsn, chunk.skipped)
        # A FORWARD-TSN that changes nothing means that our SACK was lost (RFC 3758 section 3.6).
        self.ack_due = True

    def finish_batch(self, now: float) -> None:
        """Schedule the acknowledgement of a batch of packets."""
        if self._deferred_reset is not None:
            self._perform_deferred_reset()
        if self.ack_due or not self._unacknowledged_packets:
            return
        tracker = self.tracker
        if (
            self._unacknowledged_packets >= _PACKETS_PER_ACK
            or tracker.ranges
            or tracker.duplicates
            or not self._acknowledged_before
        ):
            self.ack_due = True
        elif self.ack_deadline == math.inf:
            self.ack_deadline = now + self._ack_delay

    def handle_timer(self, now: float) -> None:
        """Make a delayed SACK due if its timer has expired."""
        if now >= self.ack_deadline:
            self.ack_deadline = math.inf
            self.ack_due = True

    def make_sack(self) -> Sack:
        """Return the SACK of everything received so far, and record that it is sent."""
        self.ack_due = False
        self.ack_deadline = math.inf
        self._unacknowledged_packets = 0
        self._acknowledged_before = True
        self._advertised = self.window
        tracker = self.tracker
        gaps = tracker.gap_blocks() if tracker.ranges else ()
        duplicates = tracker.take_duplicates() if tracker.duplicates else ()
        return Sack(tracker.cumulative_tsn & _TSN_MASK, self._advertised, gaps, duplicates)

    def pop_message(self, stream_id: int) -> tuple[int, bytes] | None:
        """Return and remove a message; make a SACK due if the window has opened by a quarter of the buffer."""
        message = self.reassembly.pop_message(stream_id)
        if message is not None and self._buffer_size - self.reassembly.charged - self._advertised >= (
            self._buffer_size >> 2
        ):
            self.ack_due = True
        return message

    def retain_message(self, stream_id: int) -> tuple[int, bytes] | None:
        """Return and remove a message that remains charged to the receive buffer until ``release_message``."""
        message = self.reassembly.pop_message(stream_id)
        if message is not None:
            self.reassembly.charged += len(message[1]) + OVERHEAD
        return message

    def release_message(self, message: tuple[int, bytes]) -> None:
        """Stop charging a retained message; make a SACK due as ``pop_message`` does."""
        self.reassembly.charged -= len(message[1]) + OVERHEAD
        if self._buffer_size - self.reassembly.charged - self._advertised >= self._buffer_size >> 2:
            self.ack_due = True

    def take_error_causes(self) -> list[Parameter]:
        reports = self.reports
        if reports:
            self.reports = []
        return reports

    def request_reset(self, last_tsn: int, stream_ids: tuple[int, ...]) -> bool:
        """Reset incoming streams once everything up to ``last_tsn`` is received; return whether it is already.

        Until then, chunks of these streams above ``last_tsn`` were sent after the reset and are held (RFC 6525 section
        5.2.2, E2).
        """
        if self.tracker.cumulative_tsn >= last_tsn:
            self.reassembly.reset(stream_ids)
            return True
        self._deferred_reset = (last_tsn, frozenset(stream_ids))
        return False

    def _register(self, header: DataHeader) -> int:
        """Record a TSN off the fast path; return it unwrapped, or -1 if its chunk is dropped."""
        tracker, reassembly = self.tracker, self.reassembly
        tsn = tracker.unwrap(header[3])
        if not tracker.is_new(tsn):
            self.dropped["duplicate or out of the window"] += 1
            return -1
        if self._is_crowded:
            proceeds = reassembly.can_proceed_with(tsn, header) and not self._was_sent_after_reset(
                tsn, header[4]
            )
            limit = 3 * self._buffer_size if proceeds else 0
        else:
            limit = self._limit if tsn > tracker.highest_tsn else 3 * self._buffer_size
        if reassembly.charged >= limit:
            self.dropped["receive buffer full"] += 1
            self.ack_due = True
            return -1
        tracker.add(tsn)
        return tsn

    def _receive_unusual_chunk(self, chunk: DataChunk) -> None:
        """Process a chunk of a stream that does not exist, or one while a reset is deferred."""
        tsn, (_, _, _, _, stream_id, _, _), payload = chunk
        if stream_id >= self._streams:
            if len(self.reports) < _MAX_REPORTS:
                self.reports.append(invalid_stream_identifier(stream_id))
            return
        if self._was_sent_after_reset(tsn, stream_id):
            self._held_chunks.append(chunk)
            self.reassembly.charged += len(payload) + OVERHEAD
            return
        self._reassemble(chunk)

    def _was_sent_after_reset(self, tsn: int, stream_id: int) -> bool:
        """Return whether a chunk was sent after a deferred reset."""
        deferred = self._deferred_reset
        return deferred is not None and tsn > deferred[0] and (stream_id in deferred[1] or not deferred[1])

    def _reassemble(self, chunk: DataChunk) -> None:
        try:
            self.reassembly.add(*chunk)
        except MessageViolation as error:
            self.violation = self.violation or protocol_violation(str(error))

    def _perform_deferred_reset(self) -> None:
        """Perform a deferred reset if its TSN is reached, then process the held chunks."""
        deferred = self._deferred_reset
        if deferred is None or self.tracker.cumulative_tsn < deferred[0]:
            return
        self._deferred_reset = None
        self.reassembly.reset(tuple(deferred[1]))
        held_chunks, self._held_chunks = self._held_chunks, []
        for chunk in held_chunks:
            self.reassembly.charged -= len(chunk[2]) + OVERHEAD
            self._reassemble(chunk)
