"""The state machine of data channels on one association: stream identifiers, opening handshake, closing.

RFC 8831 (data channels) and RFC 8832 (DCEP). A channel goes through::

    CONNECTING ──association established, id known──► OPEN ──close_channel──► RESETTING ──both sides reset──► removed
                                                       └──peer resets──► PEER_RESET ──our reset done──► removed

A channel that we open in-band is OPEN as soon as its DATA_CHANNEL_OPEN is queued; until the peer's DATA_CHANNEL_ACK,
all its messages must be sent ordered (RFC 8832 section 6). A negotiated channel is OPEN as soon as the association is
established. The DTLS client uses even stream identifiers, the server odd ones; while the role is unknown, channels have
no identifier.

Closing resets the outgoing stream (RFC 6525) once all queued messages are acknowledged; the peer responds with a reset
of its own stream. The identifier may be reused when both are done. Unused identifiers are assigned first, then the one
that was released first: werift repeats a reset request under a new sequence number, which would close a channel that
reuses the identifier at once.

A request may reset all streams, tens of thousands. 32 of these are handled at once and the others by calls of
``resume_resets``, so that other tasks run in between; a stream that the peer opens again meanwhile is handled first.

User messages do not pass through this core, which receives and sends :class:`ControlMessage` only, and requests stream
resets by events. A DCEP message that is malformed, or that opens a stream of ours, is counted, and its stream reset.
Both RFCs are implemented completely; priorities are transmitted but have no effect here.
"""

import math
from collections import Counter
from collections.abc import Sequence

from trio_rtc.errors import OperationError, ProtocolError
from trio_rtc.protocols._contract import QueuedCore

from .events import (
    AllChannelsClosed,
    ChannelAnnounced,
    ChannelClosed,
    ChannelClosing,
    ChannelOpened,
    DataChannelEvent,
    StreamIdAssigned,
    StreamResetRequested,
)
from .messages import (
    DATA_CHANNEL_ACK,
    DATA_CHANNEL_OPEN,
    ChannelParameters,
    ControlMessage,
    encode_ack,
    encode_open,
    parse_open,
)
from .options import DataChannelOptions
from .state import Channel, ChannelState

_STREAM_ID_LIMIT = 65535  # 65535 itself is not a stream identifier (RFC 8832 section 6)
_RESETS_AT_ONCE = 32
_CHANNEL_SIZE = 4096  # approximate memory of a channel in all layers, without label and protocol


class ChannelControl(QueuedCore[ControlMessage, DataChannelEvent]):
    """The data channels of one association. The caller identifies a channel by its ``key``, the peer by its stream.

    Args:
        options: Limits.
        last_key: The last key assigned by the control of the previous association: keys are never reused.

    Attributes:
        dropped: Dropped messages, by reason.
    """

    def __init__(self, options: DataChannelOptions | None = None, *, last_key: int = 0) -> None:
        super().__init__()
        self._options = options or DataChannelOptions()
        self._channels: dict[int, Channel] = {}
        self._by_stream: dict[int, Channel] = {}
        self._refused: set[int] = set()
        self._unhandled_outgoing: set[int] = set()
        self._unhandled_incoming: set[int] = set()
        self._released: dict[int, None] = {}  # identifiers of our parity that were used before, oldest first
        self._first_unused = 0
        self._announced_size = 0
        self._last_key = last_key
        self._parity: int | None = None
        self._connected = False
        self._max_streams = _STREAM_ID_LIMIT
        self._closed = False
        self.dropped: Counter[str] = Counter()

    # -- actions -----------------------------------------------------------------------------------------

    def create_channel(
        self, parameters: ChannelParameters, *, negotiated: bool = False, stream_id: int | None = None
    ) -> int:
        """Create a channel and return its key.

        Args:
            parameters: The parameters of the channel.
            negotiated: Whether the application informs the peer by itself, which requires ``stream_id``.
            stream_id: The stream identifier; ``None`` to assign one when the DTLS role is known.

        Raises:
            OperationError: The stream identifier is in use or too high, or there are too many channels.
        """
        if self._closed:
            # W3C's createDataChannel does not raise then: the channel is created, and closed in a queued task.
            channel = self._add(parameters, negotiated=negotiated, stream_id=stream_id)
            self._remove(channel, "the SCTP association has ended")
            return channel.key
        if len(self._channels) >= self._options.max_channels:
            raise OperationError(f"there are {len(self._channels)} data channels already, the maximum")
        if stream_id is not None and (stream_id in self._by_stream or stream_id >= self._max_streams):
            raise OperationError(f"the data channel id {stream_id} is in use or too high")
        if stream_id is None and self._parity is not None and self._free_stream_id() is None:
            raise OperationError("no data channel id is free")
        channel = self._add(parameters, negotiated=negotiated, stream_id=stream_id)
        if stream_id is None and self._parity is not None:
            self._assign_stream_id(channel)
        self._open_if_possible(channel)
        return channel.key

    def set_role(self, *, is_dtls_client: bool) -> None:
        """Set the DTLS role, which determines the parity of our stream identifiers; assign missing ones (RFC 8832).

        Another role, which another DTLS association may bring, replaces the identifiers of channels that the peer does
        not know yet.
        """
        parity = 0 if is_dtls_client else 1
        if parity != self._parity:
            self._parity = self._first_unused = parity
            self._unassign_stream_ids()
        for channel in [channel for channel in self._channels.values() if channel.stream_id is None]:
            self._assign_stream_id(channel)
            self._open_if_possible(channel)

    def _unassign_stream_ids(self) -> None:
        for channel in self._channels.values():
            if (
                channel.negotiated
                or channel.state is not ChannelState.CONNECTING
                or channel.stream_id is None
            ):
                continue
            del self._by_stream[channel.stream_id]
            channel.stream_id = None

    def association_established(self, max_streams: int) -> None:
        """Open the channels on an established association with ``max_streams`` streams in each direction."""
        self._connected = True
        self._max_streams = min(max_streams, _STREAM_ID_LIMIT)
        for channel in list(self._channels.values()):
            if channel.stream_id is not None and channel.stream_id >= self._max_streams:
                self._remove(
                    channel,
                    f"the association has no stream {channel.stream_id}, the peer supports {self._max_streams}",
                )
            else:
                self._open_if_possible(channel)

    def close_channel(self, key: int) -> None:
        """Close a channel after its queued messages are delivered. Idempotent."""
        channel = self._channels.get(key)
        if channel is None:
            return
        match channel.state:
            case ChannelState.CONNECTING:
                self._remove(channel, None)
            case ChannelState.OPEN:
                channel.state = ChannelState.RESETTING
                self._request_reset(channel)
            case ChannelState.RESETTING | ChannelState.PEER_RESET:
                pass

    def outgoing_streams_reset(self, stream_ids: Sequence[int]) -> None:
        """Handle the reset of outgoing streams that the peer has performed."""
        at_once = self._reset_at_once(stream_ids)
        self._unhandled_outgoing.update(stream_ids[len(at_once) :])
        for stream_id in at_once:
            self._handle_outgoing_reset(stream_id)

    def incoming_streams_reset(self, stream_ids: Sequence[int]) -> None:
        """Handle the reset of incoming streams by the peer; no identifiers means all streams."""
        stream_ids = stream_ids or tuple(self._by_stream)
        at_once = self._reset_at_once(stream_ids)
        self._unhandled_incoming.update(stream_ids[len(at_once) :])
        for stream_id in at_once:
            self._handle_incoming_reset(stream_id)

    @property
    def has_unhandled_resets(self) -> bool:
        """Whether ``resume_resets`` must be called."""
        return bool(self._unhandled_outgoing or self._unhandled_incoming)

    def resume_resets(self) -> None:
        """Handle the next 32 streams that have been reset."""
        for _ in range(_RESETS_AT_ONCE):
            if self._unhandled_outgoing:
                self._handle_outgoing_reset(self._unhandled_outgoing.pop())
            elif self._unhandled_incoming:
                self._handle_incoming_reset(self._unhandled_incoming.pop())

    def _reset_at_once(self, stream_ids: Sequence[int]) -> Sequence[int]:
        return () if self.has_unhandled_resets else stream_ids[:_RESETS_AT_ONCE]

    def _handle_outgoing_reset(self, stream_id: int) -> None:
        if stream_id in self._refused:
            self._refused.remove(stream_id)
            self._release(stream_id)
        channel = self._by_stream.get(stream_id)
        if channel is None:
            return
        channel.early_reuses = 0
        if channel.state in (ChannelState.RESETTING, ChannelState.PEER_RESET):
            channel.outgoing_reset = True
            self._remove_if_reset(channel)

    def _handle_incoming_reset(self, stream_id: int) -> None:
        channel = self._by_stream.get(stream_id)
        if channel is None:
            return
        channel.incoming_reset = True
        if channel.state in (ChannelState.OPEN, ChannelState.CONNECTING):
            # RFC 8831 section 6.7: a reset must be answered with a reset of our stream.
            channel.state = ChannelState.PEER_RESET
            self._events.append(ChannelClosing(channel.key))
            self._request_reset(channel)
        else:
            self._remove_if_reset(channel)

    def must_send_ordered(self, key: int) -> bool:
        """Return whether messages on a channel must be sent ordered, before its DATA_CHANNEL_ACK."""
        channel = self._channels.get(key)
        return channel is not None and not channel.acknowledged

    def stream_id(self, key: int) -> int | None:
        """Return the stream identifier of a channel, ``None`` while it has none."""
        channel = self._channels.get(key)
        return None if channel is None else channel.stream_id

    @property
    def last_key(self) -> int:
        """The last key assigned."""
        return self._last_key

    def channel_keys(self) -> list[int]:
        """Return the keys of all channels."""
        return list(self._channels)

    # -- the contract ------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        return self._closed

    def receive(self, batch: Sequence[ControlMessage], now: float) -> None:
        """Process DCEP messages."""
        del now
        for message in batch:
            if self._closed:
                return
            try:
                self._receive(message)
            except ProtocolError as error:
                self.dropped[str(error)] += 1
                self._refuse(message.stream_id)

    def handle_timer(self, now: float) -> None:
        """Do nothing: SCTP delivers DCEP messages reliably, so this core has no timers."""

    def next_timer(self) -> float:
        """Return ``math.inf``."""
        return math.inf

    def close(self, now: float) -> None:
        """End all channels; nothing is sent, because the end of the association ends them at the peer."""
        self._end(None)

    def lower_closed(self, now: float) -> None:
        """End all channels, because the association has ended."""
        self._end(None)

    # -- internals ---------------------------------------------------------------------------------------

    def _end(self, reason: str | None) -> None:
        if self._closed:
            return
        # One event for all: tens of thousands of events would take too long in one step.
        self._events.append(AllChannelsClosed(reason, tuple(self._channels)))
        self._channels.clear()
        self._by_stream.clear()
        self._unhandled_outgoing.clear()
        self._unhandled_incoming.clear()
        self._outgoing.clear()
        self._closed = True

    def _add(self, parameters: ChannelParameters, *, negotiated: bool, stream_id: int | None) -> Channel:
        self._last_key += 1
        channel = Channel(self._last_key, parameters, negotiated, stream_id, acknowledged=negotiated)
        self._channels[channel.key] = channel
        if stream_id is not None:
            self._occupy(stream_id, channel)
        return channel

    def _occupy(self, stream_id: int, channel: Channel) -> None:
        self._by_stream[stream_id] = channel
        self._released.pop(stream_id, None)

    def _remove(self, channel: Channel, reason: str | None) -> None:
        del self._channels[channel.key]
        self._announced_size -= channel.announced_size
        if channel.stream_id is not None:
            del self._by_stream[channel.stream_id]
            self._release(channel.stream_id)
        self._events.append(ChannelClosed(channel.key, reason))

    def _release(self, stream_id: int) -> None:
        if self._parity in (None, stream_id % 2):
            self._released[stream_id] = None

    def _remove_if_reset(self, channel: Channel) -> None:
        if channel.outgoing_reset and channel.incoming_reset:
            self._remove(channel, None)

    def _request_reset(self, channel: Channel) -> None:
        assert channel.stream_id is not None
        if not self._connected:
            self._remove(channel, None)
            return
        self._events.append(StreamResetRequested((channel.stream_id,)))

    def _free_stream_id(self) -> int | None:
        """Return the identifier for the next channel: the lowest unused one, or else the one released first."""
        while self._first_unused in self._released or not self._is_free(self._first_unused):
            if self._first_unused >= self._max_streams:
                return next((i for i in self._released if i % 2 == self._parity and self._is_free(i)), None)
            self._first_unused += 2
        return self._first_unused

    def _is_free(self, stream_id: int) -> bool:
        in_use = stream_id in self._by_stream or stream_id in self._refused
        return not in_use and stream_id < self._max_streams

    def _assign_stream_id(self, channel: Channel) -> None:
        stream_id = self._free_stream_id()
        if stream_id is None:
            self._remove(channel, "no data channel id is free")
            return
        channel.stream_id = stream_id
        self._occupy(stream_id, channel)
        self._events.append(StreamIdAssigned(channel.key, stream_id))

    def _open_if_possible(self, channel: Channel) -> None:
        if not self._connected or channel.stream_id is None or channel.state is not ChannelState.CONNECTING:
            return
        channel.state = ChannelState.OPEN
        if not channel.negotiated:
            self._outgoing.append(ControlMessage(channel.stream_id, encode_open(channel.parameters)))
        self._events.append(ChannelOpened(channel.key))

    def _receive(self, message: ControlMessage) -> None:
        stream_id, data = message
        if not data or len(data) > self._options.max_control_message_size:
            raise ProtocolError("DCEP message of invalid length")
        if data[0] == DATA_CHANNEL_ACK and len(data) == 1:
            channel = self._by_stream.get(stream_id)
            if channel is None or channel.acknowledged:
                self.dropped["unexpected DATA_CHANNEL_ACK"] += 1
            else:
                channel.acknowledged = True
        elif data[0] == DATA_CHANNEL_OPEN:
            self._receive_open(stream_id, parse_open(data))
        else:
            raise ProtocolError("unknown DCEP message type")

    def _handle_resets_before_reuse(self, stream_id: int) -> None:
        if stream_id in self._unhandled_outgoing:
            self._unhandled_outgoing.remove(stream_id)
            self._handle_outgoing_reset(stream_id)
        if stream_id in self._unhandled_incoming:
            self._unhandled_incoming.remove(stream_id)
            self._handle_incoming_reset(stream_id)

    def _receive_open(self, stream_id: int, parameters: ChannelParameters) -> None:
        self._handle_resets_before_reuse(stream_id)
        last = self._by_stream.get(stream_id)
        early_reuses = 0
        if last is not None and last.state is ChannelState.PEER_RESET:
            # The peer reuses the identifier, so it has performed our reset, and its response is in flight. An attacker
            # may pretend that, to make us queue one DATA_CHANNEL_ACK after the other.
            early_reuses = last.early_reuses + 1
            if early_reuses > self._options.max_early_reuses:
                raise ProtocolError("DATA_CHANNEL_OPEN before a response to our resets")
            self._remove(last, None)
        elif last is not None:
            # RFC 8832 section 6: the stream is in use; closing its channel would let the peer harm it.
            self.dropped["DATA_CHANNEL_OPEN on a stream in use"] += 1
            return
        if self._parity is not None and stream_id % 2 == self._parity:
            raise ProtocolError("DATA_CHANNEL_OPEN on a stream of our parity")
        if len(self._channels) >= self._options.max_channels or stream_id >= self._max_streams:
            raise ProtocolError("DATA_CHANNEL_OPEN beyond the limits")
        # Python uses up to four bytes for a character.
        size = _CHANNEL_SIZE + 4 * (len(parameters.label) + len(parameters.protocol))
        if self._announced_size + size > self._options.max_announced_size:
            raise ProtocolError("DATA_CHANNEL_OPEN beyond the limits")
        channel = self._add(parameters, negotiated=False, stream_id=stream_id)
        channel.announced_size = size
        channel.early_reuses = early_reuses
        self._announced_size += size
        channel.acknowledged = True
        channel.state = ChannelState.OPEN
        self._outgoing.append(ControlMessage(stream_id, encode_ack()))
        self._events.append(ChannelAnnounced(channel.key, stream_id, parameters))

    def _refuse(self, stream_id: int) -> None:
        """Reset the stream of an invalid DATA_CHANNEL_OPEN, unless it is in use."""
        in_use = stream_id in self._by_stream or stream_id in self._refused
        if self._connected and not in_use and stream_id < self._max_streams:
            self._refused.add(stream_id)
            self._events.append(StreamResetRequested((stream_id,)))
