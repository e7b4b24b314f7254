"""State of a client transaction."""

import attrs

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.timer import Timer


@attrs.define
class Transaction:
    """A request without a response yet.

    Attributes:
        request: Encoded request, retransmitted unchanged.
        local: Local address.
        remote: Address of the server.
        key: Key of the response's integrity; ``None`` accepts a response without integrity.
        method: STUN method of request and response.
        timer: Time of the next retransmission, or of the end after the last one.
        max_transmissions: Maximum number of transmissions.
        final_wait: Seconds to wait after the last transmission.
        started: Time of the first transmission.
        expires: Time of the end regardless of retransmissions.
        transmissions: Number of transmissions.
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
        """Time of the next retransmission or of the end."""
        return min(self.timer.deadline, self.expires)
