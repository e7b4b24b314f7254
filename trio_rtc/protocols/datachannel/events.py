"""Events of data channels. ``key`` identifies a channel to the caller."""

from trio_rtc import _attrs as attrs

from .messages import ChannelParameters


@attrs.frozen
class StreamIdAssigned:
    """A stream identifier was assigned to a channel that waited for the DTLS role."""

    key: int
    stream_id: int


@attrs.frozen
class ChannelAnnounced:
    """The peer has opened a channel in-band. Messages may be sent on it."""

    key: int
    stream_id: int
    parameters: ChannelParameters


@attrs.frozen
class ChannelOpened:
    """A channel of ours is open: messages may be sent on it."""

    key: int


@attrs.frozen
class ChannelClosing:
    """The peer has started to close a channel."""

    key: int


@attrs.frozen
class ChannelClosed:
    """A channel has closed.

    Attributes:
        reason: The error, or ``None`` after a regular close by either side.
    """

    key: int
    reason: str | None = None


@attrs.frozen
class StreamResetRequested:
    """These outgoing streams must be reset (RFC 6525), after the messages queued on them."""

    stream_ids: tuple[int, ...]


@attrs.frozen
class AllChannelsClosed:
    """All channels have ended with the association, without a ``ChannelClosed`` for each.

    Attributes:
        error: The reason, or ``None``.
        keys: The channels that have ended, in order of creation.
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
