"""State of one client transaction."""

import attrs

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.timer import Timer


@attrs.define
class Transaction:
    """A request that waits for its response.

    Attributes:
        request: The encoded request, sent again unchanged at each retransmission.
        local: Where it is sent from.
        remote: Where it is sent to.
        key: The key that the response must be authenticated with; None accepts one without integrity.
        method: The method that the response must have.
        timer: Runs to the next retransmission, or to the end after the last one.
        max_transmissions: How often to send it at most.
        final_wait: Seconds to wait after the last transmission.
        started: When it was first sent.
        expires: When it is given up whatever the retransmissions.
        transmissions: How often it was sent.
    """

    request: bytes = attrs.field(repr=False)
    local: Address
    remote: Address
    key: bytes | None = attrs.field(repr=False)
    method: int
    timer: Timer
    max_transmissions: int
    final_wait: float
    started: float
    expires: float
    transmissions: int = 1

    @property
    def deadline(self) -> float:
        """When there is something to do next."""
        return min(self.timer.deadline, self.expires)
