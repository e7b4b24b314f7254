"""SCTP's shell: the association and, on top of it, the control of data channels.

What the application has not taken stays in the association, where it shrinks the window that the peer may
fill. What the application sends waits in the association too, up to a high-water mark, above which senders
wait for room.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import trio

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


class StreamReader(Protocol):
    """Whoever takes the messages of a stream."""

    def messages_available(self) -> None:
        """Hear that there is something to take."""

    def buffered_amount_low(self) -> None:
        """Hear that what is queued has fallen to the threshold."""


class SctpTransport(Transport[list[bytes], bytes, SctpEvent]):
    """Drives an association and the data channels on it.

    Attributes:
        association: The core of SCTP.
        control: The core of data channels.
    """

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
        self._room = trio.lowlevel.ParkingLot()

    # -- for the layer above: synchronous verbs, and one wait ------------------------------------------------

    def set_reader(self, stream_id: int, reader: StreamReader) -> None:
        """Say who takes the messages of a stream, which may have some already."""
        self._readers[stream_id] = reader
        reader.messages_available()

    def remove_reader(self, stream_id: int) -> None:
        """Forget who takes the messages of a stream. What is left on it may open the next channel."""
        self._readers.pop(stream_id, None)
        if self.association.peek_payload_protocol(stream_id) is not None:
            self._unread_streams.append(stream_id)
            self.wake()

    def is_full(self) -> bool:
        """Whether senders have to wait. Not for an association that has ended, to which ``send`` raises."""
        return not self.association.closed and self.association.total_buffered >= self._high_water_mark

    async def wait_for_room(self) -> None:
        """Wait until something may have left the queue, or the association has ended."""
        await self._room.park()

    def retain_messages(self, stream_id: int) -> list[tuple[int, bytes]]:
        """Take the messages of the user's that a stream still has, up to where the next channel is opened.

        They go on counting against the receive window until they are given to ``release_message``: a peer that opens,
        fills and closes one channel after the other must not make us keep more than a window of it all.
        """
        rest = []
        while self.association.peek_payload_protocol(stream_id) not in (None, PPID_DCEP):
            message = self.association.retain_message(stream_id)
            assert message is not None
            rest.append(message)
        return rest

    def release_messages(self, messages: Iterable[tuple[int, bytes]]) -> None:
        """Free the receive buffer space of retained messages that were read or discarded, with the next flush.

        Not at once, because it may be the garbage collector that calls this, from within anything.
        """
        self._released_messages.append(messages)

    def schedule_flush(self) -> None:
        """Hear that a message was queued: it leaves with the flush that is under way, or else with the next one."""
        if self._flushing:
            self._flush_again = True
        else:
            self.wake()

    def receive_message(self, stream_id: int) -> tuple[int, bytes] | None:
        """Take the next message of the user's on a stream: its payload protocol identifier and its bytes."""
        while (message := self.association.receive_message(stream_id)) is not None:
            if self.association.acknowledgement_due:
                self.wake()
            if message[0] != PPID_DCEP:
                return message
            # With the next flush: what it causes must not happen inside the call of a reader.
            self._control_messages.append(ControlMessage(stream_id, message[1]))
            self.wake()
        return None

    def share_path(self, max_bitrate: float | None) -> None:
        """Leave room for media on the same path; see :meth:`.Association.share_path`."""
        if self.association.share_path(max_bitrate, trio.current_time()):
            self.wake()

    def path_restored(self) -> None:
        """Retransmit what was lost on a dead path; see :meth:`.Association.path_restored`."""
        self.association.path_restored(trio.current_time())
        self.wake()

    def flush_channel_control(self) -> None:
        """Carry out what the control of the channels asks for, and wake the task to send it."""
        self._flush_control()

    async def drain_shielded(self) -> None:
        """Wait for a full socket although the caller was cancelled: what is queued is as good as sent.

        Bounded in time, since a socket whose buffer never empties must not hold a cancelled task for ever.
        """
        with trio.move_on_after(_FLUSH_TIMEOUT, shield=True):
            await self._lower.drain()

    # -- the shell -------------------------------------------------------------------------------------------

    def _receive(self, item: list[bytes], now: float) -> None:
        self.association.receive(item, now)

    def flush_nowait(self, now: float) -> bool:
        """Send and report what the association and the channels have to say."""
        if self._control_messages:
            messages, self._control_messages = self._control_messages, []
            self._receive_control(messages)
        while self._unread_streams:
            self._announce_messages(self._unread_streams.pop())
        while self._released_messages:
            for given in self._released_messages.pop():
                self.association.release_message(given)
        if self.control.has_unhandled_resets:
            self.control.resume_resets()
            self._flush_control()
        self._flushing = True
        try:
            all_sent = super().flush_nowait(now)
        finally:
            self._flushing = False
        if self._flush_again:
            # A handler has answered what has just come: that leaves in this very step. What it causes in its turn does
            # not, so that this ends.
            self._flush_again = False
            all_sent = super().flush_nowait(now) and all_sent
        if self._room and not self.is_full():
            self._room.unpark_all()
        if self.control.has_unhandled_resets:
            # On the next turn, so that other tasks are not held up by a peer that resets thousands of streams.
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
                # The peer knows no stream reset: closing is then a matter of our side alone.
                self.control.outgoing_streams_reset(event.stream_ids)
                self.control.incoming_streams_reset(event.stream_ids)
            case IncomingStreamsReset():
                self.control.incoming_streams_reset(event.stream_ids)
            case AssociationClosed():
                self._report(event)
                self.control.lower_closed(now)
        self._flush_control()

    def _announce_messages(self, stream_id: int) -> None:
        while self.association.peek_payload_protocol(stream_id) == PPID_DCEP:
            message = self.association.receive_message(stream_id)
            assert message is not None
            self._receive_control([ControlMessage(stream_id, message[1])])
        # Without a reader, messages wait for a negotiated channel that the application has not created yet.
        reader = self._readers.get(stream_id)
        if reader is not None:
            reader.messages_available()

    def _receive_control(self, messages: Sequence[ControlMessage]) -> None:
        self.control.receive(messages, trio.current_time())
        self._flush_control()

    def _flush_control(self) -> None:
        """Do what the control of the channels has decided.

        What an event causes in its turn (a handler that closes a channel) comes after it: hence no recursion.
        """
        if self._flushing_control:
            return
        self._flushing_control = True
        try:
            while self._flush_control_once():
                self.wake()
        finally:
            self._flushing_control = False

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
        """Send a control message. What stands in the way is the peer's doing, and no error of a caller here."""
        if self.association.closed:
            return
        try:
            self.association.send(stream_id, PPID_DCEP, data, now)
        except InvalidStateError:
            logger.debug("the association is ending: a control message stays unsent")
        except OperationError as error:
            logger.info("no room for a control message, so the association is ended: %s", error)
            self.association.close(now)

    def _send_down(self, datagrams: list[bytes], now: float) -> bool:
        return self._lower.send_nowait(datagrams, now)

    async def _drain(self) -> None:
        await self._lower.drain()

    def _close_upper_inboxes(self) -> None:
        self._room.unpark_all()
