"""Validation of packets before any chunk is parsed: ports, checksum and verification tag."""

from typing import Final

from .options import SctpOptions
from .packet.chunks import Abort, CookieEcho, Init, InitAck, ShutdownComplete
from .packet.header import HEADER_SIZE, ZERO_CHECKSUM, has_valid_checksum, parse_header

_T_BIT: Final = 1
# Packets with these chunks must have a checksum (RFC 9653 section 5.3).
_ALWAYS_CHECKED: Final = (Init.kind, InitAck.kind, CookieEcho.kind)
# Chunks with special rules for the checksum or the verification tag of their packet.
SPECIAL_CHUNKS: Final = frozenset((*_ALWAYS_CHECKED, Abort.kind, ShutdownComplete.kind))


def matches_with_checksum(packet: bytes, header: bytes) -> bool:
    """Return whether a packet has this header with a valid checksum."""
    return packet[:8] == header[:8] and has_valid_checksum(packet)


def find_drop_reason(packet: bytes, options: SctpOptions, local_tag: int, peer_tag: int | None) -> str | None:
    """Return the reason to drop a packet; None if it belongs to the association."""
    header = parse_header(packet)
    if not _is_intact(packet, accepts_zero_checksum=options.zero_checksum):
        return "checksum"
    if (header.source_port, header.destination_port) != (options.remote_port, options.local_port):
        return "port"
    if not _has_valid_tag(packet, header.verification_tag, local_tag, peer_tag):
        return "verification tag"
    return None


def _is_intact(packet: bytes, *, accepts_zero_checksum: bool) -> bool:
    if accepts_zero_checksum and packet[8:HEADER_SIZE] == ZERO_CHECKSUM:
        return packet[HEADER_SIZE] not in _ALWAYS_CHECKED
    return has_valid_checksum(packet)


def _has_valid_tag(packet: bytes, tag: int, local_tag: int, peer_tag: int | None) -> bool:
    """Return whether the verification tag is valid (RFC 9260 section 8.5)."""
    kind, flags = packet[HEADER_SIZE], packet[HEADER_SIZE + 1]
    if kind == Init.kind:
        return tag == 0
    if kind in (Abort.kind, ShutdownComplete.kind) and flags & _T_BIT:
        return tag == peer_tag
    return tag == local_tag
