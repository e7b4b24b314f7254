"""The common part of FlexFEC and ULPFEC: the exclusive-or over packets, and the recovery of a packet from it.

The bit string of a protected packet consists of the first two bytes of its header without the version, its length
beyond the fixed header, its timestamp, and all bytes behind the fixed header (RFC 5109 section 8.1, and the FlexFEC
drafts). Here it is one integer with the first byte least significant, so that packets of different length are aligned
and trailing zeros cost nothing. The sequence number and SSRC of a recovered packet come from the mask.

Some header extension elements are written when a packet is sent (send time, transport-wide sequence number). Their
bytes count as zero on both sides.

The two formats differ in the encoding of a :class:`FecPacket`: :mod:`.flexfec`, :mod:`.ulpfec`. FEC packets are made by
:mod:`.encoder` and used by :mod:`.decoder`.
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.packet import HEADER_SIZE

# The part of the bit string that precedes the body of a packet.
RECOVERY_HEADER: Final = struct.Struct("!BBHI")
_TIMESTAMP: Final = struct.Struct("!I")
_RTP_START: Final = struct.Struct("!BBHII")
_SEQUENCE_AND_SSRC: Final = struct.Struct("!2xH4xI")
_VERSION_2: Final = 0x80
_WITHOUT_VERSION: Final = 0x3F
_EXTENSION_BIT: Final = 0x10


class MediaKey(NamedTuple):
    """The identity of a packet: its SSRC and its sequence number of 16 bits."""

    ssrc: int
    sequence_number: int


class FecPacket(NamedTuple):
    """The content of an FEC packet.

    Attributes:
        bits: The exclusive-or of their bit strings.
        size: The size of its body in bytes.
    """

    keys: Sequence[MediaKey]
    bits: int
    size: int


def media_key(data: bytes) -> MediaKey:
    """Return the identity of a packet.

    Raises:
        ProtocolError: The packet is shorter than an RTP header.
    """
    if len(data) < HEADER_SIZE:
        raise ProtocolError(f"an RTP packet must have at least {HEADER_SIZE} bytes, not {len(data)}")
    sequence_number, ssrc = _SEQUENCE_AND_SSRC.unpack_from(data)
    return MediaKey(ssrc, sequence_number)


def media_bits(data: bytes) -> int:
    (timestamp,) = _TIMESTAMP.unpack_from(data, 4)
    head = RECOVERY_HEADER.pack(data[0] & _WITHOUT_VERSION, data[1], len(data) - HEADER_SIZE, timestamp)
    return int.from_bytes(head + data[HEADER_SIZE:], "little")


def fec_bits(first: int, second: int, length: int, timestamp: int, body: bytes) -> int:
    """Return the exclusive-or of the protected packets from the header fields and the body of an FEC packet."""
    head = RECOVERY_HEADER.pack(first & _WITHOUT_VERSION, second, length, timestamp)
    return int.from_bytes(head + body, "little")


def split_bits(bits: int, size: int) -> tuple[int, int, int, int, bytes]:
    """Return the header fields and the body of an FEC packet.

    ``size`` is that of the longest packet beyond its fixed header, in bytes.
    """
    data = bits.to_bytes(RECOVERY_HEADER.size + size, "little")
    first, second, length, timestamp = RECOVERY_HEADER.unpack_from(data)
    return first, second, length, timestamp, data[RECOVERY_HEADER.size :]


def restore_packet(bits: int, size: int, key: MediaKey) -> bytes:
    """Return the packet of a bit string.

    Args:
        bits: The bit string.
        size: The size of the FEC packet's body in bytes.
        key: The identity of the packet.

    Raises:
        ProtocolError: It is not a packet: the packets that it was recovered from do not belong together.
    """
    first, second, length, timestamp, body = split_bits(bits, size)
    if length > size or any(body[length:]):
        raise ProtocolError(f"a packet of {length} bytes cannot be recovered from an FEC packet of {size}")
    return (
        _RTP_START.pack(first | _VERSION_2, second, key.sequence_number, timestamp, key.ssrc) + body[:length]
    )


def zero_elements(data: bytes, numbers: frozenset[int]) -> bytes:
    """Return the packet with the bytes of some header extension elements set to zero.

    Raises:
        ProtocolError: Its header exceeds the packet.
    """
    if not numbers or not data[0] & _EXTENSION_BIT:
        return data
    start = HEADER_SIZE + 4 * (data[0] & 0x0F)
    if len(data) < start + 4:
        raise ProtocolError("an RTP header extension exceeds the packet")
    profile = int.from_bytes(data[start : start + 2], "big")
    offset = start + 4
    end = offset + 4 * int.from_bytes(data[start + 2 : offset], "big")
    if end > len(data):
        raise ProtocolError("an RTP header extension exceeds the packet")
    if profile != 0xBEDE and profile & 0xFFF0 != 0x1000:
        return data
    changed = bytearray(data)
    while offset < end:
        head = data[offset]
        if profile == 0xBEDE:
            number, length, body = head >> 4, (head & 0x0F) + 1, offset + 1
            if number == 15:
                break
        else:
            number, length, body = head, data[offset + 1] if head and offset + 1 < end else 0, offset + 2
        if not head:
            # Padding between elements is one byte in both forms.
            offset += 1
            continue
        if body + length > end:
            raise ProtocolError(f"header extension element {number} exceeds the extension")
        if number in numbers:
            changed[body : body + length] = bytes(length)
        offset = body + length
    return bytes(changed)
