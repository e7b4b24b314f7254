"""When a packet that is not full may leave.

Small messages come one by one, and a packet for each would waste most of every layer below. But one that
waits for company costs latency where it matters most, in request and answer. So a partial packet leaves at
once when nothing is on its way, or when a message has been received since the last one left; while an
application goes on sending with nothing but acknowledgements coming back, at most one partial packet leaves in
each delay, and full packets leave in batches.
"""

import math
from typing import Final

import attrs

# Full packets go out by so many at least, while held: that is a good batch for the layers below.
BATCH_PACKETS: Final = 16


@attrs.define
class Nagle:
    """Decides whether queued data waits for more.

    Attributes:
        delay: How long a partial packet may be held back, in seconds; 0 holds nothing back.
        batch_size: Bytes of queued data that leave at once in any case.
        received: Whether a message has come in since data last went out, or all of that was acknowledged.
        last_sent: When data last went out.
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
        """Record that data has left."""
        self.received = False
        self.last_sent = now
