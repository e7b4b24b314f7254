"""Stream reset (RFC 6525): our requests, one at a time, and the responses to the peer's.

A stream is included in a request when all its messages have been sent and acknowledged. A request is retransmitted by
timer until the response is other than "in progress". The last request of the peer and its result are kept, so that a
retransmission gets the same response. A request that is "in progress" becomes "performed", with an unsolicited second
response, as soon as all data before the reset has been received.
"""

import itertools
import logging
import math

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.serial import serial_add

from .events import IncomingStreamsReset, OutgoingResetFailed, OutgoingStreamsReset, SctpEvent
from .packet.chunks import ReConfig
from .packet.parameters import Parameter
from .packet.reconfiguration import (
    OutgoingResetRequest,
    ReconfigurationResponse,
    Result,
    UnsupportedRequest,
    parse_reconfiguration,
)
from .rx.receiver import Receiver
from .tx.send_queue import SendQueue
from .tx.transmitter import Transmitter

logger = logging.getLogger("trio_rtc.sctp")

# Streams in one request: 24 bytes of header and two for each stream fit the smallest packet.
_MAX_STREAMS = 200

# Streams examined for one request.
_MAX_EXAMINED = 1000

# Responses queued at a time. A request without a response is retransmitted by the peer.
_MAX_RESPONSES = 4


@attrs.define
class StreamReset:
    """Stream resets of both directions for one association.

    Attributes:
        next_sequence: Request sequence number of our next request; initially our initial TSN.
        expected_sequence: Request sequence number of the peer's next request; initially the peer's initial TSN.
        supported: Whether the peer supports RFC 6525.
        deadline: When the outstanding request is retransmitted; ``math.inf`` if there is none.
        errors: Retransmissions of the outstanding request.
        may_have_work: Whether there may be streams to reset, a request of either side, or responses; cleared by
            ``prepare`` only. Read for every packet, so that it enters this module only then.
    """

    next_sequence: int
    expected_sequence: int
    supported: bool
    deadline: float = math.inf
    errors: int = 0
    may_have_work: bool = False
    _requested: dict[int, None] = attrs.field(factory=dict)
    _request: OutgoingResetRequest | None = None
    _request_due: bool = False
    _last_result: Result = Result.BAD_SEQUENCE_NUMBER
    _deferred: tuple[int, ...] | None = None
    _responses: list[Parameter] = attrs.field(factory=list)

    def request(self, stream_id: int) -> None:
        """Request the reset of an outgoing stream, unless it is in the outstanding request."""
        if self._request is None or stream_id not in self._request.stream_ids:
            self._requested[stream_id] = None
            self.may_have_work = True

    @property
    def has_requests(self) -> bool:
        """Whether a requested reset of an outgoing stream has not been answered yet."""
        return bool(self._requested) or self._request is not None

    @property
    def has_chunks(self) -> bool:
        return self._request_due or bool(self._responses)

    def prepare(self, queue: SendQueue, transmitter: Transmitter) -> list[SctpEvent]:
        """Prepare the next request if streams have drained. Return failures if the peer does not support resets."""
        self.may_have_work = self.has_requests or self.has_chunks or self._deferred is not None
        if self._request is not None or not self._requested:
            return []
        if not self.supported:
            failed = tuple(self._requested)
            self._requested.clear()
            queue.cancel_reset(failed)
            return [OutgoingResetFailed(failed)]
        acknowledged = transmitter.outstanding.cumulative_tsn
        ready = self._take_drained_streams(queue, acknowledged)
        if ready:
            self._request = OutgoingResetRequest(
                self.next_sequence,
                serial_add(self.expected_sequence, -1, 32),
                (transmitter.outstanding.next_tsn - 1) & 0xFFFFFFFF,
                tuple(ready),
            )
            self.next_sequence = serial_add(self.next_sequence, 1, 32)
            self._request_due = True
            self.errors = 0
        return []

    def _take_drained_streams(self, queue: SendQueue, acknowledged: int) -> list[int]:
        """Return and remove the streams for the next request, from a bounded number of requested ones.

        Streams that still have data move to the back; its acknowledgement causes another call.
        """
        ready: list[int] = []
        requested = self._requested
        for stream_id in list(itertools.islice(requested, _MAX_EXAMINED)):
            del requested[stream_id]
            if queue.is_drained(stream_id, acknowledged):
                ready.append(stream_id)
                if len(ready) == _MAX_STREAMS:
                    break
            else:
                requested[stream_id] = None
        return ready

    def take_chunks(self, now: float, timeout: float) -> list[bytes]:
        """Return and remove the RE-CONFIG chunks to send now; ``timeout`` is the RTO of a request."""
        chunks = [ReConfig((response,)).encode() for response in self._responses]
        self._responses.clear()
        if self._request is not None and self._request_due:
            self._request_due = False
            self.deadline = now + timeout
            chunks.append(ReConfig((self._request.encode(),)).encode())
        return chunks

    def handle_timer(self, now: float) -> None:
        if now >= self.deadline:
            self.deadline = math.inf
            self.errors += 1
            self._request_due = True

    def handle_chunk(self, chunk: ReConfig, receiver: Receiver, queue: SendQueue) -> list[SctpEvent]:
        """Handle a RE-CONFIG; malformed parameters raise ``ProtocolError`` before anything is changed."""
        self.may_have_work = True
        events: list[SctpEvent] = []
        for parameter in [parse_reconfiguration(parameter) for parameter in chunk.parameters]:
            match parameter:
                case ReconfigurationResponse():
                    events += self._handle_response(parameter, queue)
                case OutgoingResetRequest():
                    events += self._handle_request(parameter, receiver)
                case UnsupportedRequest(sequence):
                    if sequence == self.expected_sequence:
                        self._accept(Result.DENIED)
                    self._respond(sequence)
                case None:
                    pass
        return events

    def perform_deferred(self, receiver: Receiver) -> list[SctpEvent]:
        """Return the event of the peer's deferred reset if it has been performed, and queue a response."""
        if self._deferred is None or receiver.reset_is_deferred:
            return []
        streams, self._deferred = self._deferred, None
        self._last_result = Result.PERFORMED
        self._respond(serial_add(self.expected_sequence, -1, 32))
        return [IncomingStreamsReset(streams)]

    def _handle_response(self, response: ReconfigurationResponse, queue: SendQueue) -> list[SctpEvent]:
        request = self._request
        if request is None or response.response_sequence != request.request_sequence:
            return []
        if response.result in (Result.IN_PROGRESS, Result.REQUEST_IN_PROGRESS):
            # The peer is alive and waits for data: the timer retransmits the request.
            self.errors = 0
            return []
        self._request = None
        self._request_due = False
        self.deadline = math.inf
        self.errors = 0
        if response.result in (Result.NOTHING_TO_DO, Result.PERFORMED):
            queue.finish_reset(request.stream_ids)
            return [OutgoingStreamsReset(request.stream_ids)]
        logger.debug("stream reset failed: the peer responded with result %d", response.result)
        queue.cancel_reset(request.stream_ids)
        return [OutgoingResetFailed(request.stream_ids)]

    def _handle_request(self, request: OutgoingResetRequest, receiver: Receiver) -> list[SctpEvent]:
        events: list[SctpEvent] = []
        if request.request_sequence == self.expected_sequence:
            if self._deferred is not None:
                # One request at a time (section 5.2.1): the peer will retransmit it.
                self._queue_response(request.request_sequence, Result.REQUEST_IN_PROGRESS)
                return []
            last_tsn = receiver.tracker.unwrap(request.last_tsn)
            if receiver.request_reset(last_tsn, request.stream_ids):
                self._accept(Result.PERFORMED)
                events.append(IncomingStreamsReset(request.stream_ids))
            else:
                self._accept(Result.IN_PROGRESS)
                self._deferred = request.stream_ids
        self._respond(request.request_sequence)
        return events

    def _accept(self, result: Result) -> None:
        self.expected_sequence = serial_add(self.expected_sequence, 1, 32)
        self._last_result = result

    def _respond(self, sequence: int) -> None:
        """Queue a response: the stored result for the last request, otherwise "bad sequence number"."""
        known = sequence == serial_add(self.expected_sequence, -1, 32)
        self._queue_response(sequence, self._last_result if known else Result.BAD_SEQUENCE_NUMBER)

    def _queue_response(self, sequence: int, result: Result) -> None:
        if len(self._responses) < _MAX_RESPONSES:
            self._responses.append(ReconfigurationResponse(sequence, result).encode())
