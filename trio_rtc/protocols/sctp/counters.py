"""What an association counts of packets."""

import logging
from collections import Counter

import attrs

from trio_rtc.errors import ProtocolError

logger = logging.getLogger("trio_rtc.sctp")


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

    def drop(self, reason: str, error: ProtocolError | None = None) -> None:
        """Count something that is dropped."""
        self.dropped[reason] += 1
        logger.debug("dropped: %s %s", reason, error or "")
