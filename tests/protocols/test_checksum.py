"""Checksums against published values."""

import zlib

from trio_rtc.protocols.checksum import crc32c, stun_fingerprint


def test_crc32c_of_the_check_string() -> None:
    """The check value of CRC-32/ISCSI, and RFC 3720 appendix B.4: 32 bytes of zeros, of ones, and ascending."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


def test_the_fingerprint_is_a_crc_32_with_a_constant() -> None:
    """RFC 8489 section 14.7."""
    assert stun_fingerprint(b"123456789") == 0xCBF43926 ^ 0x5354554E
    assert stun_fingerprint(b"") == zlib.crc32(b"") ^ 0x5354554E
