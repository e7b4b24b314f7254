"""The state of one channel."""

from enum import Enum

from trio_rtc import _attrs as attrs

from .messages import ChannelParameters


class ChannelState(Enum):
    """States of a channel.

    ``CONNECTING``: the association or the stream identifier is missing. ``OPEN``: messages may be sent.
    ``RESETTING``: we have requested the reset of our stream, the peer has not reset its stream yet.
    ``PEER_RESET``: the peer has reset its stream, the reset of ours is requested.
    """

    CONNECTING = "connecting"
    OPEN = "open"
    RESETTING = "resetting"
    PEER_RESET = "peer reset"


@attrs.define
class Channel:
    """A data channel.

    Attributes:
        key: Identifies it to the caller.
        negotiated: Whether the application negotiated it, without DCEP.
        stream_id: Its stream identifier, or ``None`` while the DTLS role is unknown.
        acknowledged: Whether the peer has sent DATA_CHANNEL_ACK for a channel that we opened. Until then all its
            messages are sent ordered (RFC 8832 section 6).
        outgoing_reset: Whether the reset of our stream is done.
        incoming_reset: Whether the peer has reset its stream.
        announced_size: Bytes that count against ``max_announced_size``.
        early_reuses: Number of previous channels on this stream that were opened before the response to our reset.
    """

    key: int
    parameters: ChannelParameters
    negotiated: bool
    stream_id: int | None
    state: ChannelState = ChannelState.CONNECTING
    acknowledged: bool = False
    outgoing_reset: bool = False
    incoming_reset: bool = False
    announced_size: int = 0
    early_reuses: int = 0
