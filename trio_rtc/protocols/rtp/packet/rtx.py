"""The RTX payload format (RFC 4588): a packet again, with its original sequence number in front of its payload."""

import struct
from typing import Final

from .packet import RtpPacket

_ORIGINAL_SEQUENCE_NUMBER: Final = struct.Struct("!H")
OVERHEAD: Final = _ORIGINAL_SEQUENCE_NUMBER.size


def wrap(packet: RtpPacket, *, ssrc: int, payload_type: int, sequence_number: int) -> RtpPacket:
    """Return the retransmission of a packet as one of the RTX stream (RFC 4588 section 4).

    Timestamp, marker, contributing sources and header extension elements are those of the original.
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


def original_sequence_number(packet: RtpPacket) -> int:
    number: int = _ORIGINAL_SEQUENCE_NUMBER.unpack_from(packet.payload)[0]
    return number


def unwrap(packet: RtpPacket, *, ssrc: int, payload_type: int) -> RtpPacket | None:
    """Return a retransmission as a packet of the original stream, ``None`` for one that is only padding."""
    if len(packet.payload) < OVERHEAD:
        return None
    return RtpPacket(
        payload_type,
        original_sequence_number(packet),
        packet.timestamp,
        ssrc,
        packet.payload[OVERHEAD:],
        packet.marker,
        packet.csrcs,
        packet.extensions,
        extension_map=packet.extension_map,
    )
