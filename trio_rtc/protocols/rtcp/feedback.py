"""Feedback messages: NACK and PLI (RFC 4585), FIR (RFC 5104) and REMB (draft-alvestrand-rmcat-remb-03).

Each begins with the SSRC of its sender and the SSRC of the media source.
"""

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError

from .framing import HEADER_SIZE, PacketType, add_header

SSRCS: Final = struct.Struct("!II")
_NACK_ENTRY: Final = struct.Struct("!HH")
_FIR_ENTRY: Final = struct.Struct("!IB3x")
_REMB: Final = struct.Struct("!4sI")
_REMB_NAME: Final = b"REMB"
_MANTISSA_BITS: Final = 18
_MAX_BITRATE: Final = (1 << 64) - 1
NACK_SPAN: Final = 17
"""Sequence numbers that one entry of a generic NACK covers."""


class TransportFeedbackFormat(IntEnum):
    """FMT values of RTPFB, packet type 205."""

    GENERIC_NACK = 1
    CONGESTION_CONTROL = 11
    TRANSPORT_WIDE = 15


class PayloadFeedbackFormat(IntEnum):
    """FMT values of PSFB, packet type 206."""

    PICTURE_LOSS = 1
    FULL_INTRA_REQUEST = 4
    APPLICATION = 15


@attrs.frozen
class GenericNack:
    """Generic NACK: requests retransmission of lost packets (RFC 4585 section 6.2.1).

    Attributes:
        entries: Pairs of a packet ID (PID) and a bitmask of following lost packets (BLP), whose lowest bit is PID + 1.
    """

    sender_ssrc: int
    media_ssrc: int
    entries: tuple[tuple[int, int], ...]

    @classmethod
    def build(
        cls, sender_ssrc: int, media_ssrc: int, sequence_numbers: Iterable[int], max_size: int
    ) -> list["GenericNack"]:
        """Build the NACKs for lost packets, each of at most ``max_size`` bytes.

        Args:
            sender_ssrc: The SSRC of the feedback's sender.
            media_ssrc: The source of the lost packets.
            sequence_numbers: Unwrapped or 16-bit sequence numbers in any order.
            max_size: Maximum bytes of a NACK, at least 16.
        """
        limit = (max_size - HEADER_SIZE - SSRCS.size) // _NACK_ENTRY.size
        if limit < 1:
            raise ValueError(f"max_size of a NACK must be at least 16, not {max_size}")
        entries: list[tuple[int, int]] = []
        first, mask = None, 0
        for number in sorted(set(sequence_numbers)):
            if first is not None and number - first < NACK_SPAN:
                mask |= 1 << number - first - 1
                continue
            if first is not None:
                entries.append((first & 0xFFFF, mask))
            first, mask = number, 0
        if first is not None:
            entries.append((first & 0xFFFF, mask))
        return [
            cls(sender_ssrc, media_ssrc, tuple(entries[start : start + limit]))
            for start in range(0, len(entries), limit)
        ]

    @property
    def sequence_numbers(self) -> list[int]:
        """The lost packets' 16-bit sequence numbers in the order of the entries, duplicates included."""
        return list(self.iter_sequence_numbers())

    def iter_sequence_numbers(self) -> Iterator[int]:
        """Yield ``sequence_numbers``: at most 17 for each entry."""
        for first, mask in self.entries:
            yield first
            yield from [(first + bit + 1) & 0xFFFF for bit in range(mask.bit_length()) if mask >> bit & 1]

    @classmethod
    def parse(cls, body: bytes) -> "GenericNack":
        """Parse the body of a packet."""
        sender_ssrc, media_ssrc = parse_ssrcs(body)
        if len(body) % _NACK_ENTRY.size:
            raise ProtocolError("NACK ends within an entry")
        return cls(sender_ssrc, media_ssrc, tuple(_NACK_ENTRY.iter_unpack(body[SSRCS.size :])))

    def encode(self) -> bytes:
        """Return the encoded packet."""
        entries = b"".join([_NACK_ENTRY.pack(*entry) for entry in self.entries])
        body = SSRCS.pack(self.sender_ssrc, self.media_ssrc) + entries
        return add_header(PacketType.TRANSPORT_FEEDBACK, TransportFeedbackFormat.GENERIC_NACK, body)


@attrs.frozen
class PictureLossIndication:
    """PLI: reports lost video frames, which a keyframe would repair (RFC 4585 section 6.3.1)."""

    sender_ssrc: int
    media_ssrc: int

    @classmethod
    def parse(cls, body: bytes) -> "PictureLossIndication":
        """Parse the body of a packet."""
        return cls(*parse_ssrcs(body))

    def encode(self) -> bytes:
        """Return the encoded packet."""
        body = SSRCS.pack(self.sender_ssrc, self.media_ssrc)
        return add_header(PacketType.PAYLOAD_FEEDBACK, PayloadFeedbackFormat.PICTURE_LOSS, body)


@attrs.frozen
class FullIntraRequest:
    """FIR: requests a keyframe (RFC 5104 section 4.3.1).

    Attributes:
        requests: Pairs of a media source and the 8-bit sequence number of the command, unchanged in a repeated command.
        media_ssrc: 0; ignored when parsed.
    """

    sender_ssrc: int
    requests: tuple[tuple[int, int], ...]
    media_ssrc: int = 0

    @classmethod
    def parse(cls, body: bytes) -> "FullIntraRequest":
        """Parse the body of a packet."""
        sender_ssrc, media_ssrc = parse_ssrcs(body)
        if len(body) % _FIR_ENTRY.size:
            raise ProtocolError("FIR ends within an entry")
        return cls(sender_ssrc, tuple(_FIR_ENTRY.iter_unpack(body[SSRCS.size :])), media_ssrc)

    def encode(self) -> bytes:
        """Return the encoded packet."""
        requests = b"".join([_FIR_ENTRY.pack(*request) for request in self.requests])
        body = SSRCS.pack(self.sender_ssrc, self.media_ssrc) + requests
        return add_header(PacketType.PAYLOAD_FEEDBACK, PayloadFeedbackFormat.FULL_INTRA_REQUEST, body)


@attrs.frozen
class ReceiverEstimatedMaximumBitrate:
    """REMB: the receiver's estimate of the path's capacity (draft-alvestrand-rmcat-remb-03 section 2.2).

    Attributes:
        bitrate: Bits per second, less than 2**64; encoded with 18 significant bits, rounded down.
        ssrcs: The sources that share the bitrate, at most 255.
        media_ssrc: 0; ignored when parsed.
    """

    sender_ssrc: int
    bitrate: int
    ssrcs: tuple[int, ...]
    media_ssrc: int = 0

    @classmethod
    def matches(cls, body: bytes) -> bool:
        """Return whether the body of application layer feedback is a REMB."""
        return body[SSRCS.size : SSRCS.size + 4] == _REMB_NAME

    @classmethod
    def parse(cls, body: bytes) -> "ReceiverEstimatedMaximumBitrate":
        """Parse the body of a packet."""
        sender_ssrc, media_ssrc = parse_ssrcs(body)
        start = SSRCS.size + _REMB.size
        if len(body) < start:
            raise ProtocolError(f"REMB has {len(body)} bytes, fewer than {start}")
        _, fields = _REMB.unpack_from(body, SSRCS.size)
        count = fields >> 24
        if len(body) - start < 4 * count:
            raise ProtocolError(f"REMB has {count} sources in {len(body) - start} bytes")
        bitrate = (fields & (1 << _MANTISSA_BITS) - 1) << (fields >> _MANTISSA_BITS & 0x3F)
        if bitrate > _MAX_BITRATE:
            raise ProtocolError(f"bitrate of a REMB is {bitrate} bit/s, more than {_MAX_BITRATE}")
        return cls(sender_ssrc, bitrate, struct.unpack_from(f"!{count}I", body, start), media_ssrc)

    def encode(self) -> bytes:
        """Return the encoded packet."""
        if not 0 <= self.bitrate <= _MAX_BITRATE or len(self.ssrcs) > 255:
            raise ValueError(
                f"a REMB must have a bitrate of 0 to {_MAX_BITRATE} bit/s and at most 255 sources,"
                f" not {self.bitrate} bit/s and {len(self.ssrcs)} sources"
            )
        exponent = max(self.bitrate.bit_length() - _MANTISSA_BITS, 0)
        fields = len(self.ssrcs) << 24 | exponent << _MANTISSA_BITS | self.bitrate >> exponent
        body = (
            SSRCS.pack(self.sender_ssrc, self.media_ssrc)
            + _REMB.pack(_REMB_NAME, fields)
            + struct.pack(f"!{len(self.ssrcs)}I", *self.ssrcs)
        )
        return add_header(PacketType.PAYLOAD_FEEDBACK, PayloadFeedbackFormat.APPLICATION, body)


def parse_ssrcs(body: bytes) -> tuple[int, int]:
    if len(body) < SSRCS.size:
        raise ProtocolError(f"RTCP feedback message has {len(body)} bytes, fewer than {SSRCS.size}")
    sender_ssrc, media_ssrc = SSRCS.unpack_from(body)
    return sender_ssrc, media_ssrc
