"""Checksums: CRC32c of SCTP (RFC 9260 appendix A) and CRC-32 of STUN's FINGERPRINT (RFC 8489)."""

import zlib

import google_crc32c

STUN_FINGERPRINT_XOR = 0x5354554E


def crc32c(data: bytes) -> int:
    """Return the CRC32c of ``data``, an integer that SCTP stores in *little-endian* byte order."""
    return int(google_crc32c.value(data))


def stun_fingerprint(data: bytes) -> int:
    """Return the value of the FINGERPRINT attribute for ``data`` (RFC 8489 section 14.7)."""
    return zlib.crc32(data) ^ STUN_FINGERPRINT_XOR
