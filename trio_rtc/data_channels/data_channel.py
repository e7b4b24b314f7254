"""RTCDataChannel (W3C webrtc section 6.2) as a ``trio.abc.Channel`` of ``str`` and ``bytes``."""

from collections.abc import Callable

import trio

from trio_rtc import _attrs as attrs
from trio_rtc._environment import require_trio
from trio_rtc._error_filters import mark_connection_ended
from trio_rtc._strict_names.checks import strict_class
from trio_rtc.enums import BinaryType, RTCDataChannelState, RTCErrorDetailType, RTCPriorityType, member_of
from trio_rtc.errors import InvalidStateError, RTCError
from trio_rtc.event_target import AnyEvent, EventHandler, EventTarget, HandlerRunner
from trio_rtc.events import Event, MessageEvent, RTCErrorEvent
from trio_rtc.protocols.datachannel import ChannelParameters
from trio_rtc.transports.sctp import SctpTransport, StreamReader

from .channel_init import priority_from_number
from .channel_stream import ChannelStream
from .message_encoding import EMPTY_MESSAGE, RetainedMessages, decode_message, encode_message


@attrs.define
class ChannelDelegate:
    """The services of the connection that a channel uses.

    Attributes:
        close_channel: Begins to close the channel with a key.
        max_message_size: Returns the maximum message size that the peer accepts, in bytes.
    """

    close_channel: Callable[[int], None]
    max_message_size: Callable[[], float]


CAUSE_USER_INITIATED_ABORT = 12
"""The cause of the ABORT by which a peer closes its connection (RFC 9260 section 3.3.10.12)."""


@strict_class
class RTCDataChannel(EventTarget, trio.abc.Channel[str | bytes]):
    """A bidirectional channel of messages (W3C webrtc section 6.2).

    Created by ``RTCPeerConnection.create_data_channel``, or by the peer and announced by the ``data_channel`` event.
    It is a trio channel: ``await channel.send("hello")``, ``async for message in channel``. Text is ``str``,
    binary is ``bytes``. Messages that are not read stay in the association, whose receive window then limits the peer.
    A ``message`` handler receives them as they arrive.

    ``send`` returns when a message is queued. Closing the connection, or leaving its block, drops queued messages;
    ``await channel.aclose()`` before that waits until all of them have been delivered.
    """

    EVENTS = frozenset({"open", "message", "close", "closing", "error", "buffered_amount_low"})

    on_open = EventHandler[Event]("open")
    on_message = EventHandler[MessageEvent]("message")
    on_close = EventHandler[Event]("close")
    on_closing = EventHandler[Event]("closing")
    on_error = EventHandler[RTCErrorEvent]("error")
    on_buffered_amount_low = EventHandler[Event]("buffered_amount_low")

    def __init__(
        self,
        parameters: ChannelParameters,
        *,
        negotiated: bool,
        stream_id: int | None,
        delegate: ChannelDelegate,
        runner: HandlerRunner,
    ) -> None:
        super().__init__(runner)
        self._parameters = parameters
        self._negotiated = negotiated
        self._stream_id = stream_id
        self._delegate = delegate
        self._key = 0
        self._ready_state = RTCDataChannelState.CONNECTING
        self._sctp: SctpTransport | None = None
        self._binary_type = BinaryType.ARRAYBUFFER
        self._threshold = 0
        self._unsent = 0
        self._was_closed_locally = False
        self._failure: RTCError | None = None
        self._retained: RetainedMessages | None = None
        self._draining = False
        self._has_been_open = False
        self._readable = trio.lowlevel.ParkingLot()
        self._changed = trio.lowlevel.ParkingLot()
        self._room_waiters: set[trio.CancelScope] = set()
        self._counters = ChannelCounters()

    # -- W3C's attributes ------------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """The label, which need not be unique."""
        return self._parameters.label

    @property
    def ordered(self) -> bool:
        """Whether messages arrive in the order in which they were sent."""
        return self._parameters.ordered

    @property
    def max_packet_life_time(self) -> int | None:
        """Milliseconds during which a message is transmitted and retransmitted; ``None`` for no limit."""
        return self._parameters.max_packet_life_time

    @property
    def max_retransmits(self) -> int | None:
        """Maximum number of retransmissions of a message; ``None`` for no limit."""
        return self._parameters.max_retransmits

    @property
    def protocol(self) -> str:
        """The name of the subprotocol."""
        return self._parameters.protocol

    @property
    def negotiated(self) -> bool:
        """Whether the applications negotiated this channel themselves."""
        return self._negotiated

    @property
    def id(self) -> int | None:
        """The SCTP stream identifier; ``None`` until it is assigned."""
        return self._stream_id

    @property
    def priority(self) -> RTCPriorityType:
        """The priority (W3C webrtc-priority section 4.4)."""
        return priority_from_number(self._parameters.priority)

    @property
    def ready_state(self) -> RTCDataChannelState:
        """The state of the channel."""
        return self._state

    @property
    def reliable(self) -> bool:
        """Obsolete: whether the channel is ordered, without ``max_retransmits`` and ``max_packet_life_time``."""
        return self.ordered and self.max_retransmits is None and self.max_packet_life_time is None

    @property
    def stream(self) -> int | None:
        """Obsolete name of ``id``."""
        return self._stream_id

    @property
    def buffered_amount(self) -> int:
        """Bytes of messages that are queued and have not been sent; those of DCEP and of empty messages do not count.

        Bytes that were unsent when the channel closed remain counted (W3C webrtc section 6.2).
        """
        if self._sctp is None or self._stream_id is None:
            return self._unsent
        return self._sctp.association.buffered_amount(self._stream_id)

    @property
    def buffered_amount_low_threshold(self) -> int:
        """The ``buffered_amount`` in bytes at which ``buffered_amount_low`` is fired."""
        return self._threshold

    @buffered_amount_low_threshold.setter
    def buffered_amount_low_threshold(self, threshold: int) -> None:
        self._threshold = threshold
        if self._sctp is not None and self._stream_id is not None:
            self._sctp.association.set_buffered_amount_low_threshold(self._stream_id, threshold)

    @property
    def binary_type(self) -> BinaryType:
        """``arraybuffer`` or ``blob``. Binary messages are ``bytes`` in both cases."""
        return self._binary_type

    @binary_type.setter
    def binary_type(self, binary_type: BinaryType) -> None:
        self._binary_type = member_of(BinaryType, binary_type)

    # -- sending and receiving -------------------------------------------------------------------------------

    async def opened(self) -> None:
        """Wait until the channel is open.

        If the peer is connected but does not answer SCTP's INIT or COOKIE ECHO, the channel fails after 27.5 seconds
        (``SctpOptions.set_up_time``), with an ``error`` event of the detail ``sctp-failure``.

        Raises:
            trio.ClosedResourceError: The channel was closed on this side.
            trio.BrokenResourceError: The channel was closed by the peer, or could not be opened; the cause is the
                ``RTCError`` with the reason.
        """
        require_trio("RTCDataChannel.opened")
        await trio.lowlevel.checkpoint()
        while self._state is RTCDataChannelState.CONNECTING:
            await self._changed.park()
        if self._state is not RTCDataChannelState.OPEN:
            raise self._closed_error("the channel was closed before it was open")

    async def send(self, data: str | bytes | bytearray | memoryview) -> None:
        """Send a message, after waiting while more than the high-water mark is queued.

        A cancelled call has not queued the message.

        Args:
            data: A ``str`` or a bytes-like object.

        Raises:
            TypeError: The message is larger than the peer accepts, or neither ``str`` nor bytes-like.
            InvalidStateError: The channel is not open yet; wait for ``opened()``.
            trio.ClosedResourceError: The channel was closed on this side.
            trio.BrokenResourceError: The channel was closed by the peer, or the connection was lost.
        """
        require_trio("RTCDataChannel.send")
        kind, payload = self._encode(data)
        sctp = self._check_open()
        await trio.lowlevel.checkpoint_if_cancelled()
        await self._wait_until_room(sctp)
        now = trio.current_time()
        self._queue(sctp, kind, payload, now)
        with self._runner:
            all_sent = sctp.association.is_send_deferred(now) or sctp.flush_nowait(now)
        if not all_sent:
            await sctp.drain_shielded()
        # Other tasks run only now, when the message has been sent.
        await trio.lowlevel.cancel_shielded_checkpoint()

    def send_nowait(self, data: str | bytes | bytearray | memoryview) -> None:
        """Queue a message without waiting. Messages queued before the next checkpoint are sent together.

        Messages queued by an event handler are sent when all handlers of that event have run.

        Raises:
            trio.WouldBlock: More than the high-water mark is queued.
            TypeError: See ``send``.
            InvalidStateError: See ``send``.
            trio.ClosedResourceError: See ``send``.
            trio.BrokenResourceError: See ``send``.
        """
        kind, payload = self._encode(data)
        sctp = self._check_open()
        if sctp.is_full():
            raise trio.WouldBlock
        self._queue(sctp, kind, payload, trio.current_time())
        sctp.schedule_flush()

    async def wait_for_room(self) -> None:
        """Wait until ``send`` would not wait.

        Raises:
            InvalidStateError: See ``send``.
            trio.ClosedResourceError: See ``send``.
            trio.BrokenResourceError: See ``send``.
        """
        require_trio("RTCDataChannel.wait_for_room")
        sctp = self._check_open()
        await trio.lowlevel.checkpoint()
        await self._wait_until_room(sctp)

    async def receive(self) -> str | bytes:
        """Wait for the next message.

        Raises:
            trio.EndOfChannel: The peer closed the channel, and all of its messages have been read.
            trio.ClosedResourceError: The channel was closed on this side.
            trio.BrokenResourceError: The connection was lost.
        """
        require_trio("RTCDataChannel.receive")
        await trio.lowlevel.checkpoint_if_cancelled()
        has_waited = False
        while True:
            if self._closed_locally:
                raise self._closed_error("the data channel was closed on this side")
            message = self._pop_message()
            if message is not None:
                if not has_waited:
                    await trio.lowlevel.cancel_shielded_checkpoint()
                return message
            if self._state is RTCDataChannelState.CLOSED:
                if self._failure is None or self._peer_has_closed:
                    raise trio.EndOfChannel
                raise self._closed_error("the connection was lost")
            await self._readable.park()
            has_waited = True

    def as_stream(self) -> ChannelStream:
        """Return a byte stream over this channel, for protocols such as TLS or HTTP.

        Returns:
            A ``trio.abc.HalfCloseableStream``. Both sides must use the channel as a stream, and it must be ordered
            and reliable.

        Raises:
            ValueError: The channel is unordered or unreliable.
        """
        if not self.reliable:
            raise ValueError(
                "as_stream() needs an ordered channel without max_retransmits and max_packet_life_time"
            )
        return ChannelStream(self)

    # -- closing -----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Begin to close: queued messages are delivered, then both sides are closed (W3C webrtc section 6.2)."""
        if self._retained is not None:
            self._retained.discard()
        if self._state is RTCDataChannelState.CLOSED:
            return
        self._was_closed_locally = True
        if self._state is not RTCDataChannelState.CLOSING:
            self._ready_state = RTCDataChannelState.CLOSING
            self._discard_messages()
            self._delegate.close_channel(self._key)
        self._wake_all()

    async def aclose(self) -> None:
        """Close, and wait until all messages have been delivered and the peer has closed too.

        If the call is cancelled, or the connection is lost, the channel is closed nevertheless.
        """
        require_trio("RTCDataChannel.aclose")
        self.close()
        await trio.lowlevel.checkpoint()
        while self._state is not RTCDataChannelState.CLOSED:
            await self._changed.park()

    # -- inside ------------------------------------------------------------------------------------------------

    @property
    def _state(self) -> RTCDataChannelState:
        """The state: ``closed`` as soon as the connection is closed, although it is cleaned up on a later turn."""
        return RTCDataChannelState.CLOSED if self._runner.ending else self._ready_state

    @property
    def _closed_locally(self) -> bool:
        """Whether this side has closed the channel or the connection before the peer closed the channel."""
        ending = self._runner.ending and self._ready_state is not RTCDataChannelState.CLOSED
        return self._was_closed_locally or ending

    def _fire(self, event: AnyEvent) -> None:
        if not self._runner.ending:
            super()._fire(event)

    def _encode(self, data: str | bytes | bytearray | memoryview) -> tuple[int, bytes]:
        kind, payload = encode_message(data)
        limit = self._delegate.max_message_size()
        if len(payload) > limit:
            raise TypeError(f"the message has {len(payload)} bytes; the peer accepts at most {int(limit)}")
        return kind, payload

    def _check_open(self) -> SctpTransport:
        if self._state is RTCDataChannelState.OPEN and self._sctp is not None:
            return self._sctp
        if self._state is RTCDataChannelState.CONNECTING:
            raise InvalidStateError("the data channel is not open yet: await channel.opened()")
        raise self._closed_error("the data channel is closed")

    async def _wait_until_room(self, sctp: SctpTransport) -> None:
        """Wait until the association has room or the channel closes; other channels may keep the association full."""
        while sctp.is_full():
            with trio.CancelScope() as scope:
                self._room_waiters.add(scope)
                try:
                    await sctp.wait_for_room()
                finally:
                    self._room_waiters.remove(scope)
            self._check_open()

    def _closed_error(self, message: str) -> trio.ClosedResourceError | trio.BrokenResourceError:
        if self._closed_locally:
            closed = trio.ClosedResourceError(message)
            return mark_connection_ended(closed) if self._runner.ending else closed
        if self._failure is not None and not self._peer_has_closed:
            message = str(self._failure)
        error = trio.BrokenResourceError(message)
        error.__cause__ = self._failure
        # Only the peer or the network breaks a channel, so this is no error of a handler.
        return mark_connection_ended(error)

    @property
    def _peer_has_closed(self) -> bool:
        """Whether the peer has closed the connection: W3C's ``error`` event is fired, but no message is missing."""
        return self._failure is not None and self._failure.sctp_cause_code == CAUSE_USER_INITIATED_ABORT

    def _queue(self, sctp: SctpTransport, kind: int, payload: bytes, now: float) -> None:
        parameters = self._parameters
        assert self._stream_id is not None
        lifetime = parameters.max_packet_life_time
        try:
            sctp.association.send(
                self._stream_id,
                kind,
                payload or EMPTY_MESSAGE,
                now,
                ordered=parameters.ordered or sctp.control.must_send_ordered(self._key),
                max_retransmits=parameters.max_retransmits,
                lifetime=None if lifetime is None else lifetime / 1000,
                # An empty message is sent as a byte (RFC 8831 section 6.6), which is not the application's.
                counted=bool(payload),
            )
        except InvalidStateError as error:
            # The channel is open, but the peer is shutting down its association.
            broken = trio.BrokenResourceError("the peer is closing the connection")
            raise mark_connection_ended(broken) from error
        self._counters.messages_sent += 1
        self._counters.bytes_sent += len(payload)

    def _pop_message(self) -> str | bytes | None:
        if self._retained is not None:
            received = self._retained.pop()
        elif self._sctp is None or self._stream_id is None:
            return None
        else:
            received = self._sctp.receive_message(self._stream_id)
        if received is None:
            return None
        message, size = decode_message(*received)
        self._counters.messages_received += 1
        self._counters.bytes_received += size
        return message

    def _messages_available(self) -> None:
        if self._closed_locally:
            self._discard_messages()
        elif self._has_handler("message"):
            if self._runner.in_call:
                self._runner.queue_task(self._drain_to_handlers)
            else:
                self._drain_to_handlers()
        elif self._readable:
            self._readable.unpark_all()

    def _buffered_amount_low(self) -> None:
        # With the default threshold of 0, this happens whenever the queue empties, mostly without handlers.
        if self._is_heard("buffered_amount_low"):
            self._runner.run_task(self._announce_buffered_amount_low)

    def _announce_buffered_amount_low(self) -> None:
        self._fire(Event("buffered_amount_low", self))

    def _drain_to_handlers(self) -> None:
        """Pass messages to the handlers; one at a time if a handler is asynchronous."""
        if self._draining:
            return
        self._draining = True
        try:
            while self._has_handler("message") and not self._handlers_are_busy("message"):
                # Messages after a local close were discarded.
                if self._events_ended:
                    break
                message = self._pop_message()
                if message is None:
                    break
                self._fire(MessageEvent("message", self, message))
        finally:
            self._draining = False

    def _handler_added(self) -> None:
        # On a later turn, since the caller may add more handlers first.
        if self._has_handler("message"):
            self._runner.queue_task(self._drain_to_handlers)

    def _handlers_idle(self) -> None:
        self._drain_to_handlers()
        if self._ready_state is RTCDataChannelState.CLOSED:
            self._announce_closed()

    def _wake_all(self) -> None:
        self._readable.unpark_all()
        self._wake_senders()

    def _wake_senders(self) -> None:
        self._changed.unpark_all()
        for scope in self._room_waiters:
            scope.cancel()

    # -- events of the connection --------------------------------------------------------------------------------

    def _assign_id(self, stream_id: int) -> None:
        self._stream_id = stream_id

    def _become_open(self, sctp: SctpTransport) -> bool:
        """Set the state ``open`` without an event; return whether the channel was ``connecting``."""
        if self._state is RTCDataChannelState.CLOSED:
            return False
        # Also while closing: messages that the peer sends until then must be discarded.
        self._sctp = sctp
        if self._state is not RTCDataChannelState.CONNECTING:
            return False
        assert self._stream_id is not None
        self._ready_state = RTCDataChannelState.OPEN
        self._has_been_open = True
        sctp.association.set_buffered_amount_low_threshold(self._stream_id, self._threshold)
        self._changed.unpark_all()
        return True

    def _announce_open(self) -> None:
        """Fire ``open`` unless the channel was closed meanwhile, and begin to receive messages."""
        if self._state is RTCDataChannelState.OPEN:
            self._fire(Event("open", self))
        if self._sctp is not None and self._stream_id is not None:
            reader = StreamReader(self._messages_available, self._buffered_amount_low)
            self._sctp.set_reader(self._stream_id, reader)

    def _become_closing(self) -> None:
        if self._state in (RTCDataChannelState.CONNECTING, RTCDataChannelState.OPEN):
            self._ready_state = RTCDataChannelState.CLOSING
            self._retain_messages()
            self._wake_senders()
            self._fire(Event("closing", self))

    def _retain_messages(self) -> None:
        """Leave the stream, and retain the messages received on it before the peer's reset."""
        if self._sctp is not None and self._stream_id is not None:
            self._unsent = self.buffered_amount
            self._retained = RetainedMessages(self._sctp, self._stream_id)
            self._sctp.remove_reader(self._stream_id)
            self._sctp = None

    def _discard_messages(self) -> None:
        """Discard the messages received after ``close`` on this side (W3C webrtc section 6.3).

        The application cannot read them any more, and if they filled the receive window, the peer could not finish.
        """
        if self._sctp is not None and self._stream_id is not None:
            self._sctp.release_messages(self._sctp.retain_messages(self._stream_id))
            self._sctp.wake()

    def _become_closed(self, failure: RTCError | None = None) -> None:
        if self._ready_state is RTCDataChannelState.CLOSED:
            return
        self._retain_messages()
        self._drain_to_handlers()
        if self._closed_locally and self._retained is not None:
            self._retained.discard()
        self._ready_state = RTCDataChannelState.CLOSED
        self._failure = failure
        self._wake_all()
        self._announce_closed()

    def _announce_closed(self) -> None:
        """Fire the last events, once asynchronous handlers have received the messages before the end."""
        if self._events_ended or self._messages_wait_for_handlers:
            return
        if self._failure is not None:
            self._fire(RTCErrorEvent("error", self, self._failure))
        self._fire(Event("close", self))
        self._end_events()

    @property
    def _messages_wait_for_handlers(self) -> bool:
        has_retained = self._retained is not None and bool(self._retained)
        return has_retained and self._handlers_are_busy("message")

    def _close_silently(self) -> None:
        """Close without events, because the peer connection was closed."""
        self._end_events()
        if self._ready_state is not RTCDataChannelState.CLOSED:
            self._was_closed_locally = True
            self._become_closed()


@attrs.define
class ChannelCounters:
    """Counters of messages and bytes, for ``get_stats``."""

    messages_sent: int = 0
    bytes_sent: int = 0
    messages_received: int = 0
    bytes_received: int = 0


def failure_of_channel(message: str) -> RTCError:
    return RTCError(RTCErrorDetailType.DATA_CHANNEL_FAILURE, message)


@strict_class
@attrs.frozen
class RTCDataChannelEvent:
    """Event of a data channel that the peer has created (W3C webrtc section 6.3)."""

    type: str
    target: object
    channel: RTCDataChannel
