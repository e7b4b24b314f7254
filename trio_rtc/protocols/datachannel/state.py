"""The state of one channel."""

from enum import Enum

import attrs

from .messages import ChannelParameters


class ChannelState(Enum):
    """Where a channel stands.

    ``CONNECTING``: the association or the stream identifier is missing. ``OPEN``: messages may be sent.
    ``RESETTING``: we have asked for our side's reset, the peer has not reset its side yet.
    ``PEER_RESET``: the peer has reset its side, and ours is under way.
    """

    CONNECTING = "connecting"
    OPEN = "open"
    RESETTING = "resetting"
    PEER_RESET = "peer reset"


@attrs.define
class Channel:
    """A channel in the table.

    Attributes:
        key: The number by which this core's user knows it.
        parameters: What was agreed on.
        negotiated: Whether the application agreed on it by itself, without DCEP.
        stream_id: Its stream, or ``None`` while the DTLS role is unknown.
        acknowledged: Whether the peer has confirmed a channel that we opened. Until then everything on it is
            sent ordered (RFC 8832 section 6).
        outgoing_reset: Whether the reset of our side is done.
        incoming_reset: Whether the peer has reset its side.
        announced_size: What it counts against the memory for channels that the peer has opened.
        early_reuses: How many channels before it on this stream were opened without waiting for a reset's answer.
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
