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
at most ``max_burst`` in a call. A packet that is not full may be held back for ``coalescing_delay``:
see :mod:`.tx.coalescing`. What was acknowledged, received or is due never waits for that.

Left out: multi-homing and address parameters (RFC 8261 section 6.1 forbids them), ECN, AUTH, interleaving (RFC 8260),
and of RFC 6525 adding streams and resetting TSNs, which are denied.
"""

import logging
import math
import random
from collections.abc import Sequence
from typing import Final

from trio_rtc.enums import RTCSctpTransportState
from trio_rtc.errors import InvalidStateError, OperationError, ProtocolError
from trio_rtc.protocols.timer import Timer

from . import handshake
from . import state as states
from .bundling import Bundler
from .cookie import StateCookie, parse_cookie
from .counters import Counters
from .events import (
    AssociationError,
    AssociationEstablished,
    BufferedAmountLow,
    Closed,
    MessagesAvailable,
    SctpEvent,
)
from .heartbeat import PathMonitor
from .options import SctpOptions
from .packet import causes, chunks
from .packet.causes import CauseCode, describe_causes
from .packet.data import DATA, DATA_HEADER_SIZE
from .packet.header import (
    HEADER_SIZE,
    ZERO_CHECKSUM,
    encode_header,
    encode_packet,
    has_valid_checksum,
    parse_header,
)
from .packet.parameters import Parameter
from .rx.receiver import Receiver
from .stream_reset import StreamReset
from .tx.coalescing import BATCH_PACKETS, Coalescing
from .tx.rto import RetransmissionTimeout
from .tx.send_queue import SendQueue, limits
from .tx.transmitter import Transmitter

logger = logging.getLogger("trio_rtc.sctp")

# Answers to the peer that may wait in one round; more than that many questions in a batch are ignored.
_MAX_PENDING_CHUNKS: Final = 32
_SMALLEST_DATA: Final = 20


class Association:
    """One SCTP association, in the contract of :class:`trio_rtc.protocols._contract.Core`.

    Args:
        options: See :class:`.SctpOptions`.
        rng: Source of tags, TSNs, nonces and the cookie's secret.
    """

    def __init__(self, options: SctpOptions, *, rng: random.Random) -> None:
        self._options = options
        self._rng = rng
        self._secret = rng.randbytes(32)
        self._local_tag = rng.randrange(1, 1 << 32)
        self._initial_tsn = rng.randrange(1 << 32) if options.initial_tsn is None else options.initial_tsn
        self._state: states.State = states.Listening()
        self._block: states.ControlBlock | None = None
        self._data_block: states.ControlBlock | None = None
        self._events: list[SctpEvent] = []
        self._packets: list[bytes] = []
        self._pending: list[bytes] = []
        max_payload = options.max_packet_size - HEADER_SIZE - DATA_HEADER_SIZE
        self._max_payload = max_payload
        self._queue = SendQueue(max_payload)
        self._coalescing = Coalescing(options.coalescing_delay, BATCH_PACKETS * max_payload)
        self._flush_at = math.inf
        self._receiver: Receiver | None = None
        self._outbound_streams = options.outbound_streams
        self._may_send_data = False
        self._accepts_messages = True
        self.counters = Counters()

    # What can be asked.

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

    # Verbs.

    def connect(self, now: float) -> None:
        """Send INIT, unless the peer was first. Both sides may call it.

        Raises:
            InvalidStateError: The association has ended.
        """
        match self._state:
            case states.Listening():
                timer = Timer(self._options.rto_initial, maximum=self._options.rto_max)
                timer.start(now)
                self._enter(states.CookieWait(timer))
                self._send_init()
            case states.Closed():
                raise InvalidStateError("the association has ended")
            case _:
                pass  # the peer was first, or it is called again

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
        return self._receiver.take_message(stream_id) if self._receiver is not None else None

    def peek_payload_protocol(self, stream_id: int) -> int | None:
        """Return the payload protocol identifier of the next message of a stream, None if there is none."""
        if self._receiver is None:
            return None
        return self._receiver.reassembly.next_payload_protocol(stream_id)

    @property
    def acknowledgement_due(self) -> bool:
        """Whether the peer is to be told of something at once, such as a window that taking has opened."""
        return self._receiver is not None and self._receiver.ack_due

    def set_buffered_amount_low_threshold(self, stream_id: int, threshold: int) -> None:
        """Set at or under which buffered amount, in bytes, the event BufferedAmountLow tells it; default 0."""
        self._queue.set_threshold(stream_id, threshold)

    def reset_streams(self, stream_ids: Sequence[int], now: float) -> None:
        """Reset our side of streams (RFC 6525), once the messages queued so far are acknowledged.

        Raises:
            InvalidStateError: The association has not been established, or has ended.
        """
        if self._block is None:
            raise InvalidStateError("the association is not established")
        for stream_id in stream_ids:
            self._queue.begin_reset(stream_id)
            self._block.resets.want(stream_id)

    def shutdown(self, now: float) -> None:
        """End in order: what is queued is sent and acknowledged first. Idempotent."""
        match self._state:
            case states.Listening() | states.CookieWait():
                self._end(None)
            case states.CookieEchoed() as echoed:
                echoed.shutdown_wanted = True
                self._accepts_messages = False
            case states.Established(block):
                self._enter(states.ShutdownPending(block))

    def close(self, now: float) -> None:
        """Send ABORT, if there is a peer, and end. Idempotent."""
        if not self.closed:
            self._abort(causes.user_initiated_abort(), None)

    def lower_closed(self, now: float) -> None:
        """Hear that DTLS is gone: end without a word."""
        self._packets.clear()
        self._end(AssociationError("the transport below has closed"))

    # The contract's four.

    def receive(self, batch: Sequence[bytes], now: float) -> None:
        """Take packets that DTLS has authenticated."""
        data_packets = 0
        for packet in batch:
            block = self._data_block
            if block is not None and packet[:HEADER_SIZE] == block.inbound_header and not len(packet) & 3:
                # The usual packet: ours, without checksum, in a state that takes data.
                if len(packet) > HEADER_SIZE and packet[HEADER_SIZE] == DATA:
                    data_packets += 1
                try:
                    self._receive_chunks(packet, now)
                except ProtocolError as error:
                    self._drop("malformed", error)
            elif not self.closed:
                data_packets += self._receive_unusual(packet, now)
        if not self.closed:
            self.counters.packets_received += len(batch)
            self._coalescing.received = True
            if self._data_block is not None:
                self._finish_batch(self._data_block, data_packets, now)

    def handle_timer(self, now: float) -> None:
        """Act on what is due."""
        if now >= self._flush_at:
            self._flush_at = math.inf
            self._coalescing.received = True
        self._handle_state_timer(now)
        block = self._block
        if block is None or now < block.next_timer():
            return
        block.receiver.handle_timer(now)
        block.transmitter.handle_timer(now)
        block.resets.handle_timer(now)
        heartbeat = block.path.handle_timer(now, block.transmitter.timeout.value, self._rng)
        if heartbeat is not None:
            self._pending.append(heartbeat.encode())
        if block.errors > self._options.max_retransmissions:
            self._abort(None, AssociationError("the peer does not answer"))

    def next_timer(self) -> float:
        """Return the next deadline."""
        block = self._block
        deadline = min(self._flush_at, self._state_deadline())
        return deadline if block is None else min(deadline, block.next_timer())

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """Take packets: at most ``max_burst`` with data, the rest follows by timer."""
        packets, self._packets = self._packets, []
        block = self._block
        if block is not None:
            self._progress(block, now)
            current = self._state
            if isinstance(current, states.CookieEchoed):
                packets += self._echo_cookie(current, now)
            elif not isinstance(current, states.Closed):
                packets += self._bundle(block, now)
        if self._packets:
            packets += self._packets
            self._packets = []
        self.counters.packets_sent += len(packets)
        return packets

    def events(self) -> list[SctpEvent]:
        """Take what has happened."""
        happened, self._events = self._events, []
        if self._queue.low_streams and not self.closed:
            happened += [BufferedAmountLow(stream_id) for stream_id in self._queue.take_low()]
        return happened

    # Sending.

    def _bundle(self, block: states.ControlBlock, now: float) -> list[bytes]:
        transmitter = block.transmitter
        source = transmitter if self._may_send_data else None
        partial = True
        flush_at = math.inf
        if source is not None and not transmitter.outstanding.lost and self._queue.has_sendable:
            flush_at = self._coalescing.deadline(self._queue.total)
            partial = self._coalescing.received or flush_at <= now
            if flush_at > now and flush_at != math.inf:
                source = None
        wants = source is not None and source.wants_packet(partial)
        control = self._take_control(block, now, with_data=wants)
        if not control and not wants:
            self._hold(transmitter, flush_at, now)
            return []
        packets = self._bundler.bundle(
            control, source, now, max_packets=self._options.max_burst, partial=partial
        )
        if wants:
            self._coalescing.sent(now)
            self._flush_at = math.inf
            if transmitter.wants_packet(partial=True):
                delay = self._coalescing.delay if len(packets) < self._options.max_burst else 0.0
                self._flush_at = now + max(delay, self._options.burst_interval)
        else:
            self._hold(transmitter, flush_at, now)
        if self._may_send_data:
            transmitter.arm_window_probe(now)
        return packets

    def _hold(self, transmitter: Transmitter, flush_at: float, now: float) -> None:
        """Remember when data that is held back may leave, if anything but time holds it back."""
        if self._may_send_data and flush_at > now and transmitter.wants_packet(partial=True):
            self._flush_at = flush_at
        elif self._may_send_data:
            transmitter.arm_window_probe(now)

    def _take_control(self, block: states.ControlBlock, now: float, *, with_data: bool) -> list[bytes]:
        """Return the control chunks that leave now, the SACK first when there is news to tell."""
        control = self._pending
        if control:
            self._pending = []
        if block.resets.has_chunks:
            control += block.resets.take_chunks(now, block.transmitter.timeout.value)
        forward = block.transmitter.take_forward_tsn()
        if forward is not None:
            control.append(forward.encode())
        receiver = block.receiver
        if receiver.ack_due or (receiver.has_unacknowledged and (with_data or control)):
            # COOKIE ACK, if it is there, must come before everything else (section 6.10).
            control.insert(
                1 if control and control[0][0] == chunks.CookieAck.kind else 0, receiver.take_sack().encode()
            )
        return control

    def _echo_cookie(self, current: states.CookieEchoed, now: float) -> list[bytes]:
        """Return COOKIE ECHO with a packet's worth of data behind it; nothing else may leave before COOKIE ACK."""
        if not current.cookie_due:
            return []
        current.cookie_due = False
        echo = chunks.CookieEcho(current.cookie).encode()
        packets = self._bundler.bundle([echo], current.block.transmitter, now, max_packets=1, checksum=True)
        self._coalescing.sent(now)
        return packets

    def _send_init(self) -> None:
        init = handshake.make_init(self._local_tag, self._initial_tsn, self._options)
        self._send_alone(0, init.encode())

    def _send_alone(self, verification_tag: int, chunk: bytes) -> None:
        """Queue a packet of one chunk, with a checksum, outside of the usual bundling."""
        if len(self._packets) < _MAX_PENDING_CHUNKS:
            header = encode_header(self._options.local_port, self._options.remote_port, verification_tag)
            self._packets.append(encode_packet(header, [chunk]))

    def _reply(self, chunk: bytes) -> None:
        """Queue a control chunk, unless too many wait already or it does not fit a packet."""
        if (
            len(self._pending) >= _MAX_PENDING_CHUNKS
            or len(chunk) > self._options.max_packet_size - HEADER_SIZE
        ):
            self._drop("reply")
            return
        self._pending.append(chunk)

    # Receiving.

    def _receive_unusual(self, packet: bytes, now: float) -> int:
        """Take a packet out of the fast path; return 1 if it brought data."""
        try:
            header = parse_header(packet)
            if not self._is_intact(packet):
                self._drop("checksum")
                return 0
            if (header.source_port, header.destination_port) != (
                self._options.remote_port,
                self._options.local_port,
            ):
                self._drop("port")
                return 0
            kind = packet[HEADER_SIZE]
            if not self._has_right_tag(header.verification_tag, packet, kind):
                self._drop("verification tag")
                return 0
            before = self._data_block
            self._receive_chunks(packet, now)
        except ProtocolError as error:
            self._drop("malformed", error)
            return 0
        return int(self._data_block is not None and (kind == DATA or before is None))

    def _is_intact(self, packet: bytes) -> bool:
        """Check the CRC32c; none at all is fine once offered, but not around a handshake (RFC 9653 section 5.3)."""
        if packet[8:HEADER_SIZE] == ZERO_CHECKSUM and self._options.zero_checksum:
            return packet[HEADER_SIZE] not in (chunks.Init.kind, chunks.InitAck.kind, chunks.CookieEcho.kind)
        return has_valid_checksum(packet)

    def _has_right_tag(self, tag: int, packet: bytes, kind: int) -> bool:
        """Check the verification tag by the rules of section 8.5."""
        if kind == chunks.Init.kind:
            return tag == 0
        if kind in (chunks.Abort.kind, chunks.ShutdownComplete.kind) and packet[HEADER_SIZE + 1] & 1:
            return self._block is not None and tag == self._block.peer_tag
        return tag == self._local_tag

    def _receive_chunks(self, packet: bytes, now: float) -> None:
        offset = HEADER_SIZE
        end = len(packet)
        while offset < end:
            if packet[offset] == DATA:
                block = self._data_block
                if block is None:
                    self._drop("data out of state")
                    return
                offset = block.receiver.receive_data(packet, offset)
            else:
                chunk, offset = chunks.parse_chunk(packet, offset)
                if not self._handle_chunk(chunk, now):
                    return

    def _handle_chunk(self, chunk: chunks.Chunk, now: float) -> bool:
        """Take a control chunk; return whether the rest of the packet is to be read."""
        match chunk:
            case chunks.Sack():
                self._handle_sack(chunk, now)
            case chunks.InitAck():
                self._handle_init_ack(chunk, now)
            case chunks.Init():
                self._handle_init(chunk, now)
                return False
            case chunks.CookieEcho(cookie):
                return self._handle_cookie_echo(cookie, now)
            case chunks.CookieAck():
                self._handle_cookie_ack(now)
            case chunks.Abort(reasons):
                code = reasons[0].kind if reasons else None
                self._end(AssociationError(f"the peer aborted: {describe_causes(reasons)}", code))
            case chunks.Error(reasons):
                self._handle_error(reasons, now)
            case chunks.UnknownChunk():
                if chunk.is_reported:
                    report = Parameter(CauseCode.UNRECOGNIZED_CHUNK_TYPE, chunk.encode())
                    self._reply(chunks.Error((report,)).encode())
                return not chunk.stops_processing
            case _:
                self._handle_in_block(chunk, now)
        return not self.closed

    def _handle_in_block(self, chunk: chunks.Chunk, now: float) -> None:
        """Take a chunk that means nothing without an association."""
        block = self._block
        if block is None or isinstance(self._state, states.CookieEchoed):
            self._drop("chunk out of state")
            return
        match chunk:
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
                    self._send_alone(block.peer_tag, chunks.ShutdownComplete().encode())
                    self._end(None)
            case chunks.ShutdownComplete():
                if isinstance(self._state, states.ShutdownAckSent):
                    self._end(None)

    def _handle_sack(self, sack: chunks.Sack, now: float) -> None:
        block = self._block
        if block is None or isinstance(self._state, states.CookieEchoed):
            self._drop("chunk out of state")
            return
        block.transmitter.handle_sack(sack, now)
        block.path.heard(now)

    def _finish_batch(self, block: states.ControlBlock, data_packets: int, now: float) -> None:
        receiver = block.receiver
        receiver.finish_batch(data_packets, now)
        if receiver.violation is not None:
            code = receiver.violation.kind
            self._abort(
                receiver.violation,
                AssociationError(
                    f"the peer broke the protocol: {describe_causes((receiver.violation,))}", code
                ),
            )
            return
        for report in receiver.take_reports():
            self._reply(chunks.Error((report,)).encode())
        if receiver.reassembly.ready:
            self._events.append(MessagesAvailable(receiver.reassembly.take_ready()))
        self._events += block.resets.perform_deferred(receiver)
        if data_packets and isinstance(self._state, states.ShutdownSent):
            # Section 9.2: data that comes after our SHUTDOWN is answered with another one.
            self._send_shutdown(block, self._state.t2_shutdown, now)

    # The handshake.

    def _handle_init(self, init: chunks.Init, now: float) -> None:
        if not handshake.is_acceptable(init):
            self._drop("init")
            return
        match self._state:
            case states.ShutdownAckSent():
                self._reply(chunks.ShutdownAck().encode())
            case _:
                cookie = handshake.negotiate(init, self._local_tag, self._initial_tsn, self._options, now)
                answer = handshake.make_init_ack(init, cookie, self._secret, self._options)
                self._send_alone(init.initiate_tag, answer.encode())

    def _handle_init_ack(self, init_ack: chunks.InitAck, now: float) -> None:
        cookie = init_ack.cookie
        if not isinstance(self._state, states.CookieWait):
            self._drop("chunk out of state")
            return
        if not handshake.is_acceptable(init_ack) or not cookie or len(cookie) > self._max_payload:
            self._drop("init ack")
            return
        agreed = handshake.negotiate(init_ack, self._local_tag, self._initial_tsn, self._options, now)
        block = self._make_block(agreed, None)
        timer = Timer(self._options.rto_initial, maximum=self._options.rto_max)
        timer.start(now)
        self._enter(states.CookieEchoed(block, timer, cookie))

    def _handle_cookie_echo(self, data: bytes, now: float) -> bool:
        """Take a COOKIE ECHO; return whether it was good, so that what is bundled with it may be read."""
        cookie = parse_cookie(data, self._secret)
        if cookie is None or cookie.local_tag != self._local_tag:
            self._drop("cookie")
            return False
        match self._state:
            case states.Listening() | states.CookieWait():
                if now - cookie.created > self._options.cookie_life:
                    staleness = now - cookie.created - self._options.cookie_life
                    error = chunks.Error((causes.stale_cookie(staleness),))
                    self._send_alone(cookie.peer_tag, error.encode())
                    return False
                self._establish(self._make_block(cookie, None), now, shutdown_wanted=False)
            case states.CookieEchoed(block):
                if block.peer_tag != cookie.peer_tag:
                    # The peer answered our INIT under one tag and sent its own under another
                    # (section 5.2.4, action B): what is sent already stays valid, its tag and TSN change.
                    block = self._make_block(cookie, block.transmitter)
                self._establish(block, now, shutdown_wanted=self._state.shutdown_wanted)
            case states.ShutdownAckSent():
                self._reply(chunks.ShutdownAck().encode())
                return False
            case _:
                if self._block is not None and self._block.peer_tag != cookie.peer_tag:
                    self._abort(
                        causes.protocol_violation("restart"), AssociationError("the peer started anew")
                    )
                    return False
        self._pending.insert(0, chunks.CookieAck().encode())
        return True

    def _handle_cookie_ack(self, now: float) -> None:
        match self._state:
            case states.CookieEchoed(block):
                self._establish(block, now, shutdown_wanted=self._state.shutdown_wanted)

    def _handle_error(self, reasons: tuple[Parameter, ...], now: float) -> None:
        logger.debug("the peer reports: %s", describe_causes(reasons))
        stale = any(code == CauseCode.STALE_COOKIE for code, _ in reasons)
        if stale and isinstance(self._state, states.CookieEchoed):
            # Begin again (section 5.2.6), with the count of tries so far.
            timer = self._state.t1_cookie
            self._enter(states.CookieWait(timer))
            self._send_init()

    def _make_block(self, agreed: StateCookie, transmitter: Transmitter | None) -> states.ControlBlock:
        """Make the control block that follows from the handshake."""
        options = self._options
        receiver = Receiver(
            agreed.peer_initial_tsn,
            buffer_size=options.receive_buffer_size,
            max_message_size=options.max_message_size,
            streams=agreed.inbound_streams,
            ack_delay=options.ack_delay,
        )
        if transmitter is None:
            transmitter = self._make_transmitter(agreed)
        return states.ControlBlock(
            local_tag=agreed.local_tag,
            peer_tag=agreed.peer_tag,
            inbound_header=encode_header(options.remote_port, options.local_port, agreed.local_tag),
            outbound_header=encode_header(options.local_port, options.remote_port, agreed.peer_tag),
            capabilities=agreed.capabilities,
            inbound_streams=agreed.inbound_streams,
            outbound_streams=agreed.outbound_streams,
            receiver=receiver,
            transmitter=transmitter,
            path=PathMonitor(options.heartbeat_interval),
            resets=StreamReset(
                agreed.local_initial_tsn, agreed.peer_initial_tsn, agreed.capabilities.reconfiguration
            ),
        )

    def _make_transmitter(self, agreed: StateCookie) -> Transmitter:
        options = self._options
        packet_size = options.max_packet_size - HEADER_SIZE
        congestion = options.congestion_controller(
            packet_size, options.initial_window_packets * packet_size, options.max_congestion_window
        )
        timeout = RetransmissionTimeout(
            options.rto_initial, options.rto_min, options.rto_max, options.rto_variance_floor
        )
        return Transmitter(
            agreed.local_initial_tsn,
            self._queue,
            congestion,
            timeout,
            advertised_window=agreed.peer_window,
            full_size=self._max_payload,
            partial_reliability=agreed.capabilities.partial_reliability,
        )

    def _establish(self, block: states.ControlBlock, now: float, *, shutdown_wanted: bool) -> None:
        self._enter(states.ShutdownPending(block) if shutdown_wanted else states.Established(block))
        block.path.heard(now)
        self._coalescing.received = True
        self._events.append(AssociationEstablished(block.inbound_streams, block.outbound_streams))

    # The end.

    def _progress(self, block: states.ControlBlock, now: float) -> None:
        """Take the steps that wait for data to be acknowledged: stream resets and SHUTDOWN."""
        if block.resets.is_busy:
            self._events += block.resets.prepare(self._queue, block.transmitter)
        match self._state:
            case states.ShutdownPending() if block.transmitter.is_idle:
                timer = Timer(block.transmitter.timeout.value, maximum=self._options.rto_max)
                self._enter(states.ShutdownSent(block, timer))
                self._send_shutdown(block, timer, now)
            case states.ShutdownReceived() if block.transmitter.is_idle:
                self._acknowledge_shutdown(block, now)

    def _send_shutdown(self, block: states.ControlBlock, timer: Timer, now: float) -> None:
        cumulative_tsn = block.receiver.tracker.cumulative_tsn & 0xFFFFFFFF
        self._reply(chunks.Shutdown(cumulative_tsn).encode())
        if not timer.running:
            timer.start(now)

    def _acknowledge_shutdown(self, block: states.ControlBlock, now: float) -> None:
        timer = Timer(block.transmitter.timeout.value, maximum=self._options.rto_max)
        timer.start(now)
        self._enter(states.ShutdownAckSent(block, timer))
        self._reply(chunks.ShutdownAck().encode())

    def _handle_shutdown(self, block: states.ControlBlock, cumulative_tsn: int, now: float) -> None:
        window = block.transmitter.advertised_window
        block.transmitter.handle_sack(chunks.Sack(cumulative_tsn, window), now)
        match self._state:
            case states.Established() | states.ShutdownPending():
                self._enter(states.ShutdownReceived(block))
            case states.ShutdownSent():
                self._acknowledge_shutdown(block, now)

    def _abort(self, cause: Parameter | None, error: AssociationError | None) -> None:
        """Send ABORT, if the peer's tag is known, and end."""
        if self._block is not None:
            reasons = () if cause is None else (cause,)
            self._send_alone(self._block.peer_tag, chunks.Abort(reasons).encode())
        self._end(error)

    def _end(self, error: AssociationError | None) -> None:
        if self.closed:
            return
        logger.debug("the association has ended: %s", error)
        self._pending.clear()
        self._flush_at = math.inf
        self._enter(states.Closed(error))
        self._events.append(Closed(error))

    # States and timers.

    def _enter(self, new: states.State) -> None:
        """Change the state, and what follows from it for the hot paths."""
        self._state = new
        self._block = (
            None if isinstance(new, states.Listening | states.CookieWait | states.Closed) else new.block
        )
        takes_data = isinstance(
            new, states.Established | states.ShutdownPending | states.ShutdownSent | states.ShutdownReceived
        )
        self._data_block = self._block if takes_data else None
        self._may_send_data = takes_data and not isinstance(new, states.ShutdownSent)
        self._accepts_messages = isinstance(
            new, states.Listening | states.CookieWait | states.CookieEchoed | states.Established
        )
        if self._block is not None:
            self._receiver = self._block.receiver
            self._outbound_streams = self._block.outbound_streams
            self._bundler = Bundler(
                self._block.outbound_header,
                self._options.max_packet_size,
                checksum=not self._block.capabilities.zero_checksum,
            )

    def _state_timer(self) -> Timer | None:
        match self._state:
            case states.CookieWait(timer):
                return timer
            case states.CookieEchoed() as echoed:
                return echoed.t1_cookie
            case states.ShutdownSent() | states.ShutdownAckSent() as ending:
                return ending.t2_shutdown
            case _:
                return None

    def _state_deadline(self) -> float:
        timer = self._state_timer()
        return math.inf if timer is None else timer.deadline

    def _handle_state_timer(self, now: float) -> None:
        """Act on T1-init, T1-cookie or T2-shutdown."""
        timer = self._state_timer()
        if timer is None or not timer.expire(now):
            return
        match self._state:
            case states.CookieWait():
                if timer.expirations > self._options.max_init_retransmissions:
                    self._end(AssociationError("the peer does not answer"))
                else:
                    self._send_init()
            case states.CookieEchoed() as echoed:
                if timer.expirations > self._options.max_init_retransmissions:
                    self._end(AssociationError("the peer does not answer"))
                else:
                    echoed.cookie_due = True
            case states.ShutdownSent(block):
                if timer.expirations > self._options.max_retransmissions:
                    self._abort(None, AssociationError("the peer does not answer"))
                else:
                    self._send_shutdown(block, timer, now)
            case states.ShutdownAckSent():
                if timer.expirations > self._options.max_retransmissions:
                    # Everything was delivered both ways; only the last word is missing.
                    self._end(None)
                else:
                    self._reply(chunks.ShutdownAck().encode())

    def _drop(self, reason: str, error: ProtocolError | None = None) -> None:
        self.counters.dropped[reason] += 1
        logger.debug("dropped: %s %s", reason, error or "")
