"""Counters of packets of an association."""

import logging
from collections import Counter

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

logger = logging.getLogger("trio_rtc.sctp")


@attrs.define
class Counters:
    """Counters of packets; those of chunks are in :class:`.AssociationStatistics`.

    Attributes:
        packets_sent: SCTP packets sent.
        packets_received: SCTP packets received, dropped ones included.
        dropped: Packets and chunks that were dropped, by reason.
    """

    packets_sent: int = 0
    packets_received: int = 0
    dropped: Counter[str] = attrs.field(factory=Counter)

    def drop(self, reason: str, error: ProtocolError | None = None) -> None:
        """Count and log a packet or chunk that is dropped."""
        self.dropped[reason] += 1
        logger.debug("dropped: %s %s", reason, error or "")
