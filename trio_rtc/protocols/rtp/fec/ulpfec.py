"""ULPFEC (RFC 5109) in RED (RFC 2198), as browsers use it for video.

Every packet of the stream has RED's payload type and one block: of the codec's payload type, or of ULPFEC's. Media and
FEC packets share a stream and its sequence numbers. FEC protects the packets without RED.

Not implemented: levels of protection beyond the first, and several blocks in a payload, which no known sender uses.
"""

import struct
from typing import Final

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.packet import HEADER_SIZE

from .fec_packet import FecPacket, MediaKey, fec_bits, split_bits

_HEADER: Final = struct.Struct("!BBHIH")
_LEVEL: Final = struct.Struct("!H")
_EXTENDED: Final = 0x80
_LONG_MASK: Final = 0x40
_SHORT_BITS: Final = 16
_LONG_BITS: Final = 48
MAX_SPAN: Final = _LONG_BITS
_MORE_BLOCKS: Final = 0x80


def parse_ulpfec(payload: bytes, ssrc: int) -> FecPacket:
    """Parse the payload of an FEC packet, unpacked from RED.

    Raises:
        ProtocolError: It is malformed.
    """
    if len(payload) < _HEADER.size + _LEVEL.size:
        raise ProtocolError(
            f"a ULPFEC packet must have at least {_HEADER.size + _LEVEL.size} bytes, not {len(payload)}"
        )
    first, second, base, timestamp, length = _HEADER.unpack_from(payload)
    if first & _EXTENDED:
        raise ProtocolError("the E bit of a ULPFEC packet must be 0")
    (size,) = _LEVEL.unpack_from(payload, _HEADER.size)
    mask_bits = _LONG_BITS if first & _LONG_MASK else _SHORT_BITS
    mask_start = _HEADER.size + _LEVEL.size
    start = mask_start + mask_bits // 8
    if len(payload) < start + size:
        raise ProtocolError(
            f"a ULPFEC packet of {len(payload)} bytes is too short for its protection length {size}"
        )
    mask = int.from_bytes(payload[mask_start:start], "big")
    keys = [
        MediaKey(ssrc, (base + bit) & 0xFFFF) for bit in range(mask_bits) if mask >> (mask_bits - 1 - bit) & 1
    ]
    if not keys:
        raise ProtocolError("the mask of a ULPFEC packet must name at least one packet")
    return FecPacket(keys, fec_bits(first, second, length, timestamp, payload[start : start + size]), size)


def build_ulpfec(packet: FecPacket) -> bytes:
    """Return the payload of an FEC packet, without RED.

    Raises:
        ValueError: The packets are too far from each other for a mask.
    """
    first, second, length, timestamp, body = split_bits(packet.bits, packet.size)
    base = packet.keys[0].sequence_number
    offsets = [(key.sequence_number - base) & 0xFFFF for key in packet.keys]
    last = max(offsets)
    if last >= _LONG_BITS:
        raise ValueError(f"the packets of a ULPFEC packet must be less than {_LONG_BITS} apart, not {last}")
    mask_bits = _LONG_BITS if last >= _SHORT_BITS else _SHORT_BITS
    if mask_bits == _LONG_BITS:
        first |= _LONG_MASK
    mask = 0
    for offset in offsets:
        mask |= 1 << (mask_bits - 1 - offset)
    header = _HEADER.pack(first, second, base, timestamp, length)
    return header + _LEVEL.pack(packet.size) + mask.to_bytes(mask_bits // 8, "big") + body


def unwrap_red(data: bytes) -> bytes:
    """Return the packet in the bytes of a RED packet: a media packet, or an FEC packet.

    Raises:
        ProtocolError: It has several blocks, or none.
    """
    if len(data) < HEADER_SIZE:
        raise ProtocolError(f"an RTP packet must have at least {HEADER_SIZE} bytes, not {len(data)}")
    start = HEADER_SIZE + 4 * (data[0] & 0x0F)
    if data[0] & 0x10 and len(data) >= start + 4:
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if start >= len(data):
        raise ProtocolError("a RED packet must have a payload")
    payload_type = data[start]
    if payload_type & _MORE_BLOCKS:
        raise ProtocolError("a RED payload of video must have one block")
    return b"".join([data[:1], bytes([data[1] & 0x80 | payload_type]), data[2:start], data[start + 1 :]])
