"""The data channels of a peer connection: their creation, and the dispatch of the core's events."""

import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import repeat

from trio_rtc.errors import RTCError
from trio_rtc.event_target import HandlerRunner
from trio_rtc.protocols.datachannel import (
    AllChannelsClosed,
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelOpened,
    ChannelParameters,
    DataChannelEvent,
    StreamIdAssigned,
    StreamResetRequested,
)
from trio_rtc.transports.sctp import SctpTransport
from trio_rtc.transports.stack import TransportStack

from .data_channel import CAUSE_USER_INITIATED_ABORT, ChannelDelegate, RTCDataChannel, failure_of_channel

_CLOSED_AT_ONCE = 32
"""Channels closed in one turn of the scheduler, since a peer can end tens of thousands at once."""


class ChannelTable:
    """The W3C channel objects of a connection.

    When an association ends, its channels are closed in the order of their creation, up to 32 on each turn of the
    scheduler. This conforms to W3C, where each channel is closed in a task of its own.

    Attributes:
        opened: Number of channels that have been open, for ``get_stats``.
        closed: Number of those that are closed.
    """

    def __init__(
        self,
        runner: HandlerRunner,
        max_message_size: Callable[[], float],
        announce: Callable[[RTCDataChannel], None],
    ) -> None:
        self._runner = runner
        self._announce = announce
        self._delegate = ChannelDelegate(self._close_channel, max_message_size)
        self._channels: dict[int, RTCDataChannel] = {}
        # Channels whose closing is a queued task.
        self._ended: dict[int, RTCDataChannel] = {}
        # Keys and reasons of channels to be closed, up to _CLOSED_AT_ONCE on each turn.
        self._closing: deque[tuple[int, str | None]] = deque()
        # Closed channels with earlier messages for asynchronous handlers.
        self._draining: weakref.WeakSet[RTCDataChannel] = weakref.WeakSet()
        self._stack: TransportStack | None = None
        self._failure: RTCError | None = None
        self.opened = 0
        self.closed = 0

    def set_stack(self, stack: TransportStack) -> None:
        """Set the transport of the data channels, and move existing channels to it."""
        if self._stack is not None and self._stack is not stack:
            stack.move_channels_from(self._stack)
        self._stack = stack

    @property
    def stack(self) -> TransportStack:
        assert self._stack is not None
        return self._stack

    @property
    def channels(self) -> list[RTCDataChannel]:
        return list(self._channels.values())

    def create(
        self, parameters: ChannelParameters, *, negotiated: bool, stream_id: int | None
    ) -> RTCDataChannel:
        """Create a channel; ``OperationError`` if the stream identifier is in use or too high."""
        assert self._stack is not None
        channel = RTCDataChannel(
            parameters,
            negotiated=negotiated,
            stream_id=stream_id,
            delegate=self._delegate,
            runner=self._runner,
        )
        control = self._stack.control
        with self._runner:
            key = control.create_channel(parameters, negotiated=negotiated, stream_id=stream_id)
            channel._key = key
            self._channels[key] = channel
            self._stack.flush_channel_control()
        if (assigned := control.stream_id(key)) is not None:
            channel._assign_id(assigned)
        return channel

    def set_failure(self, error: RTCError) -> None:
        """Record the transport's error for the channels that it ends. Only the first error is recorded."""
        self._failure = self._failure or error

    def clear_failure(self) -> None:
        """Clear the error, because a new association with new channels begins."""
        self._failure = None

    def handle_event(self, event: DataChannelEvent) -> None:
        """Update a channel and fire its events, on a later turn if a public method caused the event."""
        match event:
            case ChannelAnnounced():
                channel = self._add_announced(event)
                self._runner.run_task(partial(self._announce_channel, channel, self._association))
            case StreamIdAssigned():
                self._channels[event.key]._assign_id(event.stream_id)
            case ChannelOpened():
                channel = self._channels[event.key]
                self._runner.run_task(partial(self._open, channel, self._association))
            case ChannelClosing():
                self._runner.run_task(self._channels[event.key]._become_closing)
            case ChannelClosed():
                # Removed at once, so that the negotiation-needed check no longer counts it.
                self._ended[event.key] = self._channels.pop(event.key)
                if self._closing:
                    self._closing.append((event.key, event.reason))
                else:
                    self._runner.run_task(partial(self._close, event.key, event.reason, None))
            case AllChannelsClosed():
                self._end_all(event.keys)
            case StreamResetRequested():
                pass

    def close_silently(self) -> None:
        """Close all channels without events, because the connection is closed."""
        channels = deque([*self._draining, *self._ended.values(), *self._channels.values()])
        self._draining.clear()
        self._ended.clear()
        self._channels.clear()
        self._closing.clear()
        self._close_some_silently(channels)

    def _close_some_silently(self, channels: deque[RTCDataChannel]) -> None:
        """Close the first channels now and the others on later turns. The state of all is ``closed`` already."""
        for _ in range(min(len(channels), _CLOSED_AT_ONCE)):
            channels.popleft()._close_silently()
        if channels:
            self._runner.queue_task(partial(self._close_some_silently, channels), after_end=True)

    def _end_all(self, keys: tuple[int, ...]) -> None:
        was_closing = bool(self._closing)
        # All remaining channels belong to this association: those of a previous one have ended with it.
        self._ended.update(self._channels)
        self._channels.clear()
        self._closing.extend(zip(keys, repeat(None)))
        if self._closing and not was_closing:
            self._runner.run_task(self._begin_to_close)

    def _begin_to_close(self) -> None:
        # A failure recorded later did not end these channels.
        self._close_some(self._failure)

    def _close_some(self, failure: RTCError | None) -> None:
        for _ in range(min(len(self._closing), _CLOSED_AT_ONCE)):
            if not self._closing:  # A handler has closed the connection.
                return
            self._close(*self._closing.popleft(), failure)
        if self._closing:
            self._runner.queue_task(partial(self._close_some, failure))

    @property
    def _association(self) -> SctpTransport:
        assert self._stack is not None
        assert self._stack.sctp is not None
        return self._stack.sctp

    def _add_announced(self, event: ChannelAnnounced) -> RTCDataChannel:
        channel = RTCDataChannel(
            event.parameters,
            negotiated=False,
            stream_id=event.stream_id,
            delegate=self._delegate,
            runner=self._runner,
        )
        channel._key = event.key
        self._channels[event.key] = channel
        return channel

    def _announce_channel(self, channel: RTCDataChannel, sctp: SctpTransport) -> None:
        # W3C webrtc section 6.2: the channel is already open at the data_channel event, whose handler can send and
        # add handlers; the open event follows.
        self.opened += channel._become_open(sctp)
        self._announce(channel)
        channel._announce_open()

    def _open(self, channel: RTCDataChannel, sctp: SctpTransport) -> None:
        self.opened += channel._become_open(sctp)
        channel._announce_open()

    def _close(self, key: int, reason: str | None, failure: RTCError | None) -> None:
        channel = self._ended.pop(key)
        self.closed += channel._has_been_open
        failure = failure or self._failure
        if reason is not None and (failure is None or failure.sctp_cause_code == CAUSE_USER_INITIATED_ABORT):
            # That the peer had closed the connection before is not why this channel could not be opened.
            failure = failure_of_channel(reason)
        channel._become_closed(failure)
        if not channel._events_ended:
            self._draining.add(channel)

    def _close_channel(self, key: int) -> None:
        assert self._stack is not None
        with self._runner:
            self._stack.control.close_channel(key)
            self._stack.flush_channel_control()
