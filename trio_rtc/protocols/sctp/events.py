"""What an association has to tell."""

import attrs


@attrs.frozen
class AssociationEstablished:
    """The handshake is complete: messages can flow.

    Attributes:
        inbound_streams: How many streams the peer may use.
        outbound_streams: How many streams we may use.
    """

    inbound_streams: int
    outbound_streams: int


@attrs.frozen
class MessagesAvailable:
    """There are new messages on these streams, for ``receive_message``. At most one for each ``receive``."""

    stream_ids: tuple[int, ...]


@attrs.frozen
class BufferedAmountLow:
    """The buffered amount of a stream has fallen to its threshold, or under."""

    stream_id: int


@attrs.frozen
class OutgoingStreamsReset:
    """The peer has performed our reset of these streams; their identifiers may be used again."""

    stream_ids: tuple[int, ...]


@attrs.frozen
class OutgoingResetFailed:
    """The peer cannot or will not reset these streams; they go on as they were."""

    stream_ids: tuple[int, ...]


@attrs.frozen
class IncomingStreamsReset:
    """The peer has reset these streams on its side. No identifiers at all means every stream.

    Messages that came before are still there for ``receive_message``.
    """

    stream_ids: tuple[int, ...]


@attrs.frozen
class AssociationError:
    """Why an association ended.

    Attributes:
        reason: In words; what the peer wrote is made printable.
        cause_code: RFC 9260 section 3.3.10, when an ABORT was received or sent.
        by_peer: Whether the peer has ended the association, with an ABORT.
    """

    reason: str
    cause_code: int | None = None
    by_peer: bool = False


@attrs.frozen
class AssociationClosed:
    """The association has ended.

    Attributes:
        error: Why, None after an orderly end or our own ``close``.
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
