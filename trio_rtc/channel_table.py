"""The data channels of a peer connection: making them, and telling each what has happened to it."""

from collections.abc import Callable
from functools import partial

from .data_channel import ChannelCarrier, RTCDataChannel, failure_of_channel
from .errors import RTCError
from .event_target import HandlerRunner
from .protocols.datachannel import (
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelOpened,
    ChannelParameters,
    Closed,
    DataChannelEvent,
    StreamIdAssigned,
    StreamResetRequested,
)
from .transports.sctp import SctpTransport
from .transports.stack import TransportStack


class ChannelTable:
    """Keeps W3C's channel objects beside the core's table of channels.

    Attributes:
        opened: How many channels have ever been open, for ``get_stats``.
        closed: How many of those have closed.
    """

    def __init__(
        self,
        runner: HandlerRunner,
        max_message_size: Callable[[], float],
        announce: Callable[[RTCDataChannel], None],
    ) -> None:
        self._runner = runner
        self._announce = announce
        self._carrier = ChannelCarrier(self._close_channel, max_message_size)
        self._channels: dict[int, RTCDataChannel] = {}
        # Their end waits in the queue of tasks.
        self._ended: dict[int, RTCDataChannel] = {}
        self._stack: TransportStack | None = None
        self._failure: RTCError | None = None
        self.opened = 0
        self.closed = 0

    def attach(self, stack: TransportStack) -> None:
        """Set the transport of the data channels; existing channels move to it."""
        if self._stack is not None and self._stack is not stack:
            stack.take_channels(self._stack)
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
        """Make a channel of ours.

        Raises:
            OperationError: The identifier is in use or too high.
        """
        assert self._stack is not None
        channel = RTCDataChannel(
            parameters, negotiated=negotiated, stream_id=stream_id, carrier=self._carrier, runner=self._runner
        )
        control = self._stack.control
        with self._runner:
            key = control.create_channel(parameters, negotiated=negotiated, stream_id=stream_id)
            channel._key = key
            self._channels[key] = channel
            self._stack.pump_channels()
        if (assigned := control.stream_id(key)) is not None:
            channel._assign_id(assigned)
        return channel

    def fail_with(self, error: RTCError) -> None:
        """Remember why the transport ended, for the channels that end with it. What failed first is the reason."""
        self._failure = self._failure or error

    def forget_failure(self) -> None:
        """A new association begins, with channels of its own."""
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
                # At once, so that it is no reason for negotiation any more.
                self._ended[event.key] = self._channels.pop(event.key)
                self._runner.run_task(partial(self._close, event))
            case StreamResetRequested() | Closed():
                pass

    def close_silently(self) -> None:
        """The peer connection was closed."""
        channels = [*self._ended.values(), *self._channels.values()]
        self._ended.clear()
        self._channels.clear()
        for channel in channels:
            channel._close_silently()

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
            carrier=self._carrier,
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

    def _close(self, event: ChannelClosed) -> None:
        channel = self._ended.pop(event.key)
        self.closed += channel._has_been_open
        failure = self._failure
        if event.reason is not None and failure is None:
            failure = failure_of_channel(event.reason)
        channel._become_closed(failure)

    def _close_channel(self, key: int) -> None:
        assert self._stack is not None
        with self._runner:
            self._stack.control.close_channel(key)
            self._stack.pump_channels()
