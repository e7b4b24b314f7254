"""The SCTP association over DTLS, without input or output of its own.

What it is made of: RFC 9260 (SCTP), RFC 8261 (over DTLS), RFC 3758 (partial reliability), RFC 6525 (stream
reset), RFC 7053 (immediate acknowledgement), RFC 9653 (zero checksum), as RFC 8831 asks of data channels.

States. An association begins in ``Listening``, where an INIT is answered with a signed cookie and nothing is kept.
``connect`` sends INIT and waits in ``CookieWait``; INIT ACK leads to ``CookieEchoed``, COOKIE ACK to ``Established``.
In WebRTC both sides call ``connect``, so INITs cross: each is answered as if it had come alone, with the same tag
and TSN as in our own INIT, and whichever COOKIE ECHO arrives first establishes. ``shutdown`` goes by way of
``ShutdownPending`` (what is queued is sent and acknowledged first) to ``ShutdownSent``; the other side by way of
``ShutdownReceived`` to ``ShutdownAckSent``; ``close`` sends ABORT from anywhere. Every way ends in ``Closed``.

An association lives as long as the DTLS connection under it, and a peer cannot restart one without the other:
a COOKIE ECHO with a new tag of the peer's in ``Established`` (RFC 9260 section 5.2.4, restart) aborts.
Packets that belong to no association are dropped and counted instead of answered (section 8.4): below us is an
authenticated peer, and an ABORT could only kill an association that is just being set up.

What leaves when. ``datagrams_to_send`` bundles control chunks, one SACK, retransmissions and new data into packets,
at most ``max_burst`` in a call; the rest follows by timer. A packet that is not full leaves at once when nothing is
on its way, or when a message has been received since data last left. While the application goes on sending with
only SACKs coming back, less than a batch of full packets waits for more until ``coalescing_delay`` has passed
since the last one, which ``next_timer`` reports. SACKs and control chunks never wait.

Left out: multi-homing and address parameters (RFC 8261 section 6.1 forbids them), ECN, AUTH, interleaving (RFC 8260),
and of RFC 6525 adding streams and resetting TSNs, which are denied.
"""

import logging
import random
from collections.abc import Sequence

from trio_rtc.enums import RTCSctpTransportState
from trio_rtc.errors import InvalidStateError, OperationError, ProtocolError
from trio_rtc.protocols.timer import Timer

from . import state as states
from .admission import find_fault, is_usual
from .counters import Counters
from .events import (
    AssociationError,
    AssociationEstablished,
    BufferedAmountLow,
    Closed,
    MessagesAvailable,
    SctpEvent,
)
from .handshake import Handshake, is_acceptable
from .options import SctpOptions
from .outbox import Outbox
from .packet import causes, chunks
from .packet.causes import CauseCode, describe_causes
from .packet.data import DATA, DATA_HEADER_SIZE
from .packet.header import HEADER_SIZE
from .packet.parameters import Parameter
from .statistics import AssociationStatistics, take_snapshot
from .tx.send_queue import SendQueue, limits

logger = logging.getLogger("trio_rtc.sctp")


class Association:
    """One SCTP association, in the contract of :class:`trio_rtc.protocols._contract.Core`.

    Args:
        options: See :class:`.SctpOptions`.
        rng: Source of tags, TSNs, nonces and the cookie's secret.

    Attributes:
        counters: What was counted of packets; ``statistics`` has that and more.
    """

    def __init__(self, options: SctpOptions, *, rng: random.Random) -> None:
        self._options = options
        self._rng = rng
        self._handshake = Handshake(options, rng)
        self._max_payload = options.max_packet_size - HEADER_SIZE - DATA_HEADER_SIZE
        self._queue = SendQueue(self._max_payload)
        self._outbox = Outbox(options, self._queue, self._max_payload)
        self.counters = Counters()
        self._events: list[SctpEvent] = []
        self._state: states.State = states.Listening()
        # What follows from the state, looked up for every packet or message: see ``_enter``.
        self._block: states.ControlBlock | None = None
        self._data_block: states.ControlBlock | None = None
        self._sends_data = False
        self._accepts_messages = True
        self._outbound_streams = options.outbound_streams
        self._last_block: states.ControlBlock | None = None

    # Questions.

    @property
    def state(self) -> RTCSctpTransportState:
        """The state as W3C has it."""
        match self._state:
            case states.Listening() | states.CookieWait() | states.CookieEchoed():
                return RTCSctpTransportState.CONNECTING
            case states.Closed():
                return RTCSctpTransportState.CLOSED
            case _:
                return RTCSctpTransportState.CONNECTED

    @property
    def closed(self) -> bool:
        """Whether the association has ended."""
        return isinstance(self._state, states.Closed)

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
        return self._block is not None and self._block.receiver.ack_due

    def peek_payload_protocol(self, stream_id: int) -> int | None:
        """Return the payload protocol identifier of the message that ``receive_message`` would take."""
        block = self._last_block
        return None if block is None else block.receiver.peek_payload_protocol(stream_id)

    def statistics(self) -> AssociationStatistics:
        """Return a snapshot of all counters."""
        return take_snapshot(self.counters, self._last_block, self._queue)

    # Verbs.

    def connect(self, now: float) -> None:
        """Send INIT, unless the peer was first. Both sides may call it.

        Raises:
            InvalidStateError: The association has ended.
        """
        if self.closed:
            raise InvalidStateError("the association has ended")
        if isinstance(self._state, states.Listening):
            timer = Timer(self._options.rto_initial, maximum=self._options.rto_max_init)
            timer.start(now)
            self._enter(states.CookieWait(timer))
            self._send_init()

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
        if not self._accepts_messages:
            raise InvalidStateError("the association has ended or is ending")
        if not 0 <= stream_id < self._outbound_streams:
            raise ValueError(f"stream {stream_id}, there are {self._outbound_streams}")
        if not data:
            raise ValueError("a message has at least one byte")
        if self._queue.total + len(data) > self._options.send_buffer_size:
            raise OperationError(f"{self._queue.total} bytes wait to be sent already")
        reliability = None
        if max_retransmits is not None or lifetime is not None:
            expires_at = None if lifetime is None else now + lifetime
            reliability = limits(
                stream_id, ordered=ordered, max_retransmits=max_retransmits, expires_at=expires_at
            )
        self._queue.push(stream_id, payload_protocol_id, data, ordered, reliability)

    def receive_message(self, stream_id: int) -> tuple[int, bytes] | None:
        """Take the next message of a stream: its payload protocol identifier and its data.

        What is taken makes room for more, which the peer may have to be told: call ``datagrams_to_send``
        after a run of these. Messages stay here when the association ends.
        """
        block = self._last_block
        if block is None:
            return None
        receiver = block.receiver
        message = receiver.take_message(stream_id)
        if receiver.ack_due:
            self._outbox.wake()
        return message

    def set_message_aside(self, stream_id: int) -> tuple[int, bytes] | None:
        """Take the next message of a stream without making room for more, which ``give_back`` does later.

        For who has to clear a stream for its next use, while the messages still wait to be read.
        """
        return None if self._last_block is None else self._last_block.receiver.set_aside(stream_id)

    def give_back(self, message: tuple[int, bytes]) -> None:
        """Make the room of a message that was set aside; call ``datagrams_to_send`` after a run of these."""
        if self._last_block is not None:
            receiver = self._last_block.receiver
            receiver.give_back(message)
            if receiver.ack_due:
                self._outbox.wake()

    def holds_back(self, now: float) -> bool:
        """Return whether what was queued last waits for more, so that there is nothing to take at present.

        For callers who queue many small messages: the last ``next_timer`` still tells when to look again.
        """
        return self._outbox.is_quiet(now)

    def set_buffered_amount_low_threshold(self, stream_id: int, threshold: int) -> None:
        """Set at or under which buffered amount, in bytes, the event BufferedAmountLow tells it; default 0."""
        self._queue.set_threshold(stream_id, threshold)

    def reset_streams(self, stream_ids: Sequence[int], now: float) -> None:
        """Reset our side of streams (RFC 6525), once the messages queued so far are acknowledged.

        Messages queued on them from now on wait until the peer has performed the reset. A stream that is
        being reset already is not reset twice.

        Raises:
            InvalidStateError: The association has not been established, or has ended.
        """
        if self._block is None:
            raise InvalidStateError("the association is not established")
        for stream_id in stream_ids:
            self._queue.begin_reset(stream_id)
            self._block.resets.want(stream_id)
        self._outbox.wake()

    def shutdown(self, now: float) -> None:
        """End in order: what is queued is sent and acknowledged first. Idempotent."""
        self._outbox.wake()
        match self._state:
            case states.Listening() | states.CookieWait():
                self._end(None)
            case states.CookieEchoed() as echoed:
                echoed.shutdown_wanted = True
                self._accepts_messages = False
            case states.Established(block):
                self._enter(states.ShutdownPending(block))
            case _:
                pass  # it has ended, or is about to

    def close(self, now: float) -> None:
        """Send ABORT, if there is a peer, and end. Idempotent."""
        if not self.closed:
            self._abort(causes.user_initiated_abort(), None)

    def lower_closed(self, now: float) -> None:
        """Hear that DTLS is gone: end without a word."""
        self._outbox.discard_packets()
        self._end(AssociationError("the transport below has closed"))

    # Input and output.

    def receive(self, batch: Sequence[bytes], now: float) -> None:
        """Take packets that DTLS has authenticated."""
        if self.closed:
            return
        self.counters.packets_received += len(batch)
        self._outbox.wake()
        zero_is_fine = self._options.zero_checksum
        for packet in batch:
            block = self._data_block
            try:
                if block is not None and is_usual(packet, block.inbound_header, zero_is_fine):
                    # Ours, intact, in a state that takes data.
                    offset = HEADER_SIZE
                    if packet[HEADER_SIZE] == DATA:
                        offset = block.receiver.receive_data(packet, HEADER_SIZE)
                    if offset < len(packet):
                        self._receive_chunks(packet, offset, now)
                elif self._is_for_us(packet):
                    self._receive_chunks(packet, HEADER_SIZE, now)
            except ProtocolError as error:
                self._drop("malformed", error)
        if self._data_block is not None:
            self._finish_batch(self._data_block, now)

    def handle_timer(self, now: float) -> None:
        """Act on what is due."""
        self._outbox.handle_timer(now)
        self._handle_state_timer(now)
        block = self._block
        if block is None or now < block.next_timer():
            return
        self._outbox.wake()
        block.receiver.handle_timer(now)
        block.transmitter.handle_timer(now)
        block.resets.handle_timer(now)
        heartbeat = block.path.handle_timer(now, block.transmitter.timeout.value, self._rng)
        if heartbeat is not None:
            self._reply(heartbeat.encode())
        if block.errors > self._options.max_retransmissions:
            self._give_up()

    def next_timer(self) -> float:
        """Return the next deadline."""
        deadline = self._outbox.flush_at
        timer = None if self._sends_data else self._state_timer()
        if timer is not None:
            deadline = min(deadline, timer.deadline)
        block = self._block
        return deadline if block is None else min(deadline, block.next_timer())

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """Take packets: at most ``max_burst`` with data, the rest follows by timer."""
        if self._outbox.is_quiet(now):
            return []
        packets: list[bytes] = []
        block = self._block
        if block is not None:
            self._progress(block, now)
            current = self._state
            if not isinstance(current, states.CookieEchoed):
                packets = self._outbox.take_bundles(block, now, with_data=self._sends_data)
            elif current.cookie_due:
                # Nothing else may leave before COOKIE ACK.
                current.cookie_due = False
                packets = self._outbox.echo_cookie(block, current.cookie, now)
        packets += self._outbox.take_packets()
        self.counters.packets_sent += len(packets)
        return packets

    def events(self) -> list[SctpEvent]:
        """Take what has happened."""
        happened, self._events = self._events, []
        if self._queue.low_streams:
            low = self._queue.take_low()
            if not self.closed:
                happened += [BufferedAmountLow(stream_id) for stream_id in low]
        return happened

    # What comes in.

    def _is_for_us(self, packet: bytes) -> bool:
        """Check a packet out of the fast path; count what is wrong with it."""
        peer_tag = None if self._block is None else self._block.peer_tag
        reason = find_fault(packet, self._options, self._handshake.local_tag, peer_tag)
        if reason is not None:
            self._drop(reason)
        return reason is None

    def _receive_chunks(self, packet: bytes, offset: int, now: float) -> None:
        end = len(packet)
        sack_taken = False
        while offset < end:
            if packet[offset] == DATA:
                block = self._data_block
                if block is None:
                    self._drop_out_of_state("data out of state")
                    return
                offset = block.receiver.receive_data(packet, offset)
            else:
                chunk, offset = chunks.parse_chunk(packet, offset)
                if type(chunk) is chunks.Sack and self._data_block is not None:
                    # By far the most common control chunk: not through the match of all the others. One a packet
                    # is taken, as no sender has more: it can cost a look at all that is outstanding.
                    if sack_taken:
                        continue
                    sack_taken = True
                    self._data_block.transmitter.handle_sack(chunk, now)
                    self._data_block.path.heard(now)
                elif not self._handle_chunk(chunk, now):
                    return

    def _handle_chunk(self, chunk: chunks.Chunk, now: float) -> bool:
        """Take a control chunk; return whether the rest of the packet is to be read."""
        match chunk:
            case chunks.InitAck():
                self._handle_init_ack(chunk, now)
            case chunks.Init():
                self._handle_init(chunk, now)
                return False
            case chunks.CookieEcho(cookie):
                return self._handle_cookie_echo(cookie, now)
            case chunks.CookieAck():
                if isinstance(self._state, states.CookieEchoed):
                    self._establish(self._state.block, now)
            case chunks.Abort(reasons):
                self._handle_abort(reasons)
            case chunks.Error(reasons):
                self._handle_error(reasons)
            case chunks.UnknownChunk():
                if chunk.is_reported:
                    report = Parameter(CauseCode.UNRECOGNIZED_CHUNK_TYPE, chunk.encode())
                    self._reply(chunks.Error((report,)).encode())
                return not chunk.stops_processing
            case _:
                block = self._block
                if block is not None and not isinstance(self._state, states.CookieEchoed):
                    self._handle_chunk_of_block(block, chunk, now)
                else:
                    self._drop_out_of_state("chunk out of state")
        return not self.closed

    def _drop_out_of_state(self, reason: str) -> None:
        self._drop(reason)
        if isinstance(self._state, states.CookieEchoed):
            # Only an established peer sends this, so COOKIE ACK was lost: ask for it without waiting.
            self._state.cookie_due = True

    def _handle_chunk_of_block(
        self, block: states.ControlBlock, chunk: chunks.TransferChunk, now: float
    ) -> None:
        """Take a chunk that means nothing without an association."""
        match chunk:
            case chunks.Sack():
                block.transmitter.handle_sack(chunk, now)
                block.path.heard(now)
            case chunks.HeartbeatAck(info):
                round_trip = block.path.handle_ack(info, now)
                if round_trip is not None:
                    block.transmitter.timeout.measure(round_trip)
            case chunks.Heartbeat(info):
                self._reply(chunks.HeartbeatAck(info).encode())
            case chunks.ForwardTsn():
                if block.capabilities.partial_reliability:
                    block.receiver.forward(chunk)
            case chunks.ReConfig():
                self._events += block.resets.handle_chunk(chunk, block.receiver, self._queue)
            case chunks.Shutdown(cumulative_tsn):
                self._handle_shutdown(block, cumulative_tsn, now)
            case chunks.ShutdownAck():
                if isinstance(self._state, states.ShutdownSent | states.ShutdownAckSent):
                    self._outbox.send_alone(block.peer_tag, chunks.ShutdownComplete().encode())
                    self._end(None)
            case chunks.ShutdownComplete():
                if isinstance(self._state, states.ShutdownAckSent):
                    self._end(None)

    def _finish_batch(self, block: states.ControlBlock, now: float) -> None:
        """Do what is done once for a batch of packets."""
        receiver = block.receiver
        receiver.finish_batch(now)
        if receiver.has_unacknowledged:
            self._outbox.release()
        if receiver.reassembly.ready:
            self._events.append(MessagesAvailable(receiver.reassembly.take_ready()))
        if receiver.violation is not None:
            words = f"the peer broke the protocol: {describe_causes((receiver.violation,))}"
            self._abort(receiver.violation, AssociationError(words, receiver.violation.kind))
            return
        for report in receiver.take_reports():
            self._reply(chunks.Error((report,)).encode())
        self._events += block.resets.perform_deferred(receiver)
        if isinstance(self._state, states.ShutdownSent) and receiver.has_unacknowledged:
            # Section 9.2: data that comes after our SHUTDOWN is answered with another one.
            self._send_shutdown(block)

    # The handshake.

    def _handle_init(self, init: chunks.Init, now: float) -> None:
        if not is_acceptable(init):
            self._drop("init")
        elif isinstance(self._state, states.ShutdownAckSent):
            # Section 9.2: the peer has not heard the end yet.
            self._reply(chunks.ShutdownAck().encode())
        else:
            self._outbox.send_alone(init.initiate_tag, self._handshake.answer(init, now).encode())

    def _handle_init_ack(self, init_ack: chunks.InitAck, now: float) -> None:
        cookie = init_ack.cookie
        if not isinstance(self._state, states.CookieWait):
            self._drop("chunk out of state")
        elif not is_acceptable(init_ack) or not cookie or len(cookie) > self._max_payload:
            self._drop("init ack")
        else:
            agreed = self._handshake.negotiate(init_ack, now)
            timer = Timer(self._options.rto_initial, maximum=self._options.rto_max_init)
            timer.start(now)
            block = self._handshake.make_block(agreed, self._queue)
            self._enter(states.CookieEchoed(block, timer, cookie))

    def _handle_cookie_echo(self, data: bytes, now: float) -> bool:
        """Take a COOKIE ECHO; return whether it was good, so that what is bundled with it may be read."""
        cookie = self._handshake.read_cookie(data)
        if cookie is None:
            self._drop("cookie")
            return False
        known = self._block is not None and self._block.peer_tag == cookie.peer_tag
        match self._state:
            case states.Listening() | states.CookieWait():
                staleness = self._handshake.staleness(cookie, now)
                if staleness > 0:
                    error = chunks.Error((causes.stale_cookie(staleness),))
                    self._outbox.send_alone(cookie.peer_tag, error.encode())
                    return False
                self._establish(self._handshake.make_block(cookie, self._queue), now)
            case states.CookieEchoed(block):
                if not known:
                    # The peer answered our INIT under one tag and sent its own under another
                    # (section 5.2.4, action B): what is sent already stays valid, its tag and TSN change.
                    block = self._handshake.make_block(cookie, self._queue, block.transmitter)
                self._establish(block, now)
            case states.ShutdownAckSent():
                self._reply(chunks.ShutdownAck().encode())
                return False
            case _:
                if not known:
                    self._abort(
                        causes.protocol_violation("restart"), AssociationError("the peer started anew")
                    )
                    return False
        self._outbox.reply_first(chunks.CookieAck().encode())
        return True

    def _handle_abort(self, reasons: tuple[Parameter, ...]) -> None:
        if isinstance(self._state, states.Listening):
            self._drop("chunk out of state")
            return
        code = reasons[0].kind if reasons else None
        self._end(AssociationError(f"the peer aborted: {describe_causes(reasons)}", code))

    def _handle_error(self, reasons: tuple[Parameter, ...]) -> None:
        logger.debug("the peer reports: %s", describe_causes(reasons))
        stale = any(code == CauseCode.STALE_COOKIE for code, _ in reasons)
        if stale and isinstance(self._state, states.CookieEchoed):
            # Begin again (section 5.2.6), with the count of tries so far.
            self._enter(states.CookieWait(self._state.t1_cookie))
            self._send_init()

    def _establish(self, block: states.ControlBlock, now: float) -> None:
        current = self._state
        if isinstance(current, states.CookieEchoed) and current.shutdown_wanted:
            self._enter(states.ShutdownPending(block))
        else:
            self._enter(states.Established(block))
        self._queue.limit_streams(block.outbound_streams)
        block.path.heard(now)
        self._events.append(AssociationEstablished(block.inbound_streams, block.outbound_streams))

    def _send_init(self) -> None:
        self._outbox.send_alone(0, self._handshake.make_init().encode())

    # The end.

    def _progress(self, block: states.ControlBlock, now: float) -> None:
        """Take the steps that wait for data to be acknowledged: stream resets and SHUTDOWN."""
        if block.resets.is_busy:
            self._events += block.resets.prepare(self._queue, block.transmitter)
        match self._state:
            case states.ShutdownPending() if block.transmitter.is_idle:
                self._enter(states.ShutdownSent(block, self._start_t2(block, now)))
                self._send_shutdown(block)
            case states.ShutdownReceived() if block.transmitter.is_idle:
                self._acknowledge_shutdown(block, now)
            case _:
                pass

    def _handle_shutdown(self, block: states.ControlBlock, cumulative_tsn: int, now: float) -> None:
        window = block.transmitter.advertised_window
        block.transmitter.handle_sack(chunks.Sack(cumulative_tsn, window), now)
        match self._state:
            case states.Established() | states.ShutdownPending():
                self._enter(states.ShutdownReceived(block))
            case states.ShutdownSent():
                self._acknowledge_shutdown(block, now)
            case _:
                pass  # it was answered before

    def _send_shutdown(self, block: states.ControlBlock) -> None:
        self._reply(chunks.Shutdown(block.receiver.tracker.cumulative_tsn & 0xFFFFFFFF).encode())

    def _acknowledge_shutdown(self, block: states.ControlBlock, now: float) -> None:
        self._enter(states.ShutdownAckSent(block, self._start_t2(block, now)))
        self._reply(chunks.ShutdownAck().encode())

    def _start_t2(self, block: states.ControlBlock, now: float) -> Timer:
        block.path.stop()
        timer = Timer(block.transmitter.timeout.value, maximum=self._options.rto_max)
        timer.start(now)
        return timer

    def _abort(self, cause: Parameter | None, error: AssociationError | None) -> None:
        """Send ABORT, if the peer's tag is known, and end."""
        if self._block is not None:
            reasons = () if cause is None else (cause,)
            self._outbox.send_alone(self._block.peer_tag, chunks.Abort(reasons).encode())
        self._end(error)

    def _end(self, error: AssociationError | None) -> None:
        if not self.closed:
            logger.debug("the association has ended: %s", error)
            self._outbox.clear()
            self._enter(states.Closed(error))
            self._events.append(Closed(error))

    # States and timers.

    def _enter(self, new: states.State) -> None:
        """Change the state, and what follows from it."""
        self._state = new
        self._outbox.wake()
        self._accepts_messages = isinstance(
            new, states.Listening | states.CookieWait | states.CookieEchoed | states.Established
        )
        self._sends_data = isinstance(
            new, states.Established | states.ShutdownPending | states.ShutdownReceived
        )
        if isinstance(new, states.Listening | states.CookieWait | states.Closed):
            self._block = self._data_block = None
            return
        self._block = new.block
        self._data_block = new.block if self._sends_data or isinstance(new, states.ShutdownSent) else None
        self._last_block = new.block
        self._outbound_streams = new.block.outbound_streams

    def _state_timer(self) -> Timer | None:
        """Return T1-init, T1-cookie or T2-shutdown, whichever the state has."""
        match self._state:
            case states.CookieWait(timer):
                return timer
            case states.CookieEchoed() as echoed:
                return echoed.t1_cookie
            case states.ShutdownSent() | states.ShutdownAckSent() as ending:
                return ending.t2_shutdown
            case _:
                return None

    def _handle_state_timer(self, now: float) -> None:
        timer = self._state_timer()
        if timer is None or not timer.expire(now):
            return
        self._outbox.wake()
        if timer.expirations > self._options.max_init_retransmissions:
            self._give_up()
            return
        match self._state:
            case states.CookieWait():
                self._send_init()
            case states.CookieEchoed() as echoed:
                echoed.cookie_due = True
            case states.ShutdownSent(block):
                self._send_shutdown(block)
            case _:
                self._reply(chunks.ShutdownAck().encode())

    def _give_up(self) -> None:
        """End after too many retransmissions."""
        if isinstance(self._state, states.ShutdownAckSent):
            # Everything was delivered both ways; only the last word is missing.
            self._end(None)
        else:
            self._abort(None, _SILENCE)

    def _reply(self, chunk: bytes) -> None:
        if not self._outbox.reply(chunk):
            self._drop("reply")

    def _drop(self, reason: str, error: ProtocolError | None = None) -> None:
        self.counters.dropped[reason] += 1
        logger.debug("dropped: %s %s", reason, error or "")


_SILENCE = AssociationError("the peer does not answer")
