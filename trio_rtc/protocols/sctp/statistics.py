"""Statistics of an association."""

from collections import Counter

from trio_rtc import _attrs as attrs

from .counters import Counters
from .state import ControlBlock
from .tx.send_queue import SendQueue


@attrs.frozen
class AssociationStatistics:
    """Statistics of an association at one time. Sizes are bytes, times are seconds.

    Attributes:
        packets_sent: SCTP packets sent.
        packets_received: SCTP packets received, dropped ones included.
        chunks_sent: DATA chunks sent, retransmissions included.
        chunks_received: DATA chunks received, duplicates excluded.
        chunks_retransmitted: Retransmissions of DATA chunks.
        bytes_sent: Bytes of DATA chunks with their headers, retransmissions excluded.
        bytes_received: Payload of DATA chunks received, duplicates excluded.
        messages_abandoned: Messages abandoned by partial reliability, unsent ones included.
        dropped: Packets and chunks dropped on receipt, by reason.
        congestion_window: Bytes that may be in flight.
        flight_size: Bytes in flight.
        peer_window: The peer's last ``a_rwnd``.
        receive_window: The ``a_rwnd`` that a SACK would have now.
        smoothed_round_trip: SRTT; None before the first measurement.
        retransmission_timeout: The current RTO.
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
