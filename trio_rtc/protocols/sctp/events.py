"""Events of an association."""

from trio_rtc import _attrs as attrs


@attrs.frozen
class AssociationEstablished:
    """The handshake is complete.

    Attributes:
        inbound_streams: Number of streams that the peer may use.
        outbound_streams: Number of streams that we may use.
    """

    inbound_streams: int
    outbound_streams: int


@attrs.frozen
class MessagesAvailable:
    """These streams have new messages, for ``receive_message``. At most one event for each ``receive``."""

    stream_ids: tuple[int, ...]


@attrs.frozen
class BufferedAmountLow:
    """The buffered amount of a stream has fallen to its threshold or below."""

    stream_id: int


@attrs.frozen
class OutgoingStreamsReset:
    """The peer has performed our reset of these outgoing streams; their identifiers may be used again."""

    stream_ids: tuple[int, ...]


@attrs.frozen
class OutgoingResetFailed:
    """The peer does not support or has denied the reset of these outgoing streams, which continue unchanged."""

    stream_ids: tuple[int, ...]


@attrs.frozen
class IncomingStreamsReset:
    """The peer has reset these incoming streams; no identifiers means all streams.

    Messages received before remain available to ``receive_message``.
    """

    stream_ids: tuple[int, ...]


@attrs.frozen
class AssociationError:
    """The reason why an association has ended.

    Attributes:
        reason: A description; unprintable characters of the peer's text are replaced.
        cause_code: Error cause (RFC 9260 section 3.3.10) of an ABORT that was received or sent.
        by_peer: Whether the peer has sent an ABORT.
    """

    reason: str
    cause_code: int | None = None
    by_peer: bool = False


@attrs.frozen
class AssociationClosed:
    """The association has ended.

    Attributes:
        error: The reason; None after an orderly shutdown or our own ``close``.
    """

    error: AssociationError | None = None


SctpEvent = (
    AssociationEstablished
    | MessagesAvailable
    | BufferedAmountLow
    | OutgoingStreamsReset
    | OutgoingResetFailed
    | IncomingStreamsReset
    | AssociationClosed
)
