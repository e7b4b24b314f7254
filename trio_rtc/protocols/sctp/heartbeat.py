"""HEARTBEAT: a sign of life after silence (RFC 9260 section 8.3)."""

import hmac
import math
import random
from typing import Final

import attrs

from .packet.chunks import Heartbeat

_NONCE_SIZE: Final = 16


@attrs.define
class PathMonitor:
    """Asks the peer for a sign of life and waits for it.

    Attributes:
        interval: Silence before a HEARTBEAT is sent, in seconds; 0 sends none.
        deadline: When to ask, or when the answer is overdue; ``math.inf`` when neither.
        errors: HEARTBEATs without answer since the last sign of life.
    """

    interval: float
    deadline: float = math.inf
    errors: int = 0
    _nonce: bytes | None = None
    _sent_at: float = 0.0

    def record_acknowledgement(self, now: float) -> None:
        """Take that the peer has acknowledged something: it is alive."""
        self.errors = 0
        if self.interval:
            self.deadline = now + self.interval
            self._nonce = None

    def stop(self) -> None:
        """Ask no more."""
        self.interval = 0.0
        self.deadline = math.inf

    def handle_timer(self, now: float, timeout: float, rng: random.Random) -> Heartbeat | None:
        """Return the HEARTBEAT to send, if one is due; ``timeout`` is how long its answer may take.

        That time doubles with each that is not answered (section 8.3): an outage that ICE's consent still forgives
        must not use up the retransmissions.
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
        """Return the round trip that a HEARTBEAT ACK has measured, None when it answers nothing of ours."""
        if self._nonce is None or not hmac.compare_digest(info, self._nonce):
            return None
        self.record_acknowledgement(now)
        return now - self._sent_at
