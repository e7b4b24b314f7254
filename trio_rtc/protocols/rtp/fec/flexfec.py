"""FlexFEC as in draft-ietf-payload-flexible-fec-scheme-03, the version that browsers implement.

An FEC packet is in a stream of its own. Its payload begins with the exclusive-or of header fields (8 bytes), a count of
SSRCs, three reserved bytes, and for each SSRC the SSRC, the sequence number base of its mask, and the mask: 15, 46 or
109 bits long, each part behind a bit that is 1 in the last part and 0 if another follows. The exclusive-or of the
bodies follows. RFC 8627, its successor, is different on the wire.

Not implemented: retransmission (R bit) and rectangular protection without a mask (F bit), which no known sender uses.
"""

import struct
from typing import Final

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.reader import Reader

from .fec_packet import FecPacket, MediaKey, fec_bits, split_bits

_FIXED: Final = struct.Struct("!BBHIB3x")
_SOURCE: Final = struct.Struct("!IH")
_RETRANSMISSION_OR_FIXED: Final = 0xC0
# Mask bits in each part, behind the bit that ends the mask; the last part has 64 bits.
_PARTS: Final = (15, 31, 63)
MAX_SPAN: Final = sum(_PARTS)
MAX_SOURCES: Final = 16


def parse_flexfec(payload: bytes) -> FecPacket:
    """Parse the payload of an FEC packet.

    Raises:
        ProtocolError: It is malformed, or of a kind that is not implemented.
    """
    reader = Reader(payload)
    first, second, length, timestamp, source_count = _FIXED.unpack(reader.read(_FIXED.size))
    if first & _RETRANSMISSION_OR_FIXED:
        raise ProtocolError("a FlexFEC packet must have a mask (R and F bits 0)")
    if not 1 <= source_count <= MAX_SOURCES:
        raise ProtocolError(f"a FlexFEC packet must protect 1 to {MAX_SOURCES} SSRCs, not {source_count}")
    keys: list[MediaKey] = []
    ssrcs: set[int] = set()
    for _ in range(source_count):
        ssrc, base = _SOURCE.unpack(reader.read(_SOURCE.size))
        if ssrc in ssrcs:
            # Repeated SSRCs would cost an exclusive-or over all their packets for a few bytes.
            raise ProtocolError(f"a FlexFEC packet must not name an SSRC twice: {ssrc}")
        ssrcs.add(ssrc)
        keys += [MediaKey(ssrc, (base + offset) & 0xFFFF) for offset in _read_mask(reader)]
    if not keys:
        raise ProtocolError("the masks of a FlexFEC packet must name at least one packet")
    body = reader.rest()
    return FecPacket(keys, fec_bits(first, second, length, timestamp, body), len(body))


def build_flexfec(packet: FecPacket) -> bytes:
    """Return the payload of an FEC packet.

    Raises:
        ValueError: The packets are too far from each other, or of too many SSRCs, for a mask.
    """
    first, second, length, timestamp, body = split_bits(packet.bits, packet.size)
    sources: dict[int, list[int]] = {}
    for key in packet.keys:
        sources.setdefault(key.ssrc, []).append(key.sequence_number)
    if not 1 <= len(sources) <= MAX_SOURCES:
        raise ValueError(f"a FlexFEC packet can protect 1 to {MAX_SOURCES} SSRCs, not {len(sources)}")
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
    raise ProtocolError("the last part of a FlexFEC mask must have its end bit set")


def _build_mask(offsets: list[int]) -> bytes:
    last = max(offsets)
    if last >= MAX_SPAN:
        raise ValueError(f"the packets of a FlexFEC packet must be less than {MAX_SPAN} apart, not {last}")
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
