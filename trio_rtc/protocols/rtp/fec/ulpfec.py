"""ULPFEC (RFC 5109) in redundant payloads (RFC 2198), as browsers use it for video.

Every packet of the stream is of RED's payload type, with one block: of the codec's payload type, or of ULPFEC's.
Media and repair packets share a stream and its sequence numbers. Protected is the packet as it is without RED.

Left out: levels of protection beyond the first, and several blocks in a payload, which nobody sends.
"""

import struct
from typing import Final

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.packet.packet import HEADER_SIZE

from .fec_packet import FecPacket, MediaKey, repair_bits, split_bits

_HEADER: Final = struct.Struct("!BBHIH")
_LEVEL: Final = struct.Struct("!H")
_EXTENDED: Final = 0x80
_LONG_MASK: Final = 0x40
_SHORT_BITS: Final = 16
_LONG_BITS: Final = 48
MAX_SPAN: Final = _LONG_BITS
_MORE_BLOCKS: Final = 0x80


def parse_ulpfec(payload: bytes, ssrc: int) -> FecPacket:
    """Return what the payload of a repair packet tells.

    Args:
        payload: Without RED.
        ssrc: Of the stream.

    Raises:
        ProtocolError: It is malformed.
    """
    if len(payload) < _HEADER.size + _LEVEL.size:
        raise ProtocolError(f"{len(payload)} bytes are too few for an ULPFEC packet")
    first, second, base, timestamp, length = _HEADER.unpack_from(payload)
    if first & _EXTENDED:
        raise ProtocolError("an ULPFEC packet of a later version")
    (size,) = _LEVEL.unpack_from(payload, _HEADER.size)
    mask_bits = _LONG_BITS if first & _LONG_MASK else _SHORT_BITS
    mask_start = _HEADER.size + _LEVEL.size
    start = mask_start + mask_bits // 8
    if len(payload) < start + size:
        raise ProtocolError(f"an ULPFEC packet of {len(payload)} bytes protects {size}")
    mask = int.from_bytes(payload[mask_start:start], "big")
    keys = [
        MediaKey(ssrc, (base + bit) & 0xFFFF) for bit in range(mask_bits) if mask >> (mask_bits - 1 - bit) & 1
    ]
    if not keys:
        raise ProtocolError("an ULPFEC packet protects nothing")
    return FecPacket(keys, repair_bits(first, second, length, timestamp, payload[start : start + size]), size)


def build_ulpfec(row: FecPacket) -> bytes:
    """Return the payload of a repair packet, without RED.

    Raises:
        ValueError: The packets are too far from each other for a mask.
    """
    first, second, length, timestamp, body = split_bits(row.bits, row.size)
    base = row.keys[0].sequence_number
    offsets = [(key.sequence_number - base) & 0xFFFF for key in row.keys]
    last = max(offsets)
    if last >= _LONG_BITS:
        raise ValueError(f"packets {last} apart in an ULPFEC packet")
    mask_bits = _LONG_BITS if last >= _SHORT_BITS else _SHORT_BITS
    if mask_bits == _LONG_BITS:
        first |= _LONG_MASK
    mask = 0
    for offset in offsets:
        mask |= 1 << (mask_bits - 1 - offset)
    header = _HEADER.pack(first, second, base, timestamp, length)
    return header + _LEVEL.pack(row.size) + mask.to_bytes(mask_bits // 8, "big") + body


def unwrap_red(data: bytes) -> bytes:
    """Return the packet as it would be without RED: of media, or of ULPFEC.

    Args:
        data: The bytes of a packet of RED's payload type.

    Raises:
        ProtocolError: It has several blocks, or none.
    """
    if len(data) < HEADER_SIZE:
        raise ProtocolError(f"{len(data)} bytes are too few for an RTP packet")
    start = HEADER_SIZE + 4 * (data[0] & 0x0F)
    if data[0] & 0x10 and len(data) >= start + 4:
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if start >= len(data):
        raise ProtocolError("a redundant packet has no payload")
    payload_type = data[start]
    if payload_type & _MORE_BLOCKS:
        raise ProtocolError("a redundant payload of video has several blocks")
    return b"".join([data[:1], bytes([data[1] & 0x80 | payload_type]), data[2:start], data[start + 1 :]])
