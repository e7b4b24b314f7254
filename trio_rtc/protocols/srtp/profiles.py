"""SRTP protection profiles (RFC 5764 section 4.1.2, RFC 7714 section 14.2) and the largest packets."""

from typing import Final

from pylibsrtp import Policy

from trio_rtc import _attrs as attrs

RTP_HEADER_SIZE: Final = 12
RTCP_HEADER_SIZE: Final = 8
# RFC 3711 section 3.4: the E flag and the SRTCP index of every SRTCP packet.
RTCP_INDEX_SIZE: Final = 4

MAX_PROTECTED_SIZE: Final = 1500
"""Largest SRTP or SRTCP packet received, in bytes."""
# Room for the longest trailer of libsrtp (SRTP_MAX_TRAILER_LEN), whatever the profile.
MAX_RTP_SIZE: Final = MAX_PROTECTED_SIZE - 144
"""Largest RTP packet that can be protected, in bytes."""
MAX_RTCP_SIZE: Final = MAX_PROTECTED_SIZE - 148
"""Largest RTCP packet that can be protected, in bytes."""


@attrs.frozen
class Profile:
    """An SRTP protection profile.

    Attributes:
        name: Name in IANA's registry "DTLS-SRTP Protection Profiles".
        key_size: Bytes of a master key.
        salt_size: Bytes of a master salt.
        tag_size: Bytes of the authentication tag.
        identifier: Number in libsrtp.
    """

    name: str
    key_size: int
    salt_size: int
    tag_size: int
    identifier: int

    @property
    def rtp_overhead(self) -> int:
        """Bytes by which an SRTP packet is larger than its RTP packet."""
        return self.tag_size

    @property
    def rtcp_overhead(self) -> int:
        """Bytes by which an SRTCP packet is larger than its RTCP packet."""
        return self.tag_size + RTCP_INDEX_SIZE


PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile("SRTP_AEAD_AES_256_GCM", 32, 12, 16, Policy.SRTP_PROFILE_AEAD_AES_256_GCM),
        Profile("SRTP_AEAD_AES_128_GCM", 16, 12, 16, Policy.SRTP_PROFILE_AEAD_AES_128_GCM),
        Profile("SRTP_AES128_CM_HMAC_SHA1_80", 16, 14, 10, Policy.SRTP_PROFILE_AES128_CM_SHA1_80),
    )
}
"""Supported profiles by name."""
