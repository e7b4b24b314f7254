"""The SCTP transport: the association, and data channel control on top of it.

Messages that the application has not received stay in the association, where they reduce the advertised receiver
window. Messages that the application sends are queued in the association, too; above a high-water mark, senders wait.
"""

import logging
from collections.abc import Callable, Iterable, Sequence

import trio

from trio_rtc import _attrs as attrs
from trio_rtc.errors import InvalidStateError, OperationError
from trio_rtc.protocols.datachannel import (
    PPID_DCEP,
    ChannelControl,
    ControlMessage,
    DataChannelEvent,
    StreamResetRequested,
)
from trio_rtc.protocols.sctp import (
    Association,
    AssociationClosed,
    AssociationEstablished,
    BufferedAmountLow,
    IncomingStreamsReset,
    MessagesAvailable,
    OutgoingResetFailed,
    OutgoingStreamsReset,
    SctpEvent,
)

from .base import Inbox, Lower, Transport

logger = logging.getLogger("trio_rtc.sctp")

_FLUSH_TIMEOUT = 1.0


@attrs.frozen
class StreamReader:
    """Receiver of a stream's messages.

    Attributes:
        messages_available: Called when ``receive_message`` returns messages.
        buffered_amount_low: Called when the buffered amount has fallen to its threshold.
    """

    messages_available: Callable[[], None]
    buffered_amount_low: Callable[[], None]


class SctpTransport(Transport[list[bytes], bytes, SctpEvent]):
    """Drives an association and the data channels on it."""

    def __init__(
        self,
        association: Association,
        control: ChannelControl,
        inbox: Inbox[list[bytes]],
        lower: Lower,
        *,
        high_water_mark: int,
        report: Callable[[SctpEvent], None],
        report_channel_event: Callable[[DataChannelEvent], None],
    ) -> None:
        super().__init__(association, inbox)
        self.association = association
        self.control = control
        self._lower = lower
        self._high_water_mark = high_water_mark
        self._report = report
        self._report_channel = report_channel_event
        self._readers: dict[int, StreamReader] = {}
        self._unread_streams: list[int] = []
        self._control_messages: list[ControlMessage] = []
        self._released_messages: list[Iterable[tuple[int, bytes]]] = []
        self._flushing_control = False
        self._flushing = False
        self._flush_again = False
        self._resets_pending = False
        self._room = trio.lowlevel.ParkingLot()

    # -- interface for the layer above -----------------------------------------------------------------------

    def set_reader(self, stream_id: int, reader: StreamReader) -> None:
        """Set the reader of a stream, which may have messages already."""
        self._readers[stream_id] = reader
        reader.messages_available()

    def remove_reader(self, stream_id: int) -> None:
        """Remove the reader of a stream. Its next message may open another channel."""
        self._readers.pop(stream_id, None)
        if self.association.peek_payload_protocol(stream_id) is not None:
            self._unread_streams.append(stream_id)
            self.wake()

    def abandon(self) -> None:
        """End an association that was not established, without an event; another transport gets its channels."""
        self.control = ChannelControl()
        self._report, self._report_channel = (lambda event: None), (lambda event: None)
        now = trio.current_time()
        self.association.lower_closed(now)
        self.wake()
        self.flush_nowait(now)

    def is_full(self) -> bool:
        """Return whether senders must wait; never after the end of the association, when ``send`` raises."""
        return not self.association.closed and self.association.total_buffered >= self._high_water_mark

    async def wait_for_room(self) -> None:
        """Wait until the queue may have shrunk, or the association has ended."""
        await self._room.park()

    def retain_messages(self, stream_id: int) -> list[tuple[int, bytes]]:
        """Remove the user messages of a stream up to the next DATA_CHANNEL_OPEN, and return them.

        They count against the receiver window until ``release_messages``, so that a peer that opens, fills and closes
        channels one after the other cannot exceed one window.
        """
        messages = []
        while self.association.peek_payload_protocol(stream_id) not in (None, PPID_DCEP):
            message = self.association.retain_message(stream_id)
            assert message is not None
            messages.append(message)
        return messages

    def release_messages(self, messages: Iterable[tuple[int, bytes]]) -> None:
        """Release retained messages that were read or discarded from the receiver window, with the next flush.

        Not immediately, because the garbage collector may call this at any point.
        """
        self._released_messages.append(messages)

    def schedule_flush(self) -> None:
        """Schedule the sending of a queued message: with the current flush if there is one, otherwise with the next."""
        if self._flushing:
            self._flush_again = True
        else:
            self.wake()

    def receive_message(self, stream_id: int) -> tuple[int, bytes] | None:
        """Return the next user message of a stream (PPID and bytes), ``None`` if there is none."""
        while (message := self.association.receive_message(stream_id)) is not None:
            if self.association.acknowledgement_due:
                self.wake()
            if message[0] != PPID_DCEP:
                return message
            # With the next flush, because its events must not fire within a call of the reader.
            self._control_messages.append(ControlMessage(stream_id, message[1]))
            self.wake()
        return None

    def share_path(self, max_bitrate: float | None) -> None:
        if self.association.share_path(max_bitrate, trio.current_time()):
            self.wake()

    def path_restored(self) -> None:
        """Retransmit the data lost during an outage; see :meth:`.Association.path_restored`."""
        self.association.path_restored(trio.current_time())
        self.wake()

    def flush_channel_control(self) -> None:
        """Send the messages and handle the events of data channel control, and schedule a flush.

        Events that a handler causes (by closing a channel) are handled afterwards, without recursion.
        """
        if self._flushing_control:
            return
        self._flushing_control = True
        try:
            while self._flush_control_once():
                self.wake()
        finally:
            self._flushing_control = False

    async def drain_shielded(self) -> None:
        """Wait for a full socket in a cancelled task, since the queued message will be sent.

        The wait is bounded, so that a socket that never drains cannot block a cancelled task.
        """
        with trio.move_on_after(_FLUSH_TIMEOUT, shield=True):
            await self._lower.drain()

    # -- shell -----------------------------------------------------------------------------------------------

    def _receive(self, item: list[bytes], now: float) -> None:
        self.association.receive(item, now)

    def flush_nowait(self, now: float) -> bool:
        if self._control_messages:
            messages, self._control_messages = self._control_messages, []
            self._receive_control(messages)
        while self._unread_streams:
            self._announce_messages(self._unread_streams.pop())
        while self._released_messages:
            for given in self._released_messages.pop():
                self.association.release_message(given)
        if self._resets_pending:
            self.control.resume_resets()
            self._resets_pending = self.control.has_unhandled_resets
            self.flush_channel_control()
        self._flushing = True
        try:
            all_sent = super().flush_nowait(now)
        finally:
            self._flushing = False
        if self._flush_again:
            # A handler has sent a message during the flush: it leaves in the same step. Messages that the second flush
            # causes do not, so that this ends.
            self._flush_again = False
            all_sent = super().flush_nowait(now) and all_sent
        if self._room and not self.is_full():
            self._room.unpark_all()
        if self._resets_pending:
            # On the next scheduler turn, so that a peer that resets thousands of streams cannot delay other tasks.
            self.wake()
        return all_sent

    def _handle(self, event: SctpEvent, now: float) -> None:
        match event:
            case MessagesAvailable():
                for stream_id in event.stream_ids:
                    self._announce_messages(stream_id)
                return
            case BufferedAmountLow():
                if (reader := self._readers.get(event.stream_id)) is not None:
                    reader.buffered_amount_low()
                return
            case AssociationEstablished():
                self._report(event)
                self.control.association_established(min(event.inbound_streams, event.outbound_streams))
            case OutgoingStreamsReset():
                self.control.outgoing_streams_reset(event.stream_ids)
            case OutgoingResetFailed():
                # The peer does not support stream reset: the channel is closed locally.
                self.control.outgoing_streams_reset(event.stream_ids)
                self.control.incoming_streams_reset(event.stream_ids)
            case IncomingStreamsReset():
                self.control.incoming_streams_reset(event.stream_ids)
            case AssociationClosed():
                self._report(event)
                self.control.lower_closed(now)
        self._resets_pending = self.control.has_unhandled_resets
        self.flush_channel_control()

    def _announce_messages(self, stream_id: int) -> None:
        while self.association.peek_payload_protocol(stream_id) == PPID_DCEP:
            message = self.association.receive_message(stream_id)
            assert message is not None
            self._receive_control([ControlMessage(stream_id, message[1])])
        # Without a reader, messages wait for a negotiated channel that the application may create later.
        reader = self._readers.get(stream_id)
        if reader is not None:
            reader.messages_available()

    def _receive_control(self, messages: Sequence[ControlMessage]) -> None:
        self.control.receive(messages, trio.current_time())
        self.flush_channel_control()

    def _flush_control_once(self) -> bool:
        now = trio.current_time()
        messages, events = self.control.datagrams_to_send(now), self.control.events()
        for stream_id, data in messages:
            self._send_control(stream_id, data, now)
        for event in events:
            if not isinstance(event, StreamResetRequested):
                self._report_channel(event)
            elif not self.association.closed:
                self.association.reset_streams(event.stream_ids, now)
        return bool(messages or events)

    def _send_control(self, stream_id: int, data: bytes, now: float) -> None:
        """Send a control message. A failure is caused by the peer, and raises no error in the caller."""
        if self.association.closed:
            return
        try:
            self.association.send(stream_id, PPID_DCEP, data, now, counted=False)
        except InvalidStateError:
            logger.debug("control message not sent: the association is shutting down")
        except OperationError as error:
            logger.info("association closed: no buffer space for a control message: %s", error)
            self.association.close(now)

    def _send_down(self, datagrams: list[bytes], now: float) -> bool:
        return self._lower.send_nowait(datagrams, now)

    async def _drain(self) -> None:
        await self._lower.drain()

    def _close_upper_inboxes(self) -> None:
        self._room.unpark_all()
