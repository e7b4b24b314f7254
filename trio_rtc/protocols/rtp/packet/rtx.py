"""Retransmission in a stream of its own (RFC 4588): the packet again, its number in front of its payload."""

import struct
from typing import Final

from .packet import RtpPacket

_ORIGINAL_SEQUENCE_NUMBER: Final = struct.Struct("!H")
OVERHEAD: Final = _ORIGINAL_SEQUENCE_NUMBER.size


def wrap(packet: RtpPacket, *, ssrc: int, payload_type: int, sequence_number: int) -> RtpPacket:
    """Return the retransmission of a packet (RFC 4588 section 4).

    Timestamp, marker, contributing sources and header extension elements are those of the original.

    Args:
        packet: What is sent again.
        ssrc: Of the retransmission stream.
        payload_type: Of the retransmission stream.
        sequence_number: The next of the retransmission stream, 16 bits.
    """
    return RtpPacket(
        payload_type,
        sequence_number,
        packet.timestamp,
        ssrc,
        _ORIGINAL_SEQUENCE_NUMBER.pack(packet.sequence_number) + packet.payload,
        packet.marker,
        packet.csrcs,
        packet.extensions,
    )


def unwrap(packet: RtpPacket, *, ssrc: int, payload_type: int) -> RtpPacket | None:
    """Return the original of a retransmission, ``None`` for one that has none and is only padding.

    Args:
        packet: As it came on the retransmission stream.
        ssrc: Of the original stream.
        payload_type: Of the original, which the retransmission's payload type stands for.
    """
    if len(packet.payload) < OVERHEAD:
        return None
    (sequence_number,) = _ORIGINAL_SEQUENCE_NUMBER.unpack_from(packet.payload)
    return RtpPacket(
        payload_type,
        sequence_number,
        packet.timestamp,
        ssrc,
        packet.payload[OVERHEAD:],
        packet.marker,
        packet.csrcs,
        packet.extensions,
        extension_map=packet.extension_map,
    )
