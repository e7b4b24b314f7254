"""A snapshot of an association, for statistics and for finding out why it is slow."""

from collections import Counter

import attrs

from .counters import Counters
from .state import ControlBlock
from .tx.send_queue import SendQueue


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


def build_statistics(
    counters: Counters, block: ControlBlock | None, queue: SendQueue
) -> AssociationStatistics:
    """Return the figures of an association whose last control block is ``block``."""
    if block is None:
        return AssociationStatistics(
            counters.packets_sent, counters.packets_received, dropped=dict(counters.dropped)
        )
    receiver, transmitter = block.receiver, block.transmitter
    stale = Counter({"message delivered or skipped before": receiver.reassembly.stale})
    return AssociationStatistics(
        packets_sent=counters.packets_sent,
        packets_received=counters.packets_received,
        chunks_sent=transmitter.chunks_sent,
        chunks_received=receiver.chunks_received,
        chunks_retransmitted=transmitter.chunks_retransmitted,
        bytes_sent=transmitter.bytes_sent,
        bytes_received=receiver.bytes_received,
        messages_abandoned=transmitter.outstanding.messages_abandoned + queue.expired,
        dropped=dict(counters.dropped + receiver.dropped + stale),
        congestion_window=int(transmitter.window),
        flight_size=transmitter.outstanding.flight,
        peer_window=transmitter.advertised_window,
        receive_window=receiver.window,
        smoothed_round_trip=transmitter.timeout.smoothed,
        retransmission_timeout=transmitter.timeout.value,
    )
