"""HEARTBEAT: monitoring of an idle path (RFC 9260 section 8.3)."""

import hmac
import math
import random
from typing import Final

from trio_rtc import _attrs as attrs

from .packet.chunks import Heartbeat

_NONCE_SIZE: Final = 16


@attrs.define
class PathMonitor:
    """Sends HEARTBEATs while the path is idle, and counts those without HEARTBEAT ACK.

    Attributes:
        interval: Idle time before a HEARTBEAT, in seconds; 0 sends none.
        deadline: When to send the next HEARTBEAT; ``math.inf`` for never.
        errors: HEARTBEATs without acknowledgement since the peer last acknowledged something.
    """

    interval: float
    deadline: float = math.inf
    errors: int = 0
    _nonce: bytes | None = None
    _sent_at: float = 0.0

    def record_acknowledgement(self, now: float) -> None:
        """Restart the idle time, because the peer has acknowledged something."""
        self.errors = 0
        if self.interval:
            self.deadline = now + self.interval
            self._nonce = None

    def stop(self) -> None:
        self.interval = 0.0
        self.deadline = math.inf

    def handle_timer(self, now: float, timeout: float, rng: random.Random) -> Heartbeat | None:
        """Return the HEARTBEAT to send, if one is due; ``timeout`` is the time for its acknowledgement.

        That time doubles with each that is not acknowledged (section 8.3): an outage that ICE's consent survives must
        not use up ``max_retransmissions``.
        """
        if now < self.deadline:
            return None
        if self._nonce is not None:
            self.errors += 1
        self._nonce = rng.randbytes(_NONCE_SIZE)
        self._sent_at = now
        self.deadline = now + min(timeout * 2.0**self.errors, self.interval)
        return Heartbeat(self._nonce)

    def handle_ack(self, info: bytes, now: float) -> float | None:
        """Return the round trip measured by a HEARTBEAT ACK, None if it does not match our HEARTBEAT."""
        if self._nonce is None or not hmac.compare_digest(info, self._nonce):
            return None
        self.record_acknowledgement(now)
        return now - self._sent_at
