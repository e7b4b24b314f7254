"""The data channels of a peer connection: making them, and telling each what has happened to it."""

from collections.abc import Callable

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
        self._stack: TransportStack | None = None
        self._failure: RTCError | None = None
        self.opened = 0
        self.closed = 0

    def attach(self, stack: TransportStack) -> None:
        """Say which transports carry the channels."""
        self._stack = stack

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
        channel._key = self._stack.control.create_channel(
            parameters, negotiated=negotiated, stream_id=stream_id
        )
        self._channels[channel._key] = channel
        self._stack.pump_channels()
        return channel

    def fail_with(self, error: RTCError) -> None:
        """Remember why the transport ended, for the channels that end with it. What failed first is the reason."""
        self._failure = self._failure or error

    def forget_failure(self) -> None:
        """A new association begins, with channels of its own."""
        self._failure = None

    def handle_event(self, event: DataChannelEvent) -> None:
        """Tell a channel what has happened to it."""
        match event:
            case ChannelAnnounced():
                self._add_announced(event)
            case StreamIdAssigned():
                self._channels[event.key]._assign_id(event.stream_id)
            case ChannelOpened():
                channel = self._channels[event.key]
                self._open(channel)
                channel._announce_open()
            case ChannelClosing():
                self._channels[event.key]._become_closing()
            case ChannelClosed():
                self._close(event)
            case StreamResetRequested() | Closed():
                pass

    def close_silently(self) -> None:
        """The peer connection was closed."""
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel._close_silently()

    def _add_announced(self, event: ChannelAnnounced) -> None:
        channel = RTCDataChannel(
            event.parameters,
            negotiated=False,
            stream_id=event.stream_id,
            carrier=self._carrier,
            runner=self._runner,
        )
        channel._key = event.key
        self._channels[event.key] = channel
        # W3C webrtc section 6.2: the channel is open already in the data_channel event, and its open event comes
        # after that one, so that a handler of it can send, and can set handlers in time.
        self._open(channel)
        self._announce(channel)
        channel._announce_open()

    def _open(self, channel: RTCDataChannel) -> None:
        assert self._stack is not None
        assert self._stack.sctp is not None
        if channel._become_open(self._stack.sctp):
            self.opened += 1

    def _close(self, event: ChannelClosed) -> None:
        channel = self._channels.pop(event.key, None)
        if channel is None:
            return
        if channel.ready_state != "connecting":
            self.closed += 1
        failure = self._failure
        if event.reason is not None and failure is None:
            failure = failure_of_channel(event.reason)
        channel._become_closed(failure)

    def _close_channel(self, key: int) -> None:
        assert self._stack is not None
        self._stack.control.close_channel(key)
        self._stack.pump_channels()
