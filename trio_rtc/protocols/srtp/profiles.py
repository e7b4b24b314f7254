"""The protection profiles that DTLS negotiates, and the sizes that follow from them."""

from typing import Final

import attrs
from pylibsrtp import Policy

RTP_HEADER_SIZE: Final = 12
RTCP_HEADER_SIZE: Final = 8
# RFC 3711 section 3.4: the E flag and the SRTCP index, which every SRTCP packet has.
RTCP_INDEX_SIZE: Final = 4

MAX_PROTECTED_SIZE: Final = 1500
"""Bytes of the largest SRTP or SRTCP packet that can be taken."""
# pylibsrtp wants room for the longest trailers that libsrtp knows, whatever the profile is.
MAX_RTP_SIZE: Final = MAX_PROTECTED_SIZE - 144
"""Bytes of the largest RTP packet that can be protected."""
MAX_RTCP_SIZE: Final = MAX_PROTECTED_SIZE - 148
"""Bytes of the largest RTCP packet that can be protected."""


@attrs.frozen
class Profile:
    """A DTLS-SRTP protection profile (RFC 5764 section 4.1.2, RFC 7714 section 14.2).

    Attributes:
        name: Its name in IANA's registry "DTLS-SRTP Protection Profiles".
        key_size: Bytes of a master key.
        salt_size: Bytes of a master salt.
        tag_size: Bytes of the authentication tag.
        identifier: Its number in libsrtp.
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
"""Every profile by its name."""
