"""What an association counts of packets."""

from collections import Counter

import attrs


@attrs.define
class Counters:
    """Counters of packets; :class:`.AssociationStatistics` adds those of chunks.

    Attributes:
        packets_sent: SCTP packets handed to the layer below.
        packets_received: SCTP packets from it, dropped ones included.
        dropped: Packets and chunks that were dropped, by reason.
    """

    packets_sent: int = 0
    packets_received: int = 0
    dropped: Counter[str] = attrs.field(factory=Counter)
