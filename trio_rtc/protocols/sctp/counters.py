"""What an association has counted, for statistics and for finding out why it is slow."""

from collections import Counter

import attrs


@attrs.define
class Counters:
    """Counters of packets; those of chunks are in :class:`AssociationStatistics`.

    Attributes:
        packets_sent: SCTP packets handed to the layer below.
        packets_received: SCTP packets from it, dropped ones included.
        dropped: Packets and chunks that were dropped, by reason.
    """

    packets_sent: int = 0
    packets_received: int = 0
    dropped: Counter[str] = attrs.field(factory=Counter)


@attrs.frozen
class AssociationStatistics:
    """A snapshot of an association. Sizes are bytes, times are seconds.

    Attributes:
        packets_sent: SCTP packets handed to the layer below.
        packets_received: SCTP packets from it, dropped ones included.
        chunks_sent: DATA chunks sent, retransmissions included.
        chunks_received: DATA chunks that were new.
        chunks_retransmitted: DATA chunks sent again.
        bytes_sent: New DATA chunks with their headers.
        bytes_received: Payload of new DATA chunks.
        messages_abandoned: Messages given up by partial reliability, wholly unsent ones included.
        dropped: What was dropped of what came in, by reason.
        congestion_window: How much may be in flight.
        flight_size: How much is in flight.
        peer_window: The peer's last ``a_rwnd``.
        receive_window: The window that we would advertise now.
        smoothed_round_trip: None before the first measurement.
        retransmission_timeout: The current time-out.
    """

    packets_sent: int
    packets_received: int
    chunks_sent: int = 0
    chunks_received: int = 0
    chunks_retransmitted: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    messages_abandoned: int = 0
    dropped: dict[str, int] = attrs.field(factory=dict)
    congestion_window: int = 0
    flight_size: int = 0
    peer_window: int = 0
    receive_window: int = 0
    smoothed_round_trip: float | None = None
    retransmission_timeout: float = 0.0
