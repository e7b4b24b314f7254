"""FlexFEC as it was in draft-ietf-payload-flexible-fec-scheme-03, which is what browsers speak.

A repair packet is in a stream of its own. Its payload begins with the sums over header fields (8 bytes), a count of
sources, three reserved bytes, and for each source its number, the sequence number that its mask counts from, and the
mask: 15, 46 or 109 bits long, each part behind a bit that says whether it is the last one (1) or another follows (0).
The sum over the bodies follows. RFC 8627, which came of it, is different on the wire.

Left out: retransmission (R bit) and rectangular protection without a mask (F bit), which nobody sends.
"""

import struct
from typing import Final

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.reader import Reader

from .fec_packet import FecPacket, MediaKey, repair_bits, split_bits

_FIXED: Final = struct.Struct("!BBHIB3x")
_SOURCE: Final = struct.Struct("!IH")
_RETRANSMISSION_OR_FIXED: Final = 0xC0
# Bits of the mask in each of its parts, behind the bit that ends it; the last part fills 64 bits.
_PARTS: Final = (15, 31, 63)
MAX_SPAN: Final = sum(_PARTS)
MAX_SOURCES: Final = 16


def parse_flexfec(payload: bytes) -> FecPacket:
    """Return what the payload of a repair packet tells.

    Raises:
        ProtocolError: It is malformed, or of a kind that is left out.
    """
    reader = Reader(payload)
    first, second, length, timestamp, source_count = _FIXED.unpack(reader.read(_FIXED.size))
    if first & _RETRANSMISSION_OR_FIXED:
        raise ProtocolError("a FlexFEC packet without a mask")
    if not 1 <= source_count <= MAX_SOURCES:
        raise ProtocolError(f"a FlexFEC packet protects {source_count} sources")
    keys: list[MediaKey] = []
    ssrcs: set[int] = set()
    for _ in range(source_count):
        ssrc, base = _SOURCE.unpack(reader.read(_SOURCE.size))
        if ssrc in ssrcs:
            # The same packets again would cost sums over all of them, from a few bytes.
            raise ProtocolError("a FlexFEC packet protects a source twice")
        ssrcs.add(ssrc)
        keys += [MediaKey(ssrc, (base + offset) & 0xFFFF) for offset in _read_mask(reader)]
    if not keys:
        raise ProtocolError("a FlexFEC packet protects nothing")
    body = reader.rest()
    return FecPacket(keys, repair_bits(first, second, length, timestamp, body), len(body))


def build_flexfec(row: FecPacket) -> bytes:
    """Return the payload of a repair packet.

    Raises:
        ValueError: The packets are too far from each other, or of too many sources, for a mask.
    """
    first, second, length, timestamp, body = split_bits(row.bits, row.size)
    sources: dict[int, list[int]] = {}
    for key in row.keys:
        sources.setdefault(key.ssrc, []).append(key.sequence_number)
    if not 1 <= len(sources) <= MAX_SOURCES:
        raise ValueError(f"{len(sources)} sources in a FlexFEC packet")
    parts = [_FIXED.pack(first, second, length, timestamp, len(sources))]
    for ssrc, numbers in sources.items():
        base = numbers[0]
        parts.append(_SOURCE.pack(ssrc, base))
        parts.append(_build_mask([(number - base) & 0xFFFF for number in numbers]))
    parts.append(body)
    return b"".join(parts)


def _read_mask(reader: Reader) -> list[int]:
    offsets: list[int] = []
    start = 0
    for part in _PARTS:
        value = reader.read_integer((part + 1) // 8)
        offsets += [start + bit for bit in range(part) if value >> (part - 1 - bit) & 1]
        start += part
        if value >> part:
            return offsets
    raise ProtocolError("the mask of a FlexFEC packet does not end")


def _build_mask(offsets: list[int]) -> bytes:
    last = max(offsets)
    if last >= MAX_SPAN:
        raise ValueError(f"packets {last} apart in a FlexFEC packet")
    encoded = b""
    start = 0
    for part in _PARTS:
        value = 0
        for offset in offsets:
            if start <= offset < start + part:
                value |= 1 << (part - 1 - (offset - start))
        start += part
        if last < start:
            return encoded + (1 << part | value).to_bytes((part + 1) // 8, "big")
        encoded += value.to_bytes((part + 1) // 8, "big")
    raise AssertionError("a mask ends with its last part")
