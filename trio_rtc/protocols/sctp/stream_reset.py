"""Resetting streams (RFC 6525): our requests, one at a time, and the answers to the peer's.

A stream is asked for when all its messages have been sent and acknowledged. A request is repeated by timer until
it is answered with something other than "in progress". Of the peer's requests the last one and its result are
remembered, so that a repetition gets the same answer; "in progress" turns into "performed", with a second
answer that nobody asked for, as soon as the data before the reset has come.
"""

import itertools
import logging
import math

import attrs

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

# Streams in one request: 24 bytes of header and two for each fit the smallest packet.
_MAX_STREAMS = 200

# Streams that are looked at for one request.
_MAX_EXAMINED = 1000

# Answers in one round. A request that gets none is repeated.
_MAX_RESPONSES = 4


@attrs.define
class StreamReset:
    """Both directions of RE-CONFIG for one association.

    Attributes:
        next_sequence: Number of our next request; begins with our initial TSN.
        expected_sequence: Number of the peer's next request; begins with its initial TSN.
        supported: Whether the peer can do it.
        deadline: When an unanswered request is sent again; ``math.inf`` when none waits.
        errors: Repetitions of the request that waits.
    """

    next_sequence: int
    expected_sequence: int
    supported: bool
    deadline: float = math.inf
    errors: int = 0
    _wanted: dict[int, None] = attrs.field(factory=dict)
    _request: OutgoingResetRequest | None = None
    _request_due: bool = False
    _last_result: Result = Result.BAD_SEQUENCE_NUMBER
    _deferred: tuple[int, ...] | None = None
    _responses: list[Parameter] = attrs.field(factory=list)

    def request(self, stream_id: int) -> None:
        """Note that a stream is to be reset; one that is being reset already is not reset twice."""
        if self._request is None or stream_id not in self._request.stream_ids:
            self._wanted[stream_id] = None

    @property
    def is_busy(self) -> bool:
        """Whether resets are wanted or under way."""
        return bool(self._wanted) or self._request is not None

    @property
    def has_chunks(self) -> bool:
        """Whether ``take_chunks`` would return something."""
        return self._request_due or bool(self._responses)

    def prepare(self, queue: SendQueue, transmitter: Transmitter) -> list[SctpEvent]:
        """Make the next request when streams have drained. Returns failures if the peer cannot reset."""
        if self._request is not None or not self._wanted:
            return []
        if not self.supported:
            failed = tuple(self._wanted)
            self._wanted.clear()
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
        """Take the streams for the next request, looking at a bounded number of those that are wanted.

        The ones that still have something to send go to the back: the acknowledgement of it causes another look.
        """
        ready: list[int] = []
        wanted = self._wanted
        for stream_id in list(itertools.islice(wanted, _MAX_EXAMINED)):
            del wanted[stream_id]
            if queue.is_drained(stream_id, acknowledged):
                ready.append(stream_id)
                if len(ready) == _MAX_STREAMS:
                    break
            else:
                wanted[stream_id] = None
        return ready

    def take_chunks(self, now: float, timeout: float) -> list[bytes]:
        """Return the RE-CONFIG chunks to send now; ``timeout`` is when a request is repeated."""
        chunks = [ReConfig((response,)).encode() for response in self._responses]
        self._responses.clear()
        if self._request is not None and self._request_due:
            self._request_due = False
            self.deadline = now + timeout
            chunks.append(ReConfig((self._request.encode(),)).encode())
        return chunks

    def handle_timer(self, now: float) -> None:
        """Repeat the request that waits for too long."""
        if now >= self.deadline:
            self.deadline = math.inf
            self.errors += 1
            self._request_due = True

    def handle_chunk(self, chunk: ReConfig, receiver: Receiver, queue: SendQueue) -> list[SctpEvent]:
        """Take a RE-CONFIG; malformed parameters raise ``ProtocolError`` before anything is changed."""
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
        """Tell that a deferred reset of the peer's has been performed, when it has."""
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
            # The peer is alive and waits for data: the timer repeats the request.
            self.errors = 0
            return []
        self._request = None
        self._request_due = False
        self.deadline = math.inf
        self.errors = 0
        if response.result in (Result.NOTHING_TO_DO, Result.PERFORMED):
            queue.finish_reset(request.stream_ids)
            return [OutgoingStreamsReset(request.stream_ids)]
        logger.debug("the peer answered our stream reset with result %d", response.result)
        queue.cancel_reset(request.stream_ids)
        return [OutgoingResetFailed(request.stream_ids)]

    def _handle_request(self, request: OutgoingResetRequest, receiver: Receiver) -> list[SctpEvent]:
        events: list[SctpEvent] = []
        if request.request_sequence == self.expected_sequence:
            if self._deferred is not None:
                # One at a time (section 5.2.1): it will be repeated.
                self._answer(request.request_sequence, Result.REQUEST_IN_PROGRESS)
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
        """Answer a request: with the remembered result if it is the last one, else as out of sequence."""
        known = sequence == serial_add(self.expected_sequence, -1, 32)
        self._answer(sequence, self._last_result if known else Result.BAD_SEQUENCE_NUMBER)

    def _answer(self, sequence: int, result: Result) -> None:
        if len(self._responses) < _MAX_RESPONSES:
            self._responses.append(ReconfigurationResponse(sequence, result).encode())
