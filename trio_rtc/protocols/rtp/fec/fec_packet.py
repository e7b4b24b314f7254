"""What FlexFEC and ULPFEC share: exclusive-or over packets, and what is a packet again of it.

Of each protected packet goes into the sum: the first two bytes of its header without the version, how long it is beyond
the fixed header, its timestamp, and everything behind the fixed header (RFC 5109 section 8.1, and the FlexFEC drafts).
Here that is one integer, the first byte the least significant, so that packets of different length line up and
trailing zeros cost nothing. Sequence number and source of a packet that is got back come from the mask.

Some header extension elements are written when a packet is on its way out (send time, transport-wide sequence number).
Their bytes count as zero on both sides.

The two formats differ in how they write down a :class:`FecPacket`: :mod:`.flexfec`, :mod:`.ulpfec`. What makes the rows
is :mod:`.erasure_encoder`, what gets packets back with them :mod:`.erasure_decoder`.
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.packet import HEADER_SIZE

# What of a packet precedes its body in the sum.
RECOVERY_HEADER: Final = struct.Struct("!BBHI")
_TIMESTAMP: Final = struct.Struct("!I")
_RTP_START: Final = struct.Struct("!BBHII")
_SEQUENCE_AND_SSRC: Final = struct.Struct("!2xH4xI")
_VERSION_2: Final = 0x80
_WITHOUT_VERSION: Final = 0x3F
_EXTENSION_BIT: Final = 0x10


class MediaKey(NamedTuple):
    """Which packet: its source and its sequence number of 16 bits."""

    ssrc: int
    sequence_number: int


class FecPacket(NamedTuple):
    """What one repair packet tells.

    Attributes:
        keys: Of the packets that it protects.
        bits: The sum over them.
        size: Bytes of its body.
    """

    keys: Sequence[MediaKey]
    bits: int
    size: int


def media_key(data: bytes) -> MediaKey:
    """Return which packet these bytes are.

    Raises:
        ProtocolError: There are too few bytes.
    """
    if len(data) < HEADER_SIZE:
        raise ProtocolError(f"{len(data)} bytes are too few for an RTP packet")
    sequence_number, ssrc = _SEQUENCE_AND_SSRC.unpack_from(data)
    return MediaKey(ssrc, sequence_number)


def media_bits(data: bytes) -> int:
    """Return what of a packet goes into the sum."""
    (timestamp,) = _TIMESTAMP.unpack_from(data, 4)
    head = RECOVERY_HEADER.pack(data[0] & _WITHOUT_VERSION, data[1], len(data) - HEADER_SIZE, timestamp)
    return int.from_bytes(head + data[HEADER_SIZE:], "little")


def repair_bits(first: int, second: int, length: int, timestamp: int, body: bytes) -> int:
    """Return the sum that the header fields of a repair packet and its body tell."""
    head = RECOVERY_HEADER.pack(first & _WITHOUT_VERSION, second, length, timestamp)
    return int.from_bytes(head + body, "little")


def split_bits(bits: int, size: int) -> tuple[int, int, int, int, bytes]:
    """Return the header fields and the body that a sum over packets is sent as.

    Args:
        bits: The sum.
        size: Bytes of the body: those of the longest packet beyond its fixed header.
    """
    data = bits.to_bytes(RECOVERY_HEADER.size + size, "little")
    first, second, length, timestamp = RECOVERY_HEADER.unpack_from(data)
    return first, second, length, timestamp, data[RECOVERY_HEADER.size :]


def restore_packet(bits: int, size: int, key: MediaKey) -> bytes:
    """Return the packet that is left of a sum.

    Args:
        bits: What is left.
        size: Bytes of the sum's body.
        key: Which packet it is.

    Raises:
        ProtocolError: It is not a packet: what it was got from does not belong together.
    """
    first, second, length, timestamp, body = split_bits(bits, size)
    if length > size or any(body[length:]):
        raise ProtocolError(f"a recovered packet of {length} bytes from a repair packet of {size}")
    return (
        _RTP_START.pack(first | _VERSION_2, second, key.sequence_number, timestamp, key.ssrc) + body[:length]
    )


def zero_elements(data: bytes, numbers: frozenset[int]) -> bytes:
    """Return the packet with the bytes of some header extension elements set to zero.

    Raises:
        ProtocolError: Its header runs over its end.
    """
    if not numbers or not data[0] & _EXTENSION_BIT:
        return data
    start = HEADER_SIZE + 4 * (data[0] & 0x0F)
    if len(data) < start + 4:
        raise ProtocolError("a header extension runs over the end of the packet")
    profile = int.from_bytes(data[start : start + 2], "big")
    offset = start + 4
    end = offset + 4 * int.from_bytes(data[start + 2 : offset], "big")
    if end > len(data):
        raise ProtocolError("a header extension runs over the end of the packet")
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
            # Padding between elements is one byte, whatever the form.
            offset += 1
            continue
        if body + length > end:
            raise ProtocolError(f"header extension element {number} runs over the end of the extension")
        if number in numbers:
            changed[body : body + length] = bytes(length)
        offset = body + length
    return bytes(changed)
