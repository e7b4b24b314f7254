"""Packets of another stream, given a place in ours: for those who forward without decoding.

Sequence numbers and timestamps go on without a gap when the source changes (another layer, another camera). Within one
source, gaps and reordering stay as they are: they are losses for the receiver to repair, and repairs that may come.
"""

import attrs

from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.packet.sequence_window import SequenceWindow
from trio_rtc.protocols.serial import serial_difference

_MAX_REORDERING = 512


@attrs.define
class _Source:
    """How the source that is forwarded at present maps to ours."""

    ssrc: int
    first: int
    highest: int
    sequence_offset: int
    timestamp_offset: int


class RtpForwarder:
    """Maps sequence numbers and timestamps of what is forwarded.

    Args:
        next_sequence_number: Where ours begins.
        timestamp: Where our timestamps begin.
    """

    def __init__(self, next_sequence_number: int, timestamp: int) -> None:
        self._next = next_sequence_number
        self._timestamp = timestamp
        self._timestamp_at: float | None = None
        self._source: _Source | None = None
        self._given = SequenceWindow(2 * _MAX_REORDERING)

    def rewrite(self, packet: RtpPacket, clock_rate: int, now: float) -> tuple[int, int] | None:
        """Return our sequence number, unwrapped, and timestamp for a packet.

        ``None`` for one from before the first packet of its source that was forwarded, and for one that was forwarded
        before: the same number must not be encrypted twice (RFC 3711 section 9.1), and repairs may bring packets again.
        """
        source = self._source
        if source is None or source.ssrc != packet.ssrc:
            source = self._switch(packet, clock_rate, now)
        step = serial_difference(packet.sequence_number, source.highest & 0xFFFF, 16)
        if abs(step) > _MAX_REORDERING:
            # The sender began anew, or so much was lost that nothing can be repaired.
            source = self._switch(packet, clock_rate, now)
            step = 0
        number = source.highest + step
        if number < source.first:
            # Its number is taken by the source before.
            return None
        source.highest = max(number, source.highest)
        ours = number + source.sequence_offset
        timestamp = (packet.timestamp + source.timestamp_offset) & 0xFFFFFFFF
        if not self._given.take(ours):
            return None
        if ours >= self._next:
            self._next = ours + 1
            self._timestamp, self._timestamp_at = timestamp, now
        return ours, timestamp

    def _switch(self, packet: RtpPacket, clock_rate: int, now: float) -> _Source:
        timestamp = self._timestamp
        if self._timestamp_at is not None:
            timestamp += max(1, round((now - self._timestamp_at) * clock_rate))
        self._source = _Source(
            packet.ssrc,
            packet.sequence_number,
            packet.sequence_number,
            self._next - packet.sequence_number,
            timestamp - packet.timestamp,
        )
        return self._source
