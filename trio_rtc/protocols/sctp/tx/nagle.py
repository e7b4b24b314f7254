"""Nagle's algorithm: when a packet that is not full may leave.

A packet for each small message would be expensive in all layers below; delaying it increases latency, which matters
most for a request and its response. So a partial packet leaves at once if nothing is in flight, or if a message has
been received since data was last sent. While an application keeps sending and only acknowledgements return, at most one
partial packet leaves in each delay, and full packets leave in batches.
"""

import math
from typing import Final

from trio_rtc import _attrs as attrs

# Full packets that leave together at least: an efficient batch for the layers below.
BATCH_PACKETS: Final = 16


@attrs.define
class Nagle:
    """Decides whether queued data is delayed.

    Attributes:
        delay: Longest delay of a partial packet, in seconds; 0 for none.
        batch_size: Bytes of queued data that are never delayed.
        received: Whether a message has been received, or everything acknowledged, since data was last sent.
    """

    delay: float
    batch_size: int
    received: bool = True
    last_sent: float = -math.inf

    def release_time(self, queued: int) -> float:
        """Return when ``queued`` bytes may leave: ``-math.inf`` for at once."""
        if self.received or queued >= self.batch_size:
            return -math.inf
        return self.last_sent + self.delay

    def record_sent(self, now: float) -> None:
        self.received = False
        self.last_sent = now
