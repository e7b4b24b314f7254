"""The state machine of an association: establishment and end (RFC 9260 sections 5, 8 and 9).

An association starts in ``Listening``, where an INIT is answered with a state cookie and no state is kept.
``connect`` sends INIT and enters ``CookieWait``; INIT ACK leads to ``CookieEchoed``, COOKIE ACK to ``Established``.
In WebRTC both sides call ``connect``, so INITs cross: each is answered with the tag and TSN of our own INIT, and the
first COOKIE ECHO to arrive establishes the association. ``shutdown`` leads through ``ShutdownPending``, in which queued
messages are sent and acknowledged, to ``ShutdownSent``; the peer goes through ``ShutdownReceived`` to
``ShutdownAckSent``. ``close`` sends ABORT in any state. All paths end in ``Closed``.

An association lives as long as its DTLS connection, and a peer cannot restart one without the other: a COOKIE ECHO with
a new peer tag in ``Established`` (RFC 9260 section 5.2.4, restart) aborts. Out-of-the-blue packets are dropped and
counted instead of answered (section 8.4): DTLS has authenticated the peer, and an ABORT could only end an association
whose handshake is in progress.
"""

import logging
import math
import random
from typing import Final

from trio_rtc.protocols.timer import Timer

from . import state as states
from .counters import Counters
from .events import AssociationClosed, AssociationError, AssociationEstablished, SctpEvent
from .handshake import Handshake, error_report, is_acceptable, without_unprocessed
from .options import SctpOptions
from .packet import causes, chunks
from .packet.causes import CauseCode, describe_causes
from .packet.parameters import Parameter
from .packet_builder import CookiePacket, PacketBuilder
from .tx.path_share import PathShare
from .tx.send_queue import SendQueue

logger = logging.getLogger("trio_rtc.sctp")

# Number of INITs with all parameters; later ones have only the indispensable ones.
_FULL_INITS: Final = 2
# Number of COOKIE ECHOs bundled with data. Section 5.1 allows that, but a peer may drop the whole packet.
_FULL_COOKIES: Final = 2


class Lifecycle:
    """The state machine of one association.

    Its attributes derive from the state. They are plain attributes, because they are read for every packet and every
    message; only this class sets them.

    Args:
        rng: Source of tag, TSN and the cookie's secret.
        counters: Counts dropped chunks.

    Attributes:
        local_tag: Verification tag of packets to us.
        block: The control block, from ``CookieEchoed`` to the end.
        data_block: The control block, in the states that receive data.
        last_block: The control block, even after the end: received messages remain available.
        timer: T1-init, T1-cookie or T2-shutdown, depending on the state.
        establishment_deadline: When the handshake fails; ``math.inf`` outside of it.
        outbound_streams: Number of streams that we may use; before the negotiation, that we request.
        accepts_messages: Whether the application may queue messages.
        sends_data: Whether the state allows to send data, other than with COOKIE ECHO.
        is_established: Whether the handshake is complete and the association has not ended.
        closed: Whether the association has ended.
    """

    def __init__(
        self,
        options: SctpOptions,
        rng: random.Random,
        *,
        share: PathShare,
        queue: SendQueue,
        builder: PacketBuilder,
        counters: Counters,
        events: list[SctpEvent],
    ) -> None:
        self._options = options
        self._handshake = Handshake(options, rng, share)
        self._queue = queue
        self._builder = builder
        self._counters = counters
        self._events = events
        self._state: states.State = states.Listening()
        self.local_tag = self._handshake.local_tag
        self.block: states.ControlBlock | None = None
        self.data_block: states.ControlBlock | None = None
        self.last_block: states.ControlBlock | None = None
        self.timer: Timer | None = None
        self.establishment_deadline = math.inf
        self.outbound_streams = options.outbound_streams
        self.accepts_messages = True
        self.sends_data = False
        self.is_established = False
        self.closed = False

    # Actions of the application and of the layer below.

    def connect(self, now: float) -> None:
        if isinstance(self._state, states.Listening):
            self._enter(states.CookieWait(self._start_t1(now)))
            self.establishment_deadline = now + self._options.set_up_time
            self._send_init()

    def shutdown(self) -> None:
        match self._state:
            case states.Listening() | states.CookieWait():
                self._end(None)
            case states.CookieEchoed() as echoed:
                echoed.shutdown_requested = True
                self.accepts_messages = False
            case states.Established(block):
                self._enter(states.ShutdownPending(block))
            case _:
                pass  # it has ended or is shutting down

    def close(self) -> None:
        if not self.closed:
            self.abort(causes.user_initiated_abort(), None)

    def lower_closed(self) -> None:
        self._builder.discard_packets()
        self._end(AssociationError("the transport below has closed"))

    # Errors and progress.

    def abort(self, cause: Parameter | None, error: AssociationError | None) -> None:
        """Send ABORT, if the peer's tag is known, and end."""
        if self.block is not None:
            reasons = () if cause is None else (cause,)
            self._builder.queue_packet(self.block.peer_tag, chunks.Abort(reasons).encode())
        self._end(error)

    def fail(self) -> None:
        """End, because the peer does not respond."""
        match self._state:
            case states.ShutdownAckSent():
                # Everything was delivered in both directions; only SHUTDOWN COMPLETE is missing.
                self._end(None)
            case states.CookieWait():
                self._end(
                    AssociationError("the association was not established: the peer does not answer INIT")
                )
            case states.CookieEchoed():
                words = "the association was not established: the peer does not answer COOKIE ECHO"
                self.abort(None, AssociationError(words))
            case _:
                self.abort(None, AssociationError("the peer does not answer"))

    def drop_out_of_state(self, reason: str) -> None:
        self._counters.drop(reason)
        if isinstance(self._state, states.CookieEchoed):
            # Only an established peer sends this, so COOKIE ACK was lost: send COOKIE ECHO again at once.
            self._state.cookie_due = True

    def handle_data_after_shutdown(self) -> None:
        """Send SHUTDOWN again for data received after it (section 9.2)."""
        if isinstance(self._state, states.ShutdownSent):
            self._send_shutdown(self._state.block)

    def advance_shutdown(self, now: float) -> None:
        """Continue a shutdown once all our data is acknowledged."""
        match self._state:
            case states.ShutdownPending(block) if block.transmitter.is_idle:
                self._enter(states.ShutdownSent(block, self._start_t2(block, now)))
                self._send_shutdown(block)
            case states.ShutdownReceived(block) if block.transmitter.is_idle:
                self._acknowledge_shutdown(block, now)
            case _:
                pass

    def take_due_cookie(self) -> CookiePacket | None:
        """Return and remove the COOKIE ECHO that is due, with the chunks to bundle; None if none is due.

        Only the first one has a report: a peer may fail to parse it.
        """
        state = self._state
        if not isinstance(state, states.CookieEchoed) or not state.cookie_due:
            return None
        state.cookie_due = False
        report, state.report = state.report, b""
        return CookiePacket(state.cookie, report, state.t1_cookie.expirations < _FULL_COOKIES)

    def handle_timer(self, now: float) -> None:
        """Handle T1 and T2: retransmit the last chunk or fail."""
        timer = self.timer
        if now >= self.establishment_deadline:
            self.fail()
            return
        if timer is None or not timer.expire(now):
            return
        if timer.expirations > self._options.max_init_retransmissions:
            self.fail()
            return
        match self._state:
            case states.CookieWait():
                if timer.expirations >= _FULL_INITS:
                    self._handshake.withdraw_optional_parameters()
                self._send_init()
            case states.CookieEchoed() as echoed:
                echoed.cookie_due = True
            case states.ShutdownSent(block):
                self._send_shutdown(block)
            case _:
                self._builder.queue_control(chunks.ShutdownAck())

    # Received chunks.

    def handle_chunk(self, chunk: chunks.LifecycleChunk, now: float) -> bool:
        """Handle a chunk; return whether to process the rest of its packet."""
        match chunk:
            case chunks.InitAck():
                self._handle_init_ack(chunk, now)
            case chunks.Init():
                self._handle_init(chunk, now)
            case chunks.CookieEcho(cookie):
                return self._handle_cookie_echo(cookie, now)
            case chunks.CookieAck():
                if isinstance(self._state, states.CookieEchoed):
                    self._establish(self._state.block, now)
            case chunks.Abort(reasons):
                self._handle_abort(reasons)
            case chunks.Error(reasons):
                self._handle_error(reasons)
            case chunks.Shutdown() | chunks.ShutdownAck() | chunks.ShutdownComplete():
                if self.block is not None and self.is_established:
                    self._handle_shutdown_chunk(self.block, chunk, now)
                else:
                    self.drop_out_of_state("chunk out of state")
        return not self.closed

    # The handshake.

    def _handle_init(self, init: chunks.Init, now: float) -> None:
        init = without_unprocessed(init)
        if not is_acceptable(init):
            self._counters.drop("init")
        elif isinstance(self._state, states.ShutdownAckSent):
            # Section 9.2: the peer has not received SHUTDOWN ACK yet.
            self._builder.queue_control(chunks.ShutdownAck())
        else:
            self._builder.queue_packet(init.initiate_tag, self._handshake.answer(init, now).encode())

    def _handle_init_ack(self, init_ack: chunks.InitAck, now: float) -> None:
        init_ack = without_unprocessed(init_ack)
        if not isinstance(self._state, states.CookieWait):
            self._counters.drop("chunk out of state")
        elif (cookie := self._handshake.find_cookie(init_ack)) is None:
            self._counters.drop("init ack")
        else:
            agreed = self._handshake.negotiate(init_ack, now)
            block = self._handshake.make_control_block(agreed, self._queue, self._state.transmitter)
            report = error_report(init_ack)
            # Before COOKIE ECHO, which may be bundled with data.
            self._queue.limit_streams(block.outbound_streams)
            self._enter(states.CookieEchoed(block, self._start_t1(now), cookie, report))

    def _handle_cookie_echo(self, data: bytes, now: float) -> bool:
        """Handle a COOKIE ECHO; return whether it was valid, so that bundled chunks may be processed."""
        cookie = self._handshake.read_cookie(data)
        if cookie is None:
            self._counters.drop("cookie")
            return False
        known = self.block is not None and self.block.peer_tag == cookie.peer_tag
        match self._state:
            case states.Listening() | states.CookieWait():
                staleness = self._handshake.staleness(cookie, now)
                if staleness > 0:
                    error = chunks.Error((causes.stale_cookie(staleness),))
                    self._builder.queue_packet(cookie.peer_tag, error.encode())
                    return False
                transmitter = self._state.transmitter if isinstance(self._state, states.CookieWait) else None
                self._establish(self._handshake.make_control_block(cookie, self._queue, transmitter), now)
            case states.CookieEchoed(block):
                if not known:
                    # The peer's INIT ACK and INIT have different tags (section 5.2.4, action B): our data stays
                    # valid, the peer's tag and TSN change.
                    block = self._handshake.make_control_block(cookie, self._queue, block.transmitter)
                self._establish(block, now)
            case states.ShutdownAckSent():
                self._builder.queue_control(chunks.ShutdownAck())
                return False
            case _:
                if not known:
                    self.abort(
                        causes.protocol_violation("restart"),
                        AssociationError("the peer tried to restart the association"),
                    )
                    return False
        self._builder.queue_control_first(chunks.CookieAck().encode())
        return True

    def _handle_abort(self, reasons: tuple[Parameter, ...]) -> None:
        if isinstance(self._state, states.Listening):
            self._counters.drop("chunk out of state")
            return
        code = reasons[0].kind if reasons else None
        words = f"the peer aborted: {describe_causes(reasons)}"
        self._end(AssociationError(words, code, by_peer=True))

    def _handle_error(self, reasons: tuple[Parameter, ...]) -> None:
        logger.debug("received ERROR: %s", describe_causes(reasons))
        stale = any(code == CauseCode.STALE_COOKIE for code, _ in reasons)
        current = self._state
        if not stale or not isinstance(current, states.CookieEchoed):
            return
        if current.shutdown_requested:
            self._end(None)
            return
        # Start again (section 5.2.6), with the same count of retransmissions and the data in flight.
        self._enter(states.CookieWait(current.t1_cookie, current.block.transmitter))
        self._send_init()

    def _establish(self, block: states.ControlBlock, now: float) -> None:
        current = self._state
        if isinstance(current, states.CookieEchoed) and current.shutdown_requested:
            self._enter(states.ShutdownPending(block))
        else:
            self._enter(states.Established(block))
        self._queue.limit_streams(block.outbound_streams)
        block.path.record_acknowledgement(now)
        self._events.append(AssociationEstablished(block.inbound_streams, block.outbound_streams))

    def _send_init(self) -> None:
        self._builder.queue_packet(0, self._handshake.make_init().encode())

    def _start_t1(self, now: float) -> Timer:
        timer = Timer(self._options.rto_initial, maximum=self._options.rto_max_init)
        timer.start(now)
        return timer

    # Shutdown and end.

    def _handle_shutdown_chunk(
        self,
        block: states.ControlBlock,
        chunk: chunks.Shutdown | chunks.ShutdownAck | chunks.ShutdownComplete,
        now: float,
    ) -> None:
        match chunk:
            case chunks.Shutdown(cumulative_tsn):
                self._handle_shutdown(block, cumulative_tsn, now)
            case chunks.ShutdownAck():
                if isinstance(self._state, states.ShutdownSent | states.ShutdownAckSent):
                    self._builder.queue_packet(block.peer_tag, chunks.ShutdownComplete().encode())
                    self._end(None)
            case chunks.ShutdownComplete():
                if isinstance(self._state, states.ShutdownAckSent):
                    self._end(None)

    def _handle_shutdown(self, block: states.ControlBlock, cumulative_tsn: int, now: float) -> None:
        window = block.transmitter.advertised_window
        block.transmitter.handle_sack(chunks.Sack(cumulative_tsn, window), now)
        match self._state:
            case states.Established() | states.ShutdownPending():
                self._enter(states.ShutdownReceived(block))
            case states.ShutdownSent():
                self._acknowledge_shutdown(block, now)
            case _:
                pass  # it has been answered

    def _send_shutdown(self, block: states.ControlBlock) -> None:
        self._builder.queue_control(chunks.Shutdown(block.receiver.tracker.cumulative_tsn & 0xFFFFFFFF))

    def _acknowledge_shutdown(self, block: states.ControlBlock, now: float) -> None:
        self._enter(states.ShutdownAckSent(block, self._start_t2(block, now)))
        self._builder.queue_control(chunks.ShutdownAck())

    def _start_t2(self, block: states.ControlBlock, now: float) -> Timer:
        block.path.stop()
        timer = Timer(block.transmitter.timeout.value, maximum=self._options.rto_max)
        timer.start(now)
        return timer

    def _end(self, error: AssociationError | None) -> None:
        if not self.closed:
            logger.debug("association ended: %s", error)
            self._builder.stop_timer()
            self._enter(states.Closed(error))
            self._events.append(AssociationClosed(error))

    # The state.

    def _enter(self, new: states.State) -> None:
        """Enter a state and derive the attributes from it."""
        self._state = new
        self._builder.wake()
        self.timer = _timer_of(new)
        if not isinstance(new, states.CookieWait | states.CookieEchoed):
            self.establishment_deadline = math.inf
        self.closed = isinstance(new, states.Closed)
        self.accepts_messages = isinstance(
            new, states.Listening | states.CookieWait | states.CookieEchoed | states.Established
        )
        self.sends_data = isinstance(
            new, states.Established | states.ShutdownPending | states.ShutdownReceived
        )
        if isinstance(new, states.Listening | states.CookieWait | states.Closed):
            self.block = self.data_block = None
            self.is_established = False
            return
        self.is_established = not isinstance(new, states.CookieEchoed)
        self.block = self.last_block = new.block
        self.data_block = new.block if self.sends_data or isinstance(new, states.ShutdownSent) else None
        self.outbound_streams = new.block.outbound_streams


def _timer_of(state: states.State) -> Timer | None:
    match state:
        case states.CookieWait(timer):
            return timer
        case states.CookieEchoed() as echoed:
            return echoed.t1_cookie
        case states.ShutdownSent() | states.ShutdownAckSent() as ending:
            return ending.t2_shutdown
        case _:
            return None
