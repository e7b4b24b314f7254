"""Which packets are taken: ports, checksum and verification tag, before any chunk is read."""

from typing import Final

from .options import SctpOptions
from .packet.chunks import Abort, CookieEcho, Init, InitAck, ShutdownComplete
from .packet.header import HEADER_SIZE, ZERO_CHECKSUM, has_valid_checksum, parse_header

_T_BIT: Final = 1
# A handshake has its checksum in any case (RFC 9653 section 5.3).
_ALWAYS_CHECKED: Final = (Init.kind, InitAck.kind, CookieEcho.kind)
# Chunks whose packet has rules of its own for the checksum, or for the verification tag.
_SPECIAL: Final = frozenset((*_ALWAYS_CHECKED, Abort.kind, ShutdownComplete.kind))


def matches_fast_path(packet: bytes, header: bytes, accepts_zero_checksum: bool) -> bool:
    """Return whether a packet has exactly this header but for the checksum, and is intact.

    The quick test for nearly all packets; what fails it is looked at by ``find_drop_reason``.
    """
    if len(packet) <= HEADER_SIZE or len(packet) & 3 or packet[HEADER_SIZE] in _SPECIAL:
        return False
    if accepts_zero_checksum and packet[:HEADER_SIZE] == header:
        return True
    return packet[:8] == header[:8] and has_valid_checksum(packet)


def find_drop_reason(packet: bytes, options: SctpOptions, local_tag: int, peer_tag: int | None) -> str | None:
    """Return why a packet is to be dropped, None if it is one of ours.

    Args:
        packet: With its header.
        options: Of the association.
        local_tag: The tag of packets to us.
        peer_tag: The tag of packets to the peer, None while that is not known.

    Raises:
        ProtocolError: The packet has no header.
    """
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
    """Check the verification tag by the rules of RFC 9260 section 8.5."""
    kind, flags = packet[HEADER_SIZE], packet[HEADER_SIZE + 1]
    if kind == Init.kind:
        return tag == 0
    if kind in (Abort.kind, ShutdownComplete.kind) and flags & _T_BIT:
        return tag == peer_tag
    return tag == local_tag
