"""Feedback on lost packets and pictures (RFC 4585, RFC 5104), and the receiver's estimate of the bitrate.

Every one of them begins with who sends it and which source it is about.
"""

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final

import attrs

from trio_rtc.errors import ProtocolError

from .framing import HEADER_SIZE, PacketType, frame

SSRCS: Final = struct.Struct("!II")
_NACK_ENTRY: Final = struct.Struct("!HH")
_FIR_ENTRY: Final = struct.Struct("!IB3x")
_REMB: Final = struct.Struct("!4sI")
_REMB_NAME: Final = b"REMB"
_MANTISSA_BITS: Final = 18
_MAX_BITRATE: Final = (1 << 64) - 1
NACK_SPAN: Final = 17
"""Sequence numbers that one entry of a generic NACK can hold."""


class TransportFormat(IntEnum):
    """FMT values of packet type 205."""

    GENERIC_NACK = 1
    CONGESTION_CONTROL = 11
    TRANSPORT_WIDE = 15


class PayloadFormat(IntEnum):
    """FMT values of packet type 206."""

    PICTURE_LOSS = 1
    FULL_INTRA_REQUEST = 4
    APPLICATION = 15


@attrs.frozen
class GenericNack:
    """Asks for lost packets again (RFC 4585 section 6.2.1).

    Attributes:
        sender_ssrc: Who asks.
        media_ssrc: The source whose packets are missed.
        entries: A sequence number that is missed, and 16 bits for the ones after it, the lowest for the next.
    """

    sender_ssrc: int
    media_ssrc: int
    entries: tuple[tuple[int, int], ...]

    @classmethod
    def build(
        cls, sender_ssrc: int, media_ssrc: int, sequence_numbers: Iterable[int], max_size: int
    ) -> list["GenericNack"]:
        """Ask for packets, in as many NACKs as it takes so that none is larger than ``max_size`` bytes.

        Args:
            sender_ssrc: Who asks.
            media_ssrc: The source whose packets are missed.
            sequence_numbers: Unwrapped or of 16 bits, in any order.
            max_size: At least 16.
        """
        limit = (max_size - HEADER_SIZE - SSRCS.size) // _NACK_ENTRY.size
        if limit < 1:
            raise ValueError(f"a NACK does not fit {max_size} bytes")
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
        """What is asked for, 16 bits each, at most 17 for each entry, duplicates as they come."""
        return list(self.numbers())

    def numbers(self) -> Iterator[int]:
        """Yield ``sequence_numbers``."""
        for first, mask in self.entries:
            yield first
            yield from [(first + bit + 1) & 0xFFFF for bit in range(mask.bit_length()) if mask >> bit & 1]

    @classmethod
    def parse(cls, body: bytes) -> "GenericNack":
        """Read the body of a packet."""
        sender_ssrc, media_ssrc = parse_ssrcs(body)
        if len(body) % _NACK_ENTRY.size:
            raise ProtocolError("a NACK ends within an entry")
        return cls(sender_ssrc, media_ssrc, tuple(_NACK_ENTRY.iter_unpack(body[SSRCS.size :])))

    def encode(self) -> bytes:
        """Return the packet."""
        entries = b"".join([_NACK_ENTRY.pack(*entry) for entry in self.entries])
        body = SSRCS.pack(self.sender_ssrc, self.media_ssrc) + entries
        return frame(PacketType.TRANSPORT_FEEDBACK, TransportFormat.GENERIC_NACK, body)


@attrs.frozen
class PictureLossIndication:
    """PLI: pictures were lost, a keyframe would help (RFC 4585 section 6.3.1).

    Attributes:
        sender_ssrc: Who asks.
        media_ssrc: The source of the pictures.
    """

    sender_ssrc: int
    media_ssrc: int

    @classmethod
    def parse(cls, body: bytes) -> "PictureLossIndication":
        """Read the body of a packet."""
        return cls(*parse_ssrcs(body))

    def encode(self) -> bytes:
        """Return the packet."""
        body = SSRCS.pack(self.sender_ssrc, self.media_ssrc)
        return frame(PacketType.PAYLOAD_FEEDBACK, PayloadFormat.PICTURE_LOSS, body)


@attrs.frozen
class FullIntraRequest:
    """FIR: a keyframe is wanted (RFC 5104 section 4.3.1).

    Attributes:
        sender_ssrc: Who asks.
        requests: The sources that are asked, each with the number of the command (8 bits), the same when one is
            repeated.
        media_ssrc: 0, and not looked at.
    """

    sender_ssrc: int
    requests: tuple[tuple[int, int], ...]
    media_ssrc: int = 0

    @classmethod
    def parse(cls, body: bytes) -> "FullIntraRequest":
        """Read the body of a packet."""
        sender_ssrc, media_ssrc = parse_ssrcs(body)
        if len(body) % _FIR_ENTRY.size:
            raise ProtocolError("a full intra request ends within an entry")
        return cls(sender_ssrc, tuple(_FIR_ENTRY.iter_unpack(body[SSRCS.size :])), media_ssrc)

    def encode(self) -> bytes:
        """Return the packet."""
        requests = b"".join([_FIR_ENTRY.pack(*request) for request in self.requests])
        body = SSRCS.pack(self.sender_ssrc, self.media_ssrc) + requests
        return frame(PacketType.PAYLOAD_FEEDBACK, PayloadFormat.FULL_INTRA_REQUEST, body)


@attrs.frozen
class ReceiverEstimatedMaximumBitrate:
    """REMB: what the receiver believes the way to it carries (draft-alvestrand-rmcat-remb-03 section 2.2).

    Attributes:
        sender_ssrc: Who estimates.
        bitrate: Bits per second, under 2**64; written rounded down to 18 significant bits.
        ssrcs: The sources that share it, at most 255.
        media_ssrc: 0, and not looked at.
    """

    sender_ssrc: int
    bitrate: int
    ssrcs: tuple[int, ...]
    media_ssrc: int = 0

    @classmethod
    def is_in(cls, body: bytes) -> bool:
        """Return whether application layer feedback is a REMB."""
        return body[SSRCS.size : SSRCS.size + 4] == _REMB_NAME

    @classmethod
    def parse(cls, body: bytes) -> "ReceiverEstimatedMaximumBitrate":
        """Read the body of a packet."""
        sender_ssrc, media_ssrc = parse_ssrcs(body)
        start = SSRCS.size + _REMB.size
        if len(body) < start:
            raise ProtocolError("a REMB is too short")
        _, fields = _REMB.unpack_from(body, SSRCS.size)
        count = fields >> 24
        if len(body) - start < 4 * count:
            raise ProtocolError(f"a REMB with {count} sources is too short")
        bitrate = (fields & (1 << _MANTISSA_BITS) - 1) << (fields >> _MANTISSA_BITS & 0x3F)
        if bitrate > _MAX_BITRATE:
            raise ProtocolError("the bitrate of a REMB is out of range")
        return cls(sender_ssrc, bitrate, struct.unpack_from(f"!{count}I", body, start), media_ssrc)

    def encode(self) -> bytes:
        """Return the packet."""
        if not 0 <= self.bitrate <= _MAX_BITRATE or len(self.ssrcs) > 255:
            raise ValueError(f"{self.bitrate} bit/s for {len(self.ssrcs)} sources do not fit a REMB")
        exponent = max(self.bitrate.bit_length() - _MANTISSA_BITS, 0)
        fields = len(self.ssrcs) << 24 | exponent << _MANTISSA_BITS | self.bitrate >> exponent
        body = (
            SSRCS.pack(self.sender_ssrc, self.media_ssrc)
            + _REMB.pack(_REMB_NAME, fields)
            + struct.pack(f"!{len(self.ssrcs)}I", *self.ssrcs)
        )
        return frame(PacketType.PAYLOAD_FEEDBACK, PayloadFormat.APPLICATION, body)


def parse_ssrcs(body: bytes) -> tuple[int, int]:
    """Return who sends a feedback packet and which source it is about."""
    if len(body) < SSRCS.size:
        raise ProtocolError("a feedback packet is too short")
    sender_ssrc, media_ssrc = SSRCS.unpack_from(body)
    return sender_ssrc, media_ssrc
