"""What happens to data channels. ``key`` is the number by which this core's user knows a channel."""

import attrs

from .messages import ChannelParameters


@attrs.frozen
class StreamIdAssigned:
    """A channel that waited for the DTLS role has got its stream identifier."""

    key: int
    stream_id: int


@attrs.frozen
class ChannelAnnounced:
    """The peer has opened a channel in-band. It is open; messages may be sent."""

    key: int
    stream_id: int
    parameters: ChannelParameters


@attrs.frozen
class ChannelOpened:
    """A channel of ours can be sent on."""

    key: int


@attrs.frozen
class ChannelClosing:
    """The peer has begun to close a channel."""

    key: int


@attrs.frozen
class ChannelClosed:
    """A channel has closed.

    Attributes:
        reason: Why it could not live, or ``None`` when it was closed by either side.
    """

    key: int
    reason: str | None = None


@attrs.frozen
class StreamResetRequested:
    """The outgoing side of these streams is to be reset (RFC 6525), after what is queued on them."""

    stream_ids: tuple[int, ...]


@attrs.frozen
class AllChannelsClosed:
    """All channels have ended, since the association has. There is no ``ChannelClosed`` for them.

    Attributes:
        error: Why, or ``None``.
        keys: The channels that have ended with it, in the order in which they were made.
    """

    error: str | None
    keys: tuple[int, ...] = ()


DataChannelEvent = (
    StreamIdAssigned
    | ChannelAnnounced
    | ChannelOpened
    | ChannelClosing
    | ChannelClosed
    | StreamResetRequested
    | AllChannelsClosed
)
