"""Sender and receiver reports (RFC 3550 section 6.4)."""

import struct
from typing import Final

import attrs

from trio_rtc.errors import ProtocolError

from .framing import PacketType, frame

_SSRC: Final = struct.Struct("!I")
_SENDER_INFO: Final = struct.Struct("!IQIII")
_BLOCK: Final = struct.Struct("!IIIIII")
_MIN_LOST: Final = -(1 << 23)
_MAX_LOST: Final = (1 << 23) - 1


@attrs.frozen
class ReportBlock:
    """What a receiver tells of one source.

    Attributes:
        ssrc: The source.
        fraction_lost: Of the packets since the last report, how many in 256 were lost.
        cumulative_lost: Packets lost since the beginning, negative when there were duplicates; written clamped to 24
            bits.
        highest_sequence_number: The highest received in its lower 16 bits, in the upper ones how often it wrapped.
        jitter: Of the arrival, in units of the RTP timestamp.
        last_sender_report: The middle 32 bits of the NTP timestamp in the last sender report, 0 if there was none.
        delay_since_last_sender_report: Units of 1/65536 second.
    """

    ssrc: int
    fraction_lost: int = 0
    cumulative_lost: int = 0
    highest_sequence_number: int = 0
    jitter: int = 0
    last_sender_report: int = 0
    delay_since_last_sender_report: int = 0

    def encode(self) -> bytes:
        """Return the 24 bytes of the block."""
        lost = min(max(self.cumulative_lost, _MIN_LOST), _MAX_LOST) & 0xFF_FFFF
        return _BLOCK.pack(
            self.ssrc,
            self.fraction_lost << 24 | lost,
            self.highest_sequence_number,
            self.jitter,
            self.last_sender_report,
            self.delay_since_last_sender_report,
        )


@attrs.frozen
class SenderReport:
    """SR. What may follow the blocks (a profile's own part) is not read.

    Attributes:
        ssrc: The source that sends.
        ntp_timestamp: When this was sent, 64 bits.
        rtp_timestamp: The same moment in units of the RTP timestamp.
        packet_count: Packets sent so far, 32 bits.
        octet_count: Bytes of payload sent so far, 32 bits.
        blocks: At most 31.
    """

    ssrc: int
    ntp_timestamp: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    blocks: tuple[ReportBlock, ...] = ()

    @classmethod
    def parse(cls, count: int, body: bytes) -> "SenderReport":
        """Read the body of a packet."""
        if len(body) < _SENDER_INFO.size:
            raise ProtocolError("a sender report is too short")
        ssrc, ntp_timestamp, rtp_timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
        blocks = _parse_blocks(count, body, _SENDER_INFO.size)
        return cls(ssrc, ntp_timestamp, rtp_timestamp, packets, octets, blocks)

    def encode(self) -> bytes:
        """Return the packet."""
        info = _SENDER_INFO.pack(
            self.ssrc, self.ntp_timestamp, self.rtp_timestamp, self.packet_count, self.octet_count
        )
        body = info + b"".join([block.encode() for block in self.blocks])
        return frame(PacketType.SENDER_REPORT, len(self.blocks), body)


@attrs.frozen
class ReceiverReport:
    """RR. What may follow the blocks (a profile's own part) is not read.

    Attributes:
        ssrc: Who reports.
        blocks: At most 31.
    """

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()

    @classmethod
    def parse(cls, count: int, body: bytes) -> "ReceiverReport":
        """Read the body of a packet."""
        if len(body) < _SSRC.size:
            raise ProtocolError("a receiver report is too short")
        (ssrc,) = _SSRC.unpack_from(body)
        return cls(ssrc, _parse_blocks(count, body, _SSRC.size))

    def encode(self) -> bytes:
        """Return the packet."""
        body = _SSRC.pack(self.ssrc) + b"".join([block.encode() for block in self.blocks])
        return frame(PacketType.RECEIVER_REPORT, len(self.blocks), body)


def _parse_blocks(count: int, body: bytes, offset: int) -> tuple[ReportBlock, ...]:
    if len(body) - offset < count * _BLOCK.size:
        raise ProtocolError(f"{count} report blocks in {len(body) - offset} bytes")
    blocks = []
    for start in range(offset, offset + count * _BLOCK.size, _BLOCK.size):
        ssrc, loss, *others = _BLOCK.unpack_from(body, start)
        lost = loss & 0xFF_FFFF
        blocks.append(ReportBlock(ssrc, loss >> 24, lost - (1 << 24) if lost > _MAX_LOST else lost, *others))
    return tuple(blocks)
