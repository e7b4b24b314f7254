"""Sender and receiver reports (RFC 3550 section 6.4). Profile-specific extensions are ignored."""

import struct
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .framing import PacketType, add_header

_SSRC: Final = struct.Struct("!I")
_SENDER_INFO: Final = struct.Struct("!IQIII")
_BLOCK: Final = struct.Struct("!IIIIII")
_MIN_LOST: Final = -(1 << 23)
_MAX_LOST: Final = (1 << 23) - 1


@attrs.frozen
class ReportBlock:
    """Reception statistics of one source.

    Attributes:
        fraction_lost: Packets lost since the last report, in units of 1/256.
        cumulative_lost: Packets lost since the beginning, negative with duplicates; encoded clamped to 24 bits.
        highest_sequence_number: The highest sequence number received (lower 16 bits) and its cycles (upper 16 bits).
        jitter: Interarrival jitter in units of the RTP timestamp.
        last_sender_report: The middle 32 bits of the NTP timestamp of the last sender report, 0 if there was none.
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
    """SR.

    Attributes:
        ntp_timestamp: The time of sending, 64 bits.
        rtp_timestamp: The same time in units of the RTP timestamp.
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
        """Parse the body of a packet."""
        if len(body) < _SENDER_INFO.size:
            raise ProtocolError(f"sender report has {len(body)} bytes, fewer than {_SENDER_INFO.size}")
        ssrc, ntp_timestamp, rtp_timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
        blocks = _parse_blocks(count, body, _SENDER_INFO.size)
        return cls(ssrc, ntp_timestamp, rtp_timestamp, packets, octets, blocks)

    def encode(self) -> bytes:
        """Return the encoded packet."""
        info = _SENDER_INFO.pack(
            self.ssrc, self.ntp_timestamp, self.rtp_timestamp, self.packet_count, self.octet_count
        )
        body = info + b"".join([block.encode() for block in self.blocks])
        return add_header(PacketType.SENDER_REPORT, len(self.blocks), body)


@attrs.frozen
class ReceiverReport:
    """RR, with at most 31 blocks."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()

    @classmethod
    def parse(cls, count: int, body: bytes) -> "ReceiverReport":
        """Parse the body of a packet."""
        if len(body) < _SSRC.size:
            raise ProtocolError(f"receiver report has {len(body)} bytes, fewer than {_SSRC.size}")
        (ssrc,) = _SSRC.unpack_from(body)
        return cls(ssrc, _parse_blocks(count, body, _SSRC.size))

    def encode(self) -> bytes:
        """Return the encoded packet."""
        body = _SSRC.pack(self.ssrc) + b"".join([block.encode() for block in self.blocks])
        return add_header(PacketType.RECEIVER_REPORT, len(self.blocks), body)


def _parse_blocks(count: int, body: bytes, offset: int) -> tuple[ReportBlock, ...]:
    if len(body) - offset < count * _BLOCK.size:
        raise ProtocolError(f"RTCP report has {count} report blocks in {len(body) - offset} bytes")
    blocks = []
    for start in range(offset, offset + count * _BLOCK.size, _BLOCK.size):
        ssrc, loss, *others = _BLOCK.unpack_from(body, start)
        lost = loss & 0xFF_FFFF
        blocks.append(ReportBlock(ssrc, loss >> 24, lost - (1 << 24) if lost > _MAX_LOST else lost, *others))
    return tuple(blocks)
