"""The data channels of a peer connection: creating them, and dispatching the events of the core."""

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

from .data_channel import ChannelDelegate, RTCDataChannel, failure_of_channel

_CLOSED_AT_ONCE = 32
"""Channels that are closed in one turn of the scheduler. A peer can have tens of thousands end at once."""


class ChannelTable:
    """W3C's channel objects beside the core's table of channels.

    When an association ends, its channels are closed a few on each turn, in the order of their creation. Each has its
    events in its own task in W3C as well, so only the turn differs.

    Attributes:
        opened: The number of channels that have ever been open, for ``get_stats``.
        closed: The number of those that have closed.
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
        # Channels whose end is in the queue of tasks.
        self._ended: dict[int, RTCDataChannel] = {}
        # The keys and reasons of channels that are closed a few on each turn.
        self._closing: deque[tuple[int, str | None]] = deque()
        # Closed channels whose asynchronous handlers still get earlier messages.
        self._draining: weakref.WeakSet[RTCDataChannel] = weakref.WeakSet()
        self._stack: TransportStack | None = None
        self._failure: RTCError | None = None
        self.opened = 0
        self.closed = 0

    def set_stack(self, stack: TransportStack) -> None:
        """Set the transport of the data channels; existing channels move to it."""
        if self._stack is not None and self._stack is not stack:
            stack.move_channels_from(self._stack)
        self._stack = stack

    @property
    def stack(self) -> TransportStack:
        """The transport that carries the channels."""
        assert self._stack is not None
        return self._stack

    @property
    def channels(self) -> list[RTCDataChannel]:
        """The channels that are not closed."""
        return list(self._channels.values())

    def create(
        self, parameters: ChannelParameters, *, negotiated: bool, stream_id: int | None
    ) -> RTCDataChannel:
        """Create a channel.

        Raises:
            OperationError: The identifier is in use or too high.
        """
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

    def fail_with(self, error: RTCError) -> None:
        """Record the error of the transport, for the channels that end with it. The first one counts."""
        self._failure = self._failure or error

    def forget_failure(self) -> None:
        """Clear the error for a new association, which has channels of its own."""
        self._failure = None

    def handle_event(self, event: DataChannelEvent) -> None:
        """Change the state of a channel and fire its events, on a later turn if a public method has caused it."""
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
                # At once, so that negotiation no longer counts it.
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
        """Close all channels without events, for the end of the connection."""
        channels = deque([*self._draining, *self._ended.values(), *self._channels.values()])
        self._draining.clear()
        self._ended.clear()
        self._channels.clear()
        self._closing.clear()
        self._close_some_silently(channels)

    def _close_some_silently(self, channels: deque[RTCDataChannel]) -> None:
        """Close the first few, and the others on later turns: the state of all of them is ``closed`` already."""
        for _ in range(min(len(channels), _CLOSED_AT_ONCE)):
            channels.popleft()._close_silently()
        if channels:
            self._runner.queue_task(partial(self._close_some_silently, channels), after_end=True)

    def _end_all(self, keys: tuple[int, ...]) -> None:
        was_closing = bool(self._closing)
        # All remaining channels belong to this association: those of the one before have ended with it.
        self._ended.update(self._channels)
        self._channels.clear()
        self._closing.extend(zip(keys, repeat(None)))
        if self._closing and not was_closing:
            self._runner.run_task(self._begin_to_close)

    def _begin_to_close(self) -> None:
        # A later failure is not the reason of these.
        self._close_some(self._failure)

    def _close_some(self, failure: RTCError | None) -> None:
        for _ in range(min(len(self._closing), _CLOSED_AT_ONCE)):
            if not self._closing:  # a handler has closed the connection
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
        # W3C webrtc section 6.2: the channel is open already in the data_channel event, and its open event comes
        # after that one, so that a handler of it can send, and can set handlers in time.
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
        if reason is not None and failure is None:
            failure = failure_of_channel(reason)
        channel._become_closed(failure)
        if not channel._events_ended:
            self._draining.add(channel)

    def _close_channel(self, key: int) -> None:
        assert self._stack is not None
        with self._runner:
            self._stack.control.close_channel(key)
            self._stack.flush_channel_control()
