"""Packets of another stream as packets of ours, for applications that forward without decoding.

Sequence numbers and timestamps continue without a gap when the source changes (another layer, another camera). Within a
source, gaps and reordering stay as they are: the receiver requests the lost packets, and they may arrive later.
"""

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.rtp.packet.packet import RtpPacket
from trio_rtc.protocols.rtp.packet.sequence_numbers import SequenceWindow
from trio_rtc.protocols.serial import serial_difference

_MAX_REORDERING = 512


@attrs.define
class _Source:
    """The mapping of the SSRC that is forwarded at present."""

    ssrc: int
    first: int
    highest: int
    sequence_offset: int
    timestamp_offset: int


class RtpForwarder:
    """Maps the sequence numbers and timestamps of forwarded packets.

    Args:
        next_sequence_number: The first sequence number of ours.
        timestamp: The first timestamp of ours.
    """

    def __init__(self, next_sequence_number: int, timestamp: int) -> None:
        self._next = next_sequence_number
        self._timestamp = timestamp
        self._timestamp_at: float | None = None
        self._source: _Source | None = None
        self._used = SequenceWindow(2 * _MAX_REORDERING)

    def rewrite(self, packet: RtpPacket, clock_rate: int, now: float) -> tuple[int, int] | None:
        """Return our unwrapped sequence number and our timestamp for a packet.

        Returns:
            ``None`` for a packet from before the first forwarded one of its source, and for one that was forwarded
            before: RTX may deliver packets twice, and SRTP must not encrypt two packets with the same number (RFC 3711
            section 9.1).
        """
        source = self._source
        if source is None or source.ssrc != packet.ssrc:
            source = self._switch(packet, clock_rate, now)
        step = serial_difference(packet.sequence_number, source.highest & 0xFFFF, 16)
        if abs(step) > _MAX_REORDERING:
            # The sender has restarted, or so many packets are lost that they cannot be retransmitted.
            source = self._switch(packet, clock_rate, now)
            step = 0
        number = source.highest + step
        if number < source.first:
            # Its number was used for the source before.
            return None
        source.highest = max(number, source.highest)
        ours = number + source.sequence_offset
        timestamp = (packet.timestamp + source.timestamp_offset) & 0xFFFFFFFF
        if not self._used.add(ours):
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
