"""The receiving side of an association: takes DATA and FORWARD-TSN, says when and what to acknowledge.

``receive_data`` is the hot loop of the receiving side. Acknowledgements: one SACK for a batch of packets as
soon as two packets wait for one, at once when something is missing, came twice or was marked so by its sender
(RFC 9260 section 6.2, RFC 7053), otherwise after a short delay, in the hope of data to ride on.

The window: ``a_rwnd`` is what the receive buffer has left over the charges of :class:`.Reassembly`. A sender
does not know our overhead per chunk and may honestly overshoot, so new data is taken up to twice the buffer
as long as the window has not been told to be closed, and chunks that fill holes up to three times (they let
the rest be delivered); beyond that it is dropped, counted and answered with the window as it is. The same happens to
chunks that would have to be held while thousands are held already, since the chunk that frees them frees all at once.
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
# A window smaller than this is told as zero: a sender that fills crumbs sends tiny packets (section 6.2.1).
_SMALLEST_WINDOW: Final = 1500
_PACKETS_PER_ACK: Final = 2
_MAX_REPORTS: Final = 8
# A sender that waits for the answer to its reset sends none of these (RFC 6525 section 5.1.2).
_MAX_HELD_BACK: Final = 1024

DataChunk = tuple[int, DataHeader, bytes]
"""The unwrapped TSN, the header as unpacked, the payload."""


class Receiver:
    """Data tracker, reassembly and acknowledgement of one association.

    Attributes:
        tracker: The TSNs that have arrived.
        reassembly: What they were.
        ack_due: Whether a SACK should leave at once.
        ack_deadline: When a delayed SACK is due, absolute; ``math.inf`` when none is waiting.
        violation: Why the association must be aborted; set once.
        reports: Error causes to send to the peer, at most a few at a time.
        chunks_received: DATA chunks that were new.
        bytes_received: Their payload.
        dropped: DATA chunks that were dropped, by reason.
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
        self._held_back: list[DataChunk] = []

    @property
    def has_unacknowledged(self) -> bool:
        """Whether a SACK would tell news, so that it may ride along with other chunks."""
        return self.ack_due or self._unacknowledged_packets > 0

    @property
    def reset_is_deferred(self) -> bool:
        """Whether a reset waits for data that was sent before it."""
        return self._deferred_reset is not None

    @property
    def window(self) -> int:
        """The window to advertise, in bytes."""
        left = self._buffer_size - self.reassembly.charged
        return left if left >= _SMALLEST_WINDOW else 0

    @property
    def _limit(self) -> int:
        """Up to which charge new data is taken: probes of a closed window are not."""
        if self._is_crowded:
            return 0
        return 2 * self._buffer_size if self._advertised else self._buffer_size

    @property
    def _is_crowded(self) -> bool:
        """Whether so many chunks are held that those which would be held, too, are dropped."""
        return self.reassembly.is_crowded or len(self._held_back) >= _MAX_HELD_BACK

    def receive_data(self, packet: bytes, offset: int) -> int:
        """Take the DATA chunks that begin at ``offset``; return the offset of what follows them.

        Raises:
            ProtocolError: A chunk runs over the end of the packet.
        """
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
        """Take a FORWARD-TSN."""
        tsn = self.tracker.unwrap(chunk.new_cumulative_tsn)
        if self.tracker.forward(tsn):
            self.reassembly.skip_to(tsn, chunk.skipped)
        # A FORWARD-TSN that tells nothing new means that our SACK got lost (RFC 3758 section 3.6).
        self.ack_due = True

    def finish_batch(self, now: float) -> None:
        """Decide on the acknowledgement after a batch of packets."""
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
        """Make a delayed acknowledgement due when its time has come."""
        if now >= self.ack_deadline:
            self.ack_deadline = math.inf
            self.ack_due = True

    def make_sack(self) -> Sack:
        """Return the acknowledgement of everything so far."""
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
        """Take a message; make a window update due when that has opened the window by a good step."""
        message = self.reassembly.pop_message(stream_id)
        if message is not None and self._buffer_size - self.reassembly.charged - self._advertised >= (
            self._buffer_size >> 2
        ):
            self.ack_due = True
        return message

    def retain_message(self, stream_id: int) -> tuple[int, bytes] | None:
        """Take a message that goes on counting against the receive buffer, until ``release_message``."""
        message = self.reassembly.pop_message(stream_id)
        if message is not None:
            self.reassembly.charged += len(message[1]) + OVERHEAD
        return message

    def release_message(self, message: tuple[int, bytes]) -> None:
        """Count a message no longer that was set aside; make a window update due as ``pop_message`` does."""
        self.reassembly.charged -= len(message[1]) + OVERHEAD
        if self._buffer_size - self.reassembly.charged - self._advertised >= self._buffer_size >> 2:
            self.ack_due = True

    def take_error_causes(self) -> list[Parameter]:
        """Return the error causes to report, and forget them."""
        reports = self.reports
        if reports:
            self.reports = []
        return reports

    def peek_payload_protocol(self, stream_id: int) -> int | None:
        """Return the payload protocol identifier of a stream's next message, None if there is no message."""
        return self.reassembly.peek_payload_protocol(stream_id)

    def request_reset(self, last_tsn: int, stream_ids: tuple[int, ...]) -> bool:
        """Reset incoming streams once everything up to ``last_tsn`` has come; return whether that is now.

        Until then chunks of these streams above ``last_tsn`` belong to the time after the reset and are
        held back (RFC 6525 section 5.2.2, E2).
        """
        if self.tracker.cumulative_tsn >= last_tsn:
            self.reassembly.reset(stream_ids)
            return True
        self._deferred_reset = (last_tsn, frozenset(stream_ids))
        return False

    def _register(self, header: DataHeader) -> int:
        """Record a TSN out of the fast path; return it unwrapped, or -1 when its chunk is dropped."""
        tracker, reassembly = self.tracker, self.reassembly
        tsn = tracker.unwrap(header[3])
        if not tracker.is_new(tsn):
            self.dropped["duplicate or out of the window"] += 1
            return -1
        if self._is_crowded:
            proceeds = reassembly.can_proceed_with(tsn, header) and not self._belongs_behind_reset(
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
        """Take a chunk of a stream that does not exist, or one while a reset is deferred."""
        tsn, (_, _, _, _, stream_id, _, _), payload = chunk
        if stream_id >= self._streams:
            if len(self.reports) < _MAX_REPORTS:
                self.reports.append(invalid_stream_identifier(stream_id))
            return
        if self._belongs_behind_reset(tsn, stream_id):
            self._held_back.append(chunk)
            self.reassembly.charged += len(payload) + OVERHEAD
            return
        self._reassemble(chunk)

    def _belongs_behind_reset(self, tsn: int, stream_id: int) -> bool:
        """Whether a chunk was sent after a reset that is deferred."""
        deferred = self._deferred_reset
        return deferred is not None and tsn > deferred[0] and (stream_id in deferred[1] or not deferred[1])

    def _reassemble(self, chunk: DataChunk) -> None:
        try:
            self.reassembly.add(*chunk)
        except MessageViolation as error:
            self.violation = self.violation or protocol_violation(str(error))

    def _perform_deferred_reset(self) -> None:
        """Perform a deferred reset when its TSN has been reached, then take what was held back."""
        deferred = self._deferred_reset
        if deferred is None or self.tracker.cumulative_tsn < deferred[0]:
            return
        self._deferred_reset = None
        self.reassembly.reset(tuple(deferred[1]))
        held_back, self._held_back = self._held_back, []
        for chunk in held_back:
            self.reassembly.charged -= len(chunk[2]) + OVERHEAD
            self._reassemble(chunk)
