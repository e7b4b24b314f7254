"""What the way to us carries, for peers that cannot estimate it themselves (draft-alvestrand-rmcat-remb-03).

A sender without transport-wide feedback learns from receiver reports only of loss. It stamps its packets with the time
at which they leave, though, and so the same estimator that a sender has can run at the receiving end: each packet is
sent and acknowledged in one go. What comes out is told in REMB, once a second, and at once when it has fallen.
"""

import math

from trio_rtc.protocols.bandwidth_estimation import BandwidthEstimationOptions, BandwidthEstimator
from trio_rtc.protocols.rtp.packet.extensions import SEND_TIME_UNITS
from trio_rtc.protocols.serial import Unwrapper

_SEND_TIME_BITS = 24
_INTERVAL = 1.0
_WORTH_TELLING = 0.97
_BATCH = 0.02
"""Seconds of packets that are looked at together."""
_MAX_BATCH = 256
_MAX_SHIFT = 10.0
"""Seconds by which the sender's clock may have moved against ours before everything begins anew."""


class RemoteBitrateEstimator:
    """Estimates the bitrate of what comes.

    Args:
        options: Of congestion control.
    """

    def __init__(self, options: BandwidthEstimationOptions) -> None:
        self._options = options
        self._estimator = BandwidthEstimator(options, probing=False)
        self._send_times = Unwrapper(_SEND_TIME_BITS)
        self._offset: float | None = None
        self._next = 0
        self._arrived: list[tuple[int, float | None]] = []
        self._told: float | None = None
        self._told_at = -math.inf

    def packet_arrived(self, send_time: int, size: int, now: float) -> None:
        """Take a packet.

        Args:
            send_time: As its header extension says, 24 bits.
            size: What it took on the wire, in bytes.
            now: When it came.
        """
        sent = self._send_times.unwrap(send_time) / SEND_TIME_UNITS
        if self._offset is None or abs(sent + self._offset - now) > _MAX_SHIFT:
            # The clock is the sender's; only its differences matter. It is laid on ours at the first packet.
            self._offset = now - sent
        self._estimator.packet_sent(self._next, size, sent + self._offset)
        self._arrived.append((self._next, now))
        self._next += 1
        if now - (self._arrived[0][1] or now) >= _BATCH or len(self._arrived) >= _MAX_BATCH:
            self._estimate(now)

    def take(self, now: float) -> int | None:
        """Return the bitrate to tell now, in bits a second; ``None`` if there is none to tell."""
        if not self._next or (self._told is not None and now < self._told_at + _INTERVAL):
            fallen = self._told is not None and self.bitrate < self._told * _WORTH_TELLING
            if not fallen:
                return None
        self._told, self._told_at = self.bitrate, now
        return int(self._told)

    @property
    def bitrate(self) -> float:
        """The estimate, in bits a second."""
        return self._estimator.target_bitrate

    def _estimate(self, now: float) -> None:
        arrived, self._arrived = self._arrived, []
        self._estimator.feedback_received(arrived, 0.0, now)
